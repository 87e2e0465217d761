"""What can be proven on the host kernel anywhere: a fabric of veth, bridge and VXLAN in a sandbox of namespaces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.instruments.live import LiveFabric
from fixtures.instruments.probe import Prober
from topology.errors import KernelUnavailable
from topology.formats.lab import load_lab
from topology.kernels.registry import start_kernel

ROOT = Path(__file__).parents[3]
LAB = ROOT / "tests" / "self" / "data" / "vxlan.yaml"


@pytest.fixture(scope="module")
def live() -> Iterator[LiveFabric]:
    """The VXLAN lab, up on the host kernel."""
    lab = load_lab(LAB)
    try:
        kernel = start_kernel("host", lab.needs, lambda _: None)
    except KernelUnavailable as error:
        pytest.skip(str(error))
    try:
        yield LiveFabric(lab, kernel)
    finally:
        kernel.close()


def test_every_node_is_as_declared(live: LiveFabric) -> None:
    """What netlink says of each node after the build is what the lab declares."""
    assert [cause for node in live.names for cause in live.differences(node)] == []


@pytest.mark.parametrize("protocol", ["icmp", "udp"])
def test_every_pair_goes_the_declared_way(live: LiveFabric, protocol: str) -> None:
    """Probes of both kinds pass the declared hops with the declared headers, out and back."""
    prober = Prober(live)
    trips = [prober.trip(p.source, p.target, "udp" if protocol == "udp" else "icmp") for p in live.pairs]
    assert [trip.as_declared.message for trip in trips if not trip.as_declared] == []
    assert len(trips) == 4


BREAKS = {
    "route": ("l2", "ip route del 10.11.0.0/24", "ip route add 10.11.0.0/24 via 10.2.0.1"),
    "link": (
        "s1",
        "ip link set s1_l2 down",
        "ip link set s1_l2 up && ip route add 10.12.0.0/24 via 10.2.0.2 && ip route add 10.14.0.0/24 via 10.2.0.2",
    ),
    "address": ("c5", "ip addr del 10.20.0.5/24 dev c5_v2", "ip addr add 10.20.0.5/24 dev c5_v2"),
    "bridge": ("v2", "ip link set v2_c5 nomaster", "ip link set v2_c5 master br"),
}


@pytest.mark.parametrize("kind", BREAKS)
def test_broken_node_is_named_with_its_cause(live: LiveFabric, kind: str) -> None:
    """A fault makes c1 -> c5 fail, and the cause found is the fault, at its node."""
    node, fault, undo = BREAKS[kind]
    assert live.run(node, "sh", "-c", fault).code == 0
    try:
        trip = Prober(live, warm_up_s=0.1, arrival_s=0.15).trip("c1", "c5")
    finally:
        assert live.run(node, "sh", "-c", undo).code == 0
    assert not trip.arrived
    assert trip.cause is not None
    assert (trip.cause.node, trip.cause.kind) == (node, kind)
    assert live.differences(node) == ()


def test_nothing_of_the_machine_is_visible(live: LiveFabric) -> None:
    """Inside the sandbox there is no interface of the machine, no route, no resolver, and no way out."""
    run = live.kernel.agent.run
    assert "nameserver" not in run(["cat", "/etc/resolv.conf"]).stdout
    assert run(["ls", "/sys/class/net"]).stdout.split() == ["lo"]
    assert run(["cat", "/proc/net/route"]).stdout.splitlines()[1:] == []
    assert int(run(["sh", "-c", "echo $$"]).stdout) < 1000
