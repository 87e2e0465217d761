"""Equal-cost routes: how they are written, planned, expected and compared."""

from __future__ import annotations

import pytest

from reports.judge.state import differences
from tests.self.builders import expect
from topology.errors import LabError
from topology.expected import check_pairs
from topology.formats.lab import LABS, load_lab_text
from topology.model import Fabric, Loopback
from topology.plan import make_plan
from topology.promises import Spread
from topology.state import declared_state

TEXT = (LABS / "ecmp.yaml").read_text()
ROUTE = "10.255.0.2/32 nexthop via 10.1.1.1 nexthop via 10.1.2.1"
KNOWN = ("ecmp", "ecmp-gre-tos", "ecmp-gre-per-spine", "ecmp-vtep-in-leaf", "ecmp-vtep-behind-leaf")


@pytest.fixture(scope="module")
def lab() -> Fabric:
    return load_lab_text(TEXT, "ecmp.yaml")


def spines(fabric: Fabric, source: str, target: str) -> set[tuple[str, ...]]:
    """The spines on each legal path."""
    names = {node.name for node in fabric.role("spine")}
    paths = expect(fabric, source, target, "udp").paths
    return {tuple(dict.fromkeys(hop.node for hop in path.hops if hop.node in names)) for path in paths}


@pytest.mark.parametrize("name", KNOWN)
def test_every_spine_is_a_legal_way(name: str) -> None:
    """Each equal-cost way is legal, out and back, and each of them arrives as its pair declares."""
    fabric = load_lab_text((LABS / f"{name}.yaml").read_text(), name)
    assert list(check_pairs(fabric)) == []
    for source, target in (("cs1", "cs2"), ("cs2", "cs1")):
        assert spines(fabric, source, target) == {("sc1",), ("sc2",)}


def test_way_that_does_not_arrive_is_refused() -> None:
    """One spine without a way on is enough: a packet that takes it is lost."""
    broken = load_lab_text(TEXT.replace("      - 10.255.0.2/32 via 10.2.2.2\n", ""), "ecmp.yaml")
    (problem,) = (problem for problem in check_pairs(broken) if "cs1 -> cs2" in problem.what)
    assert "sc2: no route to 10.255.0.2" in problem.what


def test_route_is_read_with_all_its_next_hops(lab: Fabric) -> None:
    """The words are those of ip-route(8), and are written back as they came."""
    route = lab["lc1"].routes[0]
    assert str(route) == ROUTE
    assert [str(hop) for hop in route.next_hops] == ["via 10.1.1.1", "via 10.1.2.1"]
    assert [egress.dev for egress in lab["lc1"].egresses(route)] == ["lc1_sc1", "lc1_sc2"]


def test_plan_names_all_next_hops(lab: Fabric) -> None:
    """The command is what a person would type, and the message has a gateway and a device for each."""
    operations = [op for phase in make_plan(lab).phases for op in phase]
    (found,) = (op for op in operations if op.command == f"ip -n lc1 route add {ROUTE}")
    hops = found.arguments["multipath"]
    assert [hop["gateway"] for hop in hops] == ["10.1.1.1", "10.1.2.1"]
    assert len({hop["oif"] for hop in hops}) == 2
    assert "ip -n lc1 addr add 10.255.0.1/32 dev lo" in {op.command for op in operations}


def test_settings_reach_every_node(lab: Fabric) -> None:
    """The hash policy, and whether links without a carrier are avoided, are written in every namespace."""
    words = make_plan(load_lab_text((LABS / "ecmp-vtep-behind-leaf.yaml").read_text(), "x")).commands
    for node in ("lc1", "sw1", "cs1"):
        for setting in ("ipv4.fib_multipath_hash_policy=1", "ipv4.conf.all.ignore_routes_with_linkdown=1"):
            assert f"ip netns exec {node} sysctl -eqw net.{setting}" in words
    plain = make_plan(lab).commands
    assert "ip netns exec lc1 sysctl -eqw net.ipv4.conf.all.ignore_routes_with_linkdown=0" in plain


