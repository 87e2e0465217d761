"""Interfaces of a Layer 2 domain, and the places where a frame of each kind must be seen."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_interface

import pytest

from tests.self.builders import known_lab, reference, vxlan_lab
from topology.formats.lab import load_lab_text
from topology.isolation.domains import (
    Domain,
    askers,
    domains,
    flooded,
    flooded_from,
    reached,
    transit,
    twins,
    two_in_one_node,
    way,
)
from topology.model import Bridge, Device, Fabric
from topology.refs import PortRef

TENANTS = known_lab("two-tenants")
SMALL = """
lab: small
nodes:
  l1:
    role: leaf
    addresses: {br: 10.0.0.254/24, up: 10.9.0.1/30}
    bridges: {br: [p1, p2], idle: []}
  l2: {role: leaf, addresses: {up: 10.9.0.2/30}}
  c1: {role: customer, addresses: {eth0: 10.0.0.1/24}}
  c2: {role: customer, addresses: {eth0: 10.0.0.2/24}}
links: [[l1:p1, c1:eth0], [l1:p2, c2:eth0], [l1:up, l2:up]]
"""


def ports(text: str) -> frozenset[PortRef]:
    """``"a:x b:y"`` as interfaces."""
    return frozenset(PortRef(*word.split(":")) for word in text.split())


def port(text: str) -> PortRef:
    return PortRef(*text.split(":"))


def domain(fabric: Fabric, name: str) -> Domain:
    return next(found for found in domains(fabric) if str(found) == name)


def test_bridges_that_vxlan_joins_are_one_domain() -> None:
    """The reference lab has two: bridges 1 and 3 with their VTEPs and leaf 1's gateway, and bridge 2 with leaf 2's."""
    one, two = domains(reference())
    assert one.members == ports(
        "con_ns1:bridge1 con_ns1:bridge1_lc1 con_ns1:bridge1_cs1 con_ns1:bridge1_cs2 con_ns1:vxlan-cont"
        " con_ns3:bridge3 con_ns3:bridge3_cs5 con_ns3:vxlan-cont lc1:lc1-bridge1 cs1:cs1_br1 cs2:cs2_br1 cs5:cs5_br3"
    )
    assert two.members == ports(
        "con_ns2:bridge2 con_ns2:bridge2_lc2 con_ns2:bridge2_cs3 con_ns2:bridge2_cs4 lc2:lc2-br2 cs3:cs3-br cs4:cs4-br"
    )
    assert [str(found) for found in (one, two)] == ["VNI-30", "con_ns2:bridge2"]
    assert one.tunnels == {"VXLAN VNI 30 port 4900"}
    assert two.tunnels == frozenset()


def test_stations_are_where_frames_start_and_end() -> None:
    """Customers, routers and a bridge with an address are stations, ports and VTEPs not; a link alone is no domain."""
    assert {str(ref) for ref in domain(reference(), "VNI-30").stations} == {
        "lc1:lc1-bridge1",
        "cs1:cs1_br1",
        "cs2:cs2_br1",
        "cs5:cs5_br3",
    }
    (small,) = domains(load_lab_text(SMALL))
    assert set(small.stations) == ports("l1:br c1:eth0 c2:eth0")
    assert small.members == ports("l1:br l1:p1 l1:p2 c1:eth0 c2:eth0")


def test_two_vnis_of_one_vtep_are_two_domains() -> None:
    """The tenants share leaves and VTEPs, and not one interface."""
    red, blue = domains(TENANTS)
    assert (str(red), str(blue)) == ("VNI-100", "VNI-200")
    assert not red.members & blue.members
    assert {ref.node for ref in red.stations} == {"red1", "red2", "red3"}
    assert {ref.node for ref in blue.stations} == {"blue1", "blue2", "blue3"}


def test_only_broadcasts_and_multicasts_are_for_the_bridges_too() -> None:
    """A frame to an unused MAC is on every port, and at no bridge."""
    red, source = domain(TENANTS, "VNI-100"), port("red1:eth0")
    everywhere = red.members
    assert reached(TENANTS, red, "broadcast", source, source) == everywhere
    assert reached(TENANTS, red, "multicast", source, source) == everywhere
    assert reached(TENANTS, red, "unknown-unicast", source, source) == everywhere - ports("l1:br-red l2:br-red")


@pytest.mark.parametrize(
    ("source", "target", "seen"),
    [
        ("red1:eth0", "red2:eth0", "red1:eth0 l1:l1_red1 l1:l1_red2 red2:eth0"),
        ("red1:eth0", "red3:eth0", "red1:eth0 l1:l1_red1 l1:vx-red l2:vx-red l2:l2_red3 red3:eth0"),
        ("red1:eth0", "blue1:eth0", ""),
    ],
)
def test_a_unicast_goes_one_way(source: str, target: str, seen: str) -> None:
    """Over the bridges' ports and the tunnel between the two stations, and not at all into another domain."""
    assert way(TENANTS, port(source), port(target)) == ports(seen)
    assert way(TENANTS, port(target), port(source)) == ports(seen)


