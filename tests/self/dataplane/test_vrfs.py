"""The walk follows packets through the tables of VRFs, and says what keeps them from their way there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from reports.diagnosis.explain import explained
from tests.self.dataplane.test_endings import said
from topology.dataplane.bridges import BROADCAST, wrong_answer
from topology.dataplane.live import live_fabric
from topology.dataplane.reasons import link_local
from topology.expected import expected_journey, probe_between
from topology.formats.lab import load_lab
from topology.model import Bridge, Fabric
from topology.packet import Layers
from topology.refs import Network
from topology.state import Entry, NodeState, RouteState, declared_state

LAB = load_lab("evpn-l3vni")
LEAVES = {"leaf1": "leaf2", "leaf2": "leaf1"}
HOSTS = {"leaf1": "172.16.1.1", "leaf2": "172.16.2.2"}
"""By leaf the address of the end of the pair there."""


def forwarded(node: str, far: str) -> frozenset[Entry]:
    """What zebra makes of a host behind another leaf: a route in the VRF, the far router's MAC, and its VTEP."""
    address, router = LAB[far]["vni50000"].local, LAB[far]["br50000"].mac  # type: ignore[attr-defined]
    words = (
        ("ip route", "br50000", f"{HOSTS[far]}/32 via {address} dev br50000 proto bgp table 1001"),
        ("ip neigh", "br50000", f"{address} lladdr {router} dev br50000 extern_learn"),
        ("bridge fdb", "vni50000", f"{router} dev vni50000 dst {address} self extern_learn"),
    )
    return frozenset(said(tool, device, one, owner="zebra") for tool, device, one in words)


def live(without: str = "", instead: str = "", outside: str = "") -> Fabric:
    """The fabric as it is read once EVPN has converged, without one word of the first leaf's or another instead, and
    with a device of the second leaf outside its VRF."""
    states: dict[str, NodeState] = {node.name: declared_state(node) for node in LAB.nodes}
    for near, far in LEAVES.items():
        entries = states[near].entries | forwarded(near, far)
        if near == "leaf1" and without:
            changed = {one: replace(one, words=one.words.replace(without, instead)) for one in entries}
            entries = frozenset(new for old, new in changed.items() if instead or old == new)
        underlay = RouteState(vtep(far), link_local(LAB["spine1"][f"swp{near[-1]}"]), "swp1", owner="bgp")
        links = {n: replace(one, master=None) if n == outside else one for n, one in states[near].links.items()}
        states[near] = replace(states[near], links=links if near == "leaf2" else states[near].links)
        states[near] = replace(states[near], entries=entries, routes=states[near].routes | {underlay})
    spine = [RouteState(vtep(leaf), link_local(LAB[leaf]["swp1"]), f"swp{leaf[-1]}", owner="bgp") for leaf in LEAVES]
    states["spine1"] = replace(states["spine1"], routes=states["spine1"].routes | {*spine})
    return live_fabric("live", states, LAB.links)


def vtep(leaf: str) -> Network:
    """The subnet of a leaf's VTEP."""
    return LAB[leaf]["lo"].addresses[0].network


def test_packet_is_routed_in_its_vrf() -> None:
    """It arrives in an l3-overlay, in a frame between the routers' MACs, its TTL lowered twice."""
    journey = expected_journey(live(), probe_between(LAB, "blue1", "pink2"))
    assert (journey.dropped, journey.kind) == ("", "l3-overlay")
    assert {str(tunnel) for tunnel in journey.tunnels} == {"vxlan VNI 50000"}
    inner = {
        (hop.layers[4][1]["src"], hop.layers[4][1]["dst"], hop.layers[5][1]["ttl"])
        for path in journey.paths
        for hop in path.hops
        if len(hop.layers) > 5
    }
    assert inner == {(LAB["leaf1"]["br50000"].mac, LAB["leaf2"]["br50000"].mac, 63)}


WRONG: Mapping[str, tuple[str, str, str]] = {
    "another MAC of the router": (f"lladdr {LAB['leaf2']['br50000'].mac}", "lladdr 02:00:00:00:00:99", "leaf1:br50000"),
    "no entry for the router": ("vni50000 dst 10.0.0.12", "", "leaf1:br50000"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_in_a_vrf_is_named_at_its_leaf(what: str) -> None:
    """A packet that goes to another MAC than the far router's, or for which there is no VTEP, ends at the leaf."""
    without, instead, place = WRONG[what]
    found = explained(live(without, instead), probe_between(LAB, "blue1", "pink2"), "l3-overlay")
    assert found is not None
    assert str(found).startswith(place)


def test_device_that_is_missing_in_a_vrf_is_named_before_those_in_it() -> None:
    """The packet comes in by a bridge outside the VRF that has routes by it, and finds none."""
    found = explained(live(outside="br50000"), probe_between(LAB, "blue1", "pink2"), "l3-overlay")
    assert found is not None
    assert str(found).startswith("leaf2:br50000: in no VRF")
    assert [other.kind for other in found.others] == ["bridge"]


@pytest.mark.parametrize(
    ("mac", "known_at", "wrong"),
    [
        ("02:00:00:00:00:99", "vni10100", True),
        ("02:00:00:00:00:99", "to-blue1", False),
        ("02:00:00:00:00:99", "", False),
        (str(LAB["blue2"]["eth0"].mac), "vni10100", False),
    ],
    ids=["wrong MAC", "behind a port that floods", "a MAC without entry", "right MAC"],
)
def test_bridge_that_answers_with_another_mac_is_the_cause(mac: str, known_at: str, wrong: bool) -> None:
    """Towards a port with suppression a bridge answers for neighbours whose MAC it has there; a wrong one is named."""
    fabric, blue2 = live(), LAB["blue2"]["eth0"]
    leaf, address = fabric["leaf1"], blue2.addresses[0].ip
    bridge = leaf["br10100"]
    assert isinstance(bridge, Bridge)
    known = replace(bridge, entries=((mac, known_at),) if known_at else ())
    request: Layers = (("ether", {"src": LAB["blue1"]["eth0"].mac, "dst": BROADCAST}), ("arp", {}))
    told = replace(leaf, neighbours={("br10100", address): mac})
    nodes = tuple(told if node is leaf else node for node in fabric.nodes)
    end = wrong_answer(replace(fabric, nodes=nodes), known, leaf["to-blue1"], request, address)
    if not wrong:
        assert end is None
        return
    assert end is not None
    assert (end.node, end.interface, end.kind) == ("leaf1", "br10100", "neigh")
    assert str(end) == (f"leaf1:br10100: answers for {address} with lladdr {mac} (neigh_suppress on)")
    assert wrong_answer(replace(fabric, nodes=nodes), known, leaf["vni10100"], request, address) is None