def test_tos_is_inherited_where_it_is_said() -> None:
    """Only a tunnel that says so inherits the TOS; its state shows it."""
    fabric = load_lab_text((LABS / "ecmp-gre-tos.yaml").read_text(), "x")
    tunnel = "ip -n lc1 link add name gre-lc2 type gre local 10.255.0.1 remote 10.255.0.2 ttl 64 tos inherit"
    assert tunnel in make_plan(fabric).commands
    assert ("tos", "inherit") in declared_state(fabric["lc1"]).links["gre-lc2"].parameters


def test_loopback_is_no_link_but_carries_addresses(lab: Fabric) -> None:
    """lo is there without being made: its addresses are part of the state, it is not."""
    state = declared_state(lab["lc1"])
    assert isinstance(lab["lc1"]["lo"], Loopback)
    assert "lo" not in state.links
    assert ("lo", "10.255.0.1/32") in {(device, str(interface)) for device, interface in state.addresses}
    assert "dummy" not in lab.needs


def test_lost_next_hop_is_put_back_with_its_fellows(lab: Fabric) -> None:
    """A route that lost one of its next hops is fixed by the whole route, not by the one that is missing."""
    declared = declared_state(lab["lc1"])
    live = declared_state(load_lab_text(TEXT.replace(" nexthop via 10.1.2.1", ""), "x")["lc1"])
    (cause,) = differences(declared, live)
    assert "10.255.0.2/32 via 10.1.2.1 dev lc1_sc2" in str(cause)
    assert cause.fix == f"ip -n lc1 route replace {ROUTE}"


def test_spread_is_read(lab: Fabric) -> None:
    """A spread names its ends and what it promises; what is not said is not promised."""
    (spread,) = lab.spreads
    assert spread == Spread("cs1", "cs2", even=False, survives=False)
    assert str(spread) == "cs1-cs2-one-way"
    assert spread.where.line == TEXT[: TEXT.index("  - {source: cs1, target: cs2, over")].count("\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (ROUTE, "10.255.0.2/32 via 10.1.1.1 nexthop via 10.1.2.1", "'via 10.1.1.1' comes before 'nexthop'"),
        (ROUTE, "10.255.0.2/32 nexthop via 10.1.1.1 nexthop via 10.1.1.1", "the same next hop twice"),
        (ROUTE, "10.255.0.2/32 nexthop via 10.1.1.1 nexthop", "has neither gateway nor device"),
        (ROUTE, "10.255.0.2/32 nexthop via 10.1.1.1 nexthop weight 2", "'weight' is no word of a route"),
        (ROUTE, "10.255.0.2/32 nexthop via 10.1.1.1 nexthop via fe80::1", "mixes IPv4 and IPv6"),
        (ROUTE, "10.255.0.2/32 nexthop via 10.1.1.1 nexthop via 10.9.9.9", "10.9.9.9 is on no subnet of lc1"),
        (ROUTE, "10.255.0.2/32 nexthop via 10.1.1.1 nexthop dev lc1_sc9", "'lc1_sc9' is no device of lc1"),
        ("multipath-hash: layer-4", "multipath-hash: 4", "unknown multipath-hash 4; one of: layer-3, layer-4"),
        ("multipath-hash", "multi-path-hash", "unknown key 'multi-path-hash'; did you mean 'multipath-hash'?"),
        ("over: one-way", "ways: one-way", "has no 'over'; over: one-way or all-ways"),
        ("multipath-hash: layer-4", "ignore-routes-with-linkdown: 1", "1 is neither true nor false"),
        ("over: one-way", "over: two-ways", "unknown spread 'two-ways'; one of: one-way, all-ways"),
        ("over: one-way", "over: one-way, survives: maybe", "'maybe' is neither true nor false"),
        ("target: cs2, over", "target: cs9, over", "unknown node 'cs9'"),
        ("target: cs2, over", "target: cs1, over", "cs1 is paired with itself"),
        ("ttl: 64", "ttl: 64, tos: 16", "unknown tos 16; one of: inherit"),
    ],
)
def test_what_cannot_be_is_refused(old: str, new: str, said: str) -> None:
    """A mistake in a route of several next hops, in routing or in a spread gets what would be right."""
    assert old in TEXT
    with pytest.raises(LabError) as caught:
        load_lab_text(TEXT.replace(old, new), "ecmp.yaml")
    assert said in str(caught.value)