def test_a_bridge_with_an_address_is_a_station_like_others() -> None:
    """A frame to it ends there, one from it leaves by the target's port, and its broadcast by all."""
    fabric = load_lab_text(SMALL)
    assert way(fabric, port("c1:eth0"), port("l1:br")) == ports("c1:eth0 l1:p1 l1:br")
    assert way(fabric, port("l1:br"), port("c2:eth0")) == ports("l1:br l1:p2 c2:eth0")
    assert flooded(fabric, fabric["l1"]["br"]) == ports("l1:br l1:p1 l1:p2 c1:eth0 c2:eth0")
    assert flooded(fabric, fabric["c1"]["eth0"], to_bridges=False) == ports("c1:eth0 l1:p1 l1:p2 c2:eth0")


def test_what_leaves_a_tunnel_reaches_those_behind_it() -> None:
    """A frame that came by VXLAN is bare at that end's bridge and customers, and does not go back."""
    assert flooded_from(TENANTS, TENANTS["l2"]["vx-blue"]) == ports(  # type: ignore[arg-type]
        "l2:vx-blue l2:br-blue l2:l2_blue2 l2:l2_blue3 blue2:eth0 blue3:eth0"
    )


def test_transit_is_the_way_between_the_vteps() -> None:
    """VXLAN passes the leaves and spine 2, in the reference lab through the GRE tunnel; a plain bridge has none."""
    assert transit(reference(), domain(reference(), "VNI-30")) == ports(
        "con_ns1:br1_lc1 lc1:lc1_br1 lc1:gretun-cont lc1:lc1_sc2 sc2:sc2_lc1 sc2:sc2_lc2 lc2:lc2_sc2 lc2:gretun-cont"
        " lc2:lc2_br3 con_ns3:br3_lc2"
    )
    assert transit(reference(), domain(reference(), "con_ns2:bridge2")) == frozenset()
    (only,) = domains(vxlan_lab())
    assert transit(vxlan_lab(), only) == ports(
        "v1:v1_l1 l1:l1_v1 l1:l1_s1 s1:s1_l1 s1:s1_l2 l2:l2_s1 l2:l2_v2 v2:v2_l2"
    )


def test_a_ring_of_bridges_ends() -> None:
    """A frame that would circle for ever is followed once through each bridge."""
    ring = """
lab: ring
nodes:
  a: {role: switch, bridges: {br: [p, q]}}
  b: {role: switch, bridges: {br: [p]}}
links: [[a:p, b:p], [a:q, b:q]]
"""
    # No lab file may have the ring; a foreign fabric may.
    tree = load_lab_text(ring)
    b = tree["b"]
    devices = tuple(replace(d, members=("p", "q")) if isinstance(d, Bridge) else d for d in b.devices)
    (only,) = domains(replace(tree, nodes=(tree["a"], replace(b, devices=devices))))
    assert only.members == ports("a:br a:p a:q b:br b:p b:q")


def test_twins_have_an_address_or_a_mac_in_two_domains() -> None:
    """Each customer of the one tenant has a twin in the other; without overlap there are none."""
    assert [(a.node, b.node) for a, b in twins(TENANTS, domains(TENANTS))] == [
        ("red1", "blue1"),
        ("red2", "blue2"),
        ("red3", "blue3"),
    ]
    assert list(twins(reference(), domains(reference()))) == []


def test_shared_address_is_asked_for_by_a_neighbour() -> None:
    """Each of the two tenants' stations has a twin, and is asked for by another station of its own domain."""
    every = domains(TENANTS)
    for one in every:
        found = askers(TENANTS, every, one)
        assert {owner for _, owner in found} == {*one.stations}
        assert all(source != owner and source in one.stations for source, owner in found)
    assert askers(reference(), domains(reference()), domains(reference())[0]) == []


def test_station_without_an_ipv4_address_is_not_asked_for() -> None:
    """Two tenants that share MACs and IPv6 addresses alone have nothing that ARP (RFC 826) asks for."""

    def in_ipv6(device: Device) -> Device:
        return replace(device, addresses=tuple(ip_interface(f"fd00::{i.ip.packed[-1]:x}/64") for i in device.addresses))

    nodes = (replace(n, devices=tuple(map(in_ipv6, n.devices))) if n.role == "customer" else n for n in TENANTS.nodes)
    lab = replace(TENANTS, nodes=tuple(nodes))
    every = domains(lab)
    assert list(twins(lab, every))
    assert [askers(lab, every, one) for one in every] == [[] for _ in every]


def test_node_with_tunnels_of_two_tenants_is_found_with_both() -> None:
    """A leaf that has a VTEP in each of two tenants' domains; nothing in a lab of one."""
    one, other, mine, others = next(two_in_one_node(domains(TENANTS)))
    assert (str(one), str(other)) == tuple(map(str, domains(TENANTS)))
    assert mine.node == others.node
    assert mine in one.vteps
    assert others in other.vteps
    assert list(two_in_one_node(domains(reference()))) == []
