"""Packets of each tenant are carried as the tenant's type promises. Needs ``--tenants``."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import GRE, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw

from fixtures.instruments.live import LiveFabric
from reports.judge.trip import Leg, Trip
from topology.model import Gre, Port, Vxlan
from topology.packet import DEFAULT_TTL
from topology.promises import Pair, Tenant
from topology.refs import PortRef
from topology.wire.stack import Stack

pytestmark = [pytest.mark.tenants, pytest.mark.overlay]


@pytest.fixture
def pair(tenant: Tenant) -> Pair:
    """The tenant's pair: trips are made between its addresses."""
    return tenant.pair


def ways(tenant: Tenant, trip: Trip) -> tuple[tuple[Leg, Tenant], tuple[Leg, Tenant]]:
    """The request and the tenant, then the answer and the tenant as the target sees it."""
    return (trip.out, tenant), (trip.back, tenant.reversed)


def inner(leg: Leg, tenant: Tenant, lowered: int) -> Packet:
    """The customer's packet, with the TTL that so many routed hops leave it."""
    sent = leg.journey.sightings[0].packet
    ip = IP(src=str(tenant.pair.src), dst=str(tenant.pair.dst), ttl=DEFAULT_TTL - lowered)
    return ip / ICMP(type=sent[ICMP].type, id=sent[ICMP].id, seq=sent[ICMP].seq) / Raw(sent[Raw].load)


def far_end(fabric: LiveFabric, near: PortRef) -> PortRef:
    """The other end of a port's link."""
    port = fabric[near.node][near.interface]
    assert isinstance(port, Port)
    return port.peer


def frame_between(fabric: LiveFabric, near: PortRef, far: PortRef) -> Packet:
    """The Ethernet header of a frame from a port to another."""
    return Ether(src=fabric[near.node][near.interface].mac, dst=fabric[far.node][far.interface].mac)


@pytest.mark.kinds("bridge")
def test_bridge_stays_on_its_leaf(tenant: Tenant, arrived: Trip, fabric: LiveFabric) -> None:
    """A bridged packet is seen at no leaf and no spine; its frame arrives unchanged, with the same MACs and TTL."""
    routers = [*fabric.declared.role("leaf"), *fabric.declared.role("spine")]
    for leg, way in ways(tenant, arrived):
        ends = (PortRef(way.pair.source, way.port), PortRef(way.pair.target, way.port))
        frame = Stack(frame_between(fabric, *ends) / inner(leg, way, lowered=0))
        assert leg.at(ends[0].node, ends[0].interface, "out") == frame
        assert leg.at(ends[1].node, ends[1].interface, "in") == frame
        assert leg.frame_unchanged
        assert [found for node in routers if not (found := leg.silent_at(node.name))] == []


@pytest.mark.kinds("l2-overlay")
def test_vxlan_carries_the_frame_under_its_own_vni(tenant: Tenant, arrived: Trip, fabric: LiveFabric) -> None:
    """On the leaf-spine links the Ethernet frame that was sent is in VXLAN, unchanged, under the row's own VNI."""
    for leg, way in ways(tenant, arrived):
        near, far = (fabric[ref.node][ref.interface] for ref in way.tunnel)
        assert isinstance(near, Vxlan)
        assert isinstance(far, Vxlan)
        assert {vxlan.ref for vxlan in fabric.declared.all(Vxlan) if vxlan.vni == near.vni} == {near.ref, far.ref}
        outer = Ether() / IP(src=str(near.local), dst=str(far.local)) / UDP(dport=near.port) / VXLAN(vni=near.vni)
        for port in way.crossing:
            assert leg.at(port.node, port.interface) == Stack(outer / leg.journey.sightings[0].packet)
        assert leg.never_bare(on=fabric.spine_links)
        assert leg.frame_unchanged


@pytest.mark.kinds("l3-overlay")
def test_gre_carries_the_packet_under_its_own_key(tenant: Tenant, arrived: Trip, fabric: LiveFabric) -> None:
    """On the leaf-spine links the IP packet is in GRE, between the leaves' tunnel ends, under the row's own key."""
    for leg, way in ways(tenant, arrived):
        near, far = (fabric[ref.node][ref.interface] for ref in way.tunnel)
        assert isinstance(near, Gre)
        assert isinstance(far, Gre)
        assert (near.node, far.node, near.key, far.key) == (*way.leaves, way.number, way.number)
        ends = IP(src=str(near.local), dst=str(far.local), proto=47)
        wrapped = Ether() / ends / GRE(key_present=1, key=way.number, proto=0x0800) / inner(leg, way, lowered=1)
        for port in way.crossing:
            assert leg.at(port.node, port.interface) == Stack(wrapped)
        assert leg.never_bare(on=fabric.spine_links)


@pytest.mark.kinds("routed")
def test_l3_is_bare_and_rewritten_at_each_routed_hop(tenant: Tenant, arrived: Trip, fabric: LiveFabric) -> None:
    """A routed packet has no header but its own; each hop lowers its TTL and gives it the next link's MACs."""
    for leg, way in ways(tenant, arrived):
        up, down = way.crossing
        customer, leaf = PortRef(way.pair.source, way.port), PortRef(way.leaves[1], way.port)
        for lowered, near in enumerate((customer, far_end(fabric, up), down, leaf)):
            far = far_end(fabric, near)
            bare = Stack(frame_between(fabric, near, far) / inner(leg, way, lowered))
            assert leg.at(near.node, near.interface, "out") == bare
            assert leg.at(far.node, far.interface, "in") == bare
        assert len(leg.journey.sightings) == 8
