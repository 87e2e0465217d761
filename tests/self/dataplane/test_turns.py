"""A packet that leaves the way of its answer is blamed on the node that turned it, not on where it ended."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

from reports.diagnosis.explain import explained
from topology.dataplane.live import live_fabric
from topology.expected import expected_journey, probe_between
from topology.formats.lab import load_lab_text
from topology.model import Fabric
from topology.state import NodeState, RouteState, declared_state

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


def live(**changed: NodeState) -> Fabric:
    """The lab as it is read, some nodes changed."""
    states = {node.name: declared_state(node, False, lab().routing) for node in lab().nodes}
    return live_fabric("live", {**states, **changed}, lab().links)


def test_a_missing_route_is_blamed_and_not_the_router_that_the_packet_strays_to() -> None:
    """The router behind the VLAN drops for want of a way back, or on: neither is its fault."""
    state = declared_state(lab()["r2"], False, lab().routing)
    without = replace(state, routes=frozenset(one for one in state.routes if one.dev != "g"))
    core = declared_state(lab()["core"], False, lab().routing)
    loose = replace(core, sysctls={**core.sysctls, "net.ipv4.conf.all.rp_filter": "2"})
    found = explained(live(r2=without, core=loose), probe_between(lab(), "h1", "h2"))
    assert found is not None
    assert (found.node, found.live) == ("r2", "default via 10.9.8.2 dev up.8")
    assert found.wanted == "g, by which the other direction comes"


def test_the_source_that_a_route_prefers_is_that_of_the_tunnels_packets() -> None:
    """A tunnel without a local address sends from the source of the route to its far end."""
    preferred = ip_address("10.1.0.1")
    route = RouteState(ip_network("0.0.0.0/0"), ip_address("10.9.7.2"), "up.7", src=preferred)
    state = declared_state(lab()["r1"], False, lab().routing)
    routes = frozenset(one for one in state.routes if one.prefix.prefixlen) | {route}
    node = live(r1=replace(state, routes=routes))["r1"]
    assert node.source_towards(ip_address("10.9.8.1")) == preferred
    assert live()["r1"].source_towards(ip_address("10.9.8.1")) == ip_address("10.9.7.1")


def test_the_lab_is_right() -> None:
    """Both directions arrive."""
    ways = (probe_between(lab(), *ends) for ends in (("h1", "h2"), ("h2", "h1")))
    assert [path.end for way in ways for path in expected_journey(live(), way).paths] == [None, None]
