"""Routes and entries of daemons: no difference, unless they are declared; a cause where packets follow them astray."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_network

import pytest

from reports.evidence import Cause
from reports.judge.state import differences, find_diversion
from reports.judge.traffic import Traffic
from tests.self.builders import reference
from tests.self.reports.states import LEAF, SWITCH, entry, route, routes
from topology.dataplane.live import live_fabric
from topology.expected import expected_journey, probe_between, reply_to
from topology.formats.lab import load_lab
from topology.links.base import FLOOD_MAC
from topology.packet import Probe
from topology.state import Entry, NodeState, RouteState, declared_state

TO_LC2 = "28.0.0.0/24 via 26.0.0.1 dev lc1_sc2"
DECLARED_ROUTE = next(one for one in LEAF.routes if str(one) == TO_LC2)
OTHER = replace(route("28.0.0.0/24", "25.0.0.1", "lc1_sc1"), owner="bgp")
FURTHER = replace(route("99.0.0.0/24", "25.0.0.1", "lc1_sc1"), owner="bgp")
DECLARED_ENTRY = next(one for one in SWITCH.entries if one.kind == "fdb")
ENTRIES = {
    "rule": Entry("ip rule", None, "pref 5 from all lookup 100", "pref 5 from all lookup 100", owner="bgp"),
    "route": Entry("ip route", "br1_lc1", "9.9.9.0/24 dev br1_lc1 table 100", "", owner="bgp"),
    "neigh": Entry("ip neigh", "br1_lc1", "9.9.9.9 lladdr 02:00:00:00:00:01 dev br1_lc1", "", owner="zebra"),
    "fdb": Entry("bridge fdb", "vxlan-cont", "02:00:00:00:00:01 dev vxlan-cont", "", owner="extern_learn"),
}


@pytest.mark.parametrize("kind", ENTRIES)
def test_undeclared_entry_of_a_daemon_is_no_difference(kind: str) -> None:
    """An entry with a daemon's mark is no difference; the same one without the mark is."""
    assert differences(SWITCH, entry(SWITCH, come=ENTRIES[kind])) == ()
    (cause,) = differences(SWITCH, entry(SWITCH, come=replace(ENTRIES[kind], owner="")))
    assert cause.kind == kind


def test_undeclared_route_of_a_daemon_is_no_difference() -> None:
    """A route that a daemon made beside the declared ones is no difference; an administrator's is."""
    assert differences(LEAF, routes(LEAF, come=FURTHER)) == ()
    assert len(differences(LEAF, routes(LEAF, come=replace(FURTHER, owner="")))) == 1


def test_declared_route_is_right_whoever_made_it() -> None:
    """A declared route of a daemon's is no difference, and its absence is one."""
    made = routes(LEAF, gone=TO_LC2, come=replace(DECLARED_ROUTE, owner="bgp"))
    assert differences(LEAF, made) == ()
    (cause,) = differences(LEAF, routes(made, gone=f"{TO_LC2} proto bgp"))
    assert (cause.declared, cause.live) == (TO_LC2, "missing")


def test_daemons_route_in_the_place_of_a_declared_one_is_named() -> None:
    """A declared route that a daemon replaced is a difference that names the daemon's."""
    (cause,) = differences(LEAF, routes(LEAF, gone=TO_LC2, come=OTHER))
    assert (cause.declared, cause.live) == (TO_LC2, "28.0.0.0/24 via 25.0.0.1 dev lc1_sc1 proto bgp")


def test_settled_state_has_a_daemons_part_only_as_declared() -> None:
    """What a daemon adds or takes away is no change of a fabric; what it takes away of the declared is."""
    before = routes(routes(LEAF, gone=TO_LC2, come=replace(DECLARED_ROUTE, owner="bgp")), come=FURTHER)
    assert differences(before.settled(LEAF), LEAF) == ()
    assert before.settled(LEAF).routes == LEAF.routes
    (cause,) = differences(before.settled(LEAF), routes(LEAF, gone=TO_LC2))
    assert cause.live == "missing"
    kept = entry(SWITCH, gone=DECLARED_ENTRY.words, come=replace(DECLARED_ENTRY, owner="extern_learn"))
    assert entry(kept, come=ENTRIES["fdb"]).settled(SWITCH) == SWITCH


