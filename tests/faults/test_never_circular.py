"""Twenty faults that change live state: what the nodes' state says never turns a failed promise into a passed one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from fixtures.instruments.live import LiveFabric
from fixtures.instruments.probe import Prober
from reports.judge.journey import judge_journey
from topology.expected import expected_journey, probes_of, reply_to
from topology.model import Fabric

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("ece792")]

FAULTS: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "port down": (("lc1", "ip link set dev lc1_sc2 down", "ip link set dev lc1_sc2 up; {routes}"),),
    "route missing": (("lc2", "ip route del 21.0.0.0/24", "{routes}"),),
    "route missing, routed": (("lc1", "ip route del 30.0.0.0/24", "{routes}"),),
    "wrong next hop": (("lc1", "ip route replace 28.0.0.0/24 via 25.0.0.1", "{routes}"),),
    "no gateway": (("cs1", "ip route del default", "{routes}"),),
    "wrong gateway": (("cs3", "ip route replace default via 30.0.0.2", "{routes}"),),
    "route that refuses": (("lc2", "ip route replace unreachable 21.0.0.0/24", "{routes}"),),
    "longer route that refuses": (
        ("lc1", "ip route add unreachable 30.0.0.1/32", "ip route del unreachable 30.0.0.1/32"),
    ),
    "a daemon's longer route": (
        ("lc1", "ip route add 28.0.0.0/25 via 25.0.0.1 proto bgp", "ip route del 28.0.0.0/25"),
    ),
    "spine forwards nothing": (("sc2", "sysctl -w net.ipv4.ip_forward=0", "sysctl -w net.ipv4.ip_forward=1"),),
    "tunnel forwards nothing": (
        (
            "lc1",
            "sysctl -w net.ipv4.conf.gretun-cont.forwarding=0",
            "sysctl -w net.ipv4.conf.gretun-cont.forwarding=1",
        ),
    ),
    "GRE down": (("lc2", "ip link set dev gretun-cont down", "ip link set dev gretun-cont up; {routes}"),),
    "past the tunnel": (
        ("lc1", "ip route replace 30.0.0.0/24 via 26.0.0.1", "{routes}"),
        ("sc2", "ip route add 30.0.0.0/24 via 28.0.0.2", "ip route del 30.0.0.0/24"),
    ),
    "VXLAN past the tunnel": (
        ("lc1", "ip route replace 23.0.0.0/24 via 26.0.0.1", "{routes}"),
        ("sc2", "ip route add 23.0.0.0/24 via 28.0.0.2", "ip route del 23.0.0.0/24"),
    ),
    "VXLAN down": (("con_ns1", "ip link set dev vxlan-cont down", "ip link set dev vxlan-cont up"),),
    "VXLAN in no bridge": (
        ("con_ns3", "ip link set dev vxlan-cont nomaster", "ip link set dev vxlan-cont master bridge3"),
    ),
    "port in no bridge": (
        ("con_ns1", "ip link set dev bridge1_cs1 nomaster", "ip link set dev bridge1_cs1 master bridge1"),
    ),
    "port blocked": (("con_ns1", "bridge link set dev vxlan-cont state 0", "bridge link set dev vxlan-cont state 3"),),
    "ports isolated": (
        (
            "con_ns1",
            "bridge link set dev bridge1_cs1 isolated on; bridge link set dev vxlan-cont isolated on",
            "bridge link set dev bridge1_cs1 isolated off; bridge link set dev vxlan-cont isolated off",
        ),
    ),
    "no address resolution": (("cs5", "ip link set dev cs5_br3 arp off", "ip link set dev cs5_br3 arp on"),),
}
"""By name the nodes, what breaks each, and what undoes it; ``{routes}`` are the declared ones."""


@pytest.fixture
def do(pristine: LiveFabric) -> Callable[[str, str], None]:
    """Runs a command in a node of the copy."""

    def run(node: str, command: str) -> None:
        routes = "; ".join(f"ip route replace {route}" for route in pristine[node].routes)
        done = pristine.run(node, "sh", "-ec", command.format(routes=routes))
        assert done.code == 0, (node, command, done.stderr)

    return run


def verdicts(fabric: LiveFabric, lab: Fabric) -> list[bool]:
    """Whether each way of the first pair of each kind passed; asserts that intent alone decided, whatever the cause."""
    pairs = {pair.kind: pair for pair in reversed(lab.pairs)}.values()
    probes = [next(iter(probes_of(lab, pair))) for pair in pairs]
    passed = []
    for probe, judged in zip(probes, Prober(fabric, warm_up_s=0.5, arrival_s=1.0).trips(probes), strict=True):
        for way, leg in zip((probe, reply_to(probe)), judged().legs, strict=True):
            declared = expected_journey(lab, way)
            assert leg.expected.kind == declared.kind
            assert [str(path) for path in leg.expected.paths] == [str(path) for path in declared.paths]
            assert replace(leg.verdict, causes=(), asked=()) == judge_journey(leg.journey, leg.expected)
            passed.append(leg.verdict.passed)
    return passed


def test_wrong_live_state_passes_nothing(lab: Fabric, pristine: LiveFabric, do: Callable[[str, str], None]) -> None:
    """With each of 20 faults a promise fails, by the verdict that the declaration and the wire give without the nodes'
    state; once it is undone, all pass."""
    assert len(FAULTS) == 20
    assert all(verdicts(pristine, lab))
    for name, parts in FAULTS.items():
        for node, command, _ in parts:
            do(node, command)
        assert not all(verdicts(pristine, lab)), name
        for node, _, undo in reversed(parts):
            do(node, undo)
        assert [cause for one in pristine.names for cause in pristine.differences(one)] == [], name
    assert all(verdicts(pristine, lab))
