"""A packet that leaves the way of its answer is blamed on the node that turned it, not on where it ended."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from reports.diagnosis.explain import explained
from tests.self.dataplane.test_endings import Change, said
from topology.dataplane.live import live_fabric
from topology.expected import expected_journey, probe_between
from topology.formats.lab import load_lab_text
from topology.model import Fabric
from topology.state import Entry, NodeState, RouteState, declared_state

OVER_VLANS = """
lab: vlans
nodes:
  r1:
    role: leaf
    addresses: {r1_h1: 10.1.0.1/24, up.7: 10.9.7.1/30}
    vlan: {up.7: {dev: up, id: 7}}
    gre: {g: {local: 10.9.7.1, remote: 10.9.8.1}}
    routes: [default via 10.9.7.2, 10.2.0.0/24 dev g]
  r2:
    role: leaf
    addresses: {r2_h2: 10.2.0.1/24, up.8: 10.9.8.1/30}
    vlan: {up.8: {dev: up, id: 8}}
    gre: {g: {local: 10.9.8.1, remote: 10.9.7.1}}
    routes: [default via 10.9.8.2, 10.1.0.0/24 dev g]
  core:
    role: spine
    addresses: {to1.7: 10.9.7.2/30, to2.8: 10.9.8.2/30}
    vlan: {to1.7: {dev: to1, id: 7}, to2.8: {dev: to2, id: 8}}
  h1: {role: customer, addresses: {h1_r1: 10.1.0.2/24}, routes: [default via 10.1.0.1]}
  h2: {role: customer, addresses: {h2_r2: 10.2.0.2/24}, routes: [default via 10.2.0.1]}
links: [[r1:up, core:to1], [r2:up, core:to2], [h1:h1_r1, r1:r1_h1], [h2:h2_r2, r2:r2_h2]]
"""


def lab() -> Fabric:
    """Two routers that a tunnel joins over the VLANs of a third one, which knows nothing of their customers."""
    return load_lab_text(OVER_VLANS)


def read(**changed: NodeState) -> Fabric:
    """The lab as it is read, some nodes changed."""
    states = {node.name: declared_state(node, False, lab().routing) for node in lab().nodes}
    return live_fabric("live", {**states, **changed}, lab().links)


def test_a_missing_route_is_blamed_and_not_the_router_that_the_packet_strays_to() -> None:
    """The router behind the VLAN drops for want of a way back, or on: neither is its fault."""
    state = declared_state(lab()["r2"], False, lab().routing)
    without = replace(state, routes=frozenset(one for one in state.routes if one.dev != "g"))
    core = declared_state(lab()["core"], False, lab().routing)
    loose = replace(core, sysctls={**core.sysctls, "net.ipv4.conf.all.rp_filter": "2"})
    found = explained(read(r2=without, core=loose), probe_between(lab(), "h1", "h2"))
    assert found is not None
    assert (found.node, found.live) == ("r2", "default via 10.9.8.2 dev up.8")
    assert found.wanted == "g, by which the other direction comes"


SPINES = """
lab: asymmetric
nodes:
  l1:
    role: leaf
    addresses: {a1: 10.9.1.1/30, a2: 10.9.2.1/30, l1_h1: 10.1.0.1/24}
    routes: [10.2.0.0/24 via 10.9.1.2]
  l2:
    role: leaf
    addresses: {b1: 10.9.3.1/30, b2: 10.9.4.1/30, l2_h2: 10.2.0.1/24}
    routes: [10.1.0.0/24 via 10.9.4.2]
  s1:
    role: spine
    addresses: {x1: 10.9.1.2/30, x2: 10.9.3.2/30}
    routes: [10.1.0.0/24 via 10.9.1.1, 10.2.0.0/24 via 10.9.3.1]
  s2:
    role: spine
    addresses: {y1: 10.9.2.2/30, y2: 10.9.4.2/30}
    routes: [10.1.0.0/24 via 10.9.2.1, 10.2.0.0/24 via 10.9.4.1]
  h1: {role: customer, addresses: {h1_l1: 10.1.0.2/24}, routes: [default via 10.1.0.1]}
  h2: {role: customer, addresses: {h2_l2: 10.2.0.2/24}, routes: [default via 10.2.0.1]}
links: [[l1:a1, s1:x1], [l1:a2, s2:y1], [l2:b1, s1:x2], [l2:b2, s2:y2], [h1:h1_l1, l1:l1_h1], [h2:h2_l2, l2:l2_h2]]
"""


def without(prefix: str) -> Change:
    gone = ip_network(prefix)
    return lambda state: replace(state, routes=frozenset(one for one in state.routes if one.prefix != gone))


def strict(state: NodeState) -> NodeState:
    return replace(state, sysctls={**state.sysctls, "net.ipv4.conf.a2.rp_filter": "1"})


def back_by_rule(state: NodeState) -> NodeState:
    """The way back in a table of its own, for what the host behind sends."""
    known = without("10.2.0.0/24")(state)
    found = {
        Entry("ip rule", None, "pref 9 from 10.1.0.0/24 iif l1_h1 lookup 9", "9"),
        said("ip route", None, "10.2.0.0/24 via 10.9.1.2 dev a1 table 9"),
    }
    sysctls = {**state.sysctls, "net.ipv4.conf.all.rp_filter": "2"}
    return replace(known, entries=known.entries | found, sysctls=sysctls)


FAULTS: dict[str, tuple[str, Change, str]] = {
    "nothing": ("s2", lambda state: state, ""),
    "nothing, the way back being one of policy": ("l1", back_by_rule, ""),
    "a route of the spine back": ("s2", without("10.1.0.0/24"), "s2: no route to 10.1.0.2"),
    "strict reverse path": ("l1", strict, "l1:a2: rp_filter=1 drops packets from 10.2.0.2: the way back is a1; l2: "),
}


@pytest.mark.parametrize("name", FAULTS)
def test_ways_that_differ_by_intent_are_not_blamed_for_what_is_missing_on_one(name: str) -> None:
    """There by one spine and back by the other: a spine that serves both ends is to carry what both send."""
    node, change, words = FAULTS[name]
    lab = load_lab_text(SPINES)
    states = {one.name: declared_state(one, False, lab.routing) for one in lab.nodes}
    live = live_fabric("live", {**states, node: change(states[node])}, lab.links)
    found = explained(live, probe_between(lab, "h1", "h2"))
    assert str(found or "").startswith(words)
    assert bool(found) == bool(words)


def test_the_source_that_a_route_prefers_is_that_of_the_tunnels_packets() -> None:
    """A tunnel without a local address sends from the source of the route to its far end."""
    preferred = ip_address("10.1.0.1")
    route = RouteState(ip_network("0.0.0.0/0"), ip_address("10.9.7.2"), "up.7", src=preferred)
    state = declared_state(lab()["r1"], False, lab().routing)
    routes = frozenset(one for one in state.routes if one.prefix.prefixlen) | {route}
    node = read(r1=replace(state, routes=routes))["r1"]
    assert node.source_towards(ip_address("10.9.8.1")) == preferred
    assert read()["r1"].source_towards(ip_address("10.9.8.1")) == ip_address("10.9.7.1")


def test_the_lab_is_right() -> None:
    """Both directions arrive."""
    ways = (probe_between(lab(), *ends) for ends in (("h1", "h2"), ("h2", "h1")))
    assert [path.end for way in ways for path in expected_journey(read(), way).paths] == [None, None]