def test_daemon_may_tell_the_neighbours_of_a_vtep_without_remotes_alone() -> None:
    """Only of a VXLAN device without learning, remote or an administrator's entries a daemon makes the entries; whose
    an entry for all frames is the kernel does not say."""
    bare = declared_state(load_lab("evpn-l3vni")["leaf1"])
    assert not bare.tells_neighbours, "no daemon has left anything there"
    leaf = replace(bare, routes=bare.routes | {RouteState(ip_network("10.0.0.12/32"), None, "swp1", owner="bgp")})
    assert leaf.tells_neighbours
    assert not declared_state(LAB["con_ns1"]).tells_neighbours
    to_one = "{} dev {} dst 10.0.0.12 self permanent"
    names = [name for name in leaf.links if name.startswith("vni")]
    by_hand, to_all = (
        {Entry("bridge fdb", name, to_one.format(mac, name), "") for name in names}
        for mac in ("02:00:00:00:00:01", FLOOD_MAC)
    )
    assert not replace(leaf, entries=frozenset(by_hand)).tells_neighbours
    assert replace(leaf, entries=frozenset(to_all)).tells_neighbours
    assert replace(leaf, entries=frozenset(replace(one, owner="extern_learn") for one in by_hand)).tells_neighbours


LAB = reference()
STATES = {node.name: declared_state(node) for node in LAB.nodes}
PROBE = probe_between(LAB, "cs1", "cs5")


def diverted(changed: Mapping[str, NodeState], probe: Probe = PROBE) -> Cause | None:
    """The daemon's part that leads a probe astray, where some nodes' states are others than declared."""
    states = {**STATES, **changed}
    expected, back = (expected_journey(LAB, one) for one in (probe, reply_to(probe)))
    walked = expected_journey(live_fabric(LAB.name, states, LAB.links), probe)
    return find_diversion(expected, walked, STATES, states, Traffic.of(LAB, (expected, back)))


@pytest.mark.parametrize(
    "new",
    [
        pytest.param(route("28.0.0.0/25", "25.0.0.1", "lc1_sc1"), id="by another spine"),
        pytest.param(route("23.0.0.0/25", "26.0.0.1", "lc1_sc2"), id="past the tunnel"),
        pytest.param(replace(route("23.0.0.0/25", None, None), kind="blackhole"), id="into nowhere"),
    ],
)
def test_route_of_a_daemon_that_diverts_packets_is_the_cause(new: RouteState) -> None:
    """Where packets leave their declared way by a daemon's route, that route is the cause, and no fix is named."""
    own = replace(new, owner="bgp")
    cause = diverted({"lc1": routes(STATES["lc1"], come=own)})
    assert cause is not None
    assert (cause.node, cause.kind, cause.live, cause.fix) == ("lc1", "route", str(own), "")


@pytest.mark.parametrize(
    "new",
    [
        pytest.param(FURTHER, id="for other packets"),
        pytest.param(replace(route("28.0.0.0/8", "25.0.0.1", "lc1_sc1"), owner="bgp"), id="shorter"),
        pytest.param(route("28.0.0.0/25", "25.0.0.1", "lc1_sc1"), id="an administrator's"),
    ],
)
def test_other_routes_are_no_diversion(new: RouteState) -> None:
    """A daemon's route that no packet takes is not the cause, nor is one without a daemon's mark."""
    assert diverted({"lc1": routes(STATES["lc1"], come=new)}) is None


def test_daemons_route_behind_another_mistake_is_no_diversion() -> None:
    """Packets that end before they come to a daemon's route are not led astray by it."""
    link = replace(STATES["cs1"].links["cs1_br1"], up=False)
    down = replace(STATES["cs1"], links={"cs1_br1": link})
    astray = replace(route("28.0.0.0/25", "25.0.0.1", "lc1_sc1"), owner="bgp")
    assert diverted({"cs1": down, "lc1": routes(STATES["lc1"], come=astray)}) is None
