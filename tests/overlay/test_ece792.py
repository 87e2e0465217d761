"""The reference lab alone: what its report shows, spelled out. Not collected for any other lab."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from scapy.config import conf

conf.route_autoload = conf.route6_autoload = False  # a header needs no route of this machine

from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import GRE, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw

from fixtures.instruments.frames import send_frames
from fixtures.instruments.live import LiveFabric
from fixtures.underlay import Underlay
from reports.evidence import Journey
from reports.judge.isolation import FrameSeen
from reports.judge.trip import Trip
from topology.errors import NotProven
from topology.isolation.domains import domains, flooded
from topology.model import Gre
from topology.wire.stack import Stack

pytestmark = [pytest.mark.overlay, pytest.mark.usefixtures("ece792")]
OUTER = ("ether", "ipv4", "gre")
CUSTOMER = ("ipv4", "icmp", "payload")


@pytest.fixture
def reach(request: pytest.FixtureRequest, underlay: Underlay, journey: Callable[..., Trip]) -> Callable[..., Trip]:
    """Makes a trip for claims about a packet that arrived; they are not proven while its way is broken."""

    def make(source: str, target: str) -> Trip:
        if reason := underlay.broken_between(source, target, request.node):
            raise NotProven(f"the underlay is broken: {reason}")
        trip = journey(source, target)
        if not (reached := trip.arrived):
            raise NotProven(f"{source} does not reach {target}: {reached.cause or reached}")
        return trip

    return make


@pytest.fixture
def l2(reach: Callable[..., Trip]) -> Trip:
    """cs1 to cs5, the Layer 2 overlay."""
    return reach("cs1", "cs5")


@pytest.fixture
def l3(reach: Callable[..., Trip]) -> Trip:
    """cs1 to cs4, the Layer 3 overlay."""
    return reach("cs1", "cs4")


@pytest.fixture
def hairpin(reach: Callable[..., Trip]) -> Trip:
    """cs5 to cs4, through leaf 1."""
    return reach("cs5", "cs4")


def tunnel(fabric: LiveFabric, leaf: str) -> Gre:
    """The leaf's end of the lab's own tunnel; tenants may have brought others."""
    device = fabric[leaf]["gretun-cont"]
    assert isinstance(device, Gre)
    return device


def arp(fabric: LiveFabric, source: str, target: str) -> list[Journey]:
    """A request for a customer's address by another one of its domain, and the answer."""
    lab, (asker, owner) = fabric.declared, (fabric[name].addresses[fabric[name].address] for name in (source, target))
    domain = next(domain for domain in domains(lab) if {asker.ref, owner.ref} <= {*domain.stations})
    there, back = domain.members, flooded(lab, owner, to_bridges=False)
    request = FrameSeen(domain, asker.ref, "broadcast", there, frozenset(), target=owner.ref)
    answer = FrameSeen(domain, owner.ref, "unknown-unicast", back, frozenset(), asker=asker.ref)
    seen = send_frames(fabric, [request, answer])
    ends = ((request, source, target), (answer, target, source))
    return [Journey(start, end, "arp", seen[one].sightings) for one, start, end in ends]


def vxlan_in_gre(fabric: LiveFabric, frame: Packet) -> Packet:
    """A frame from bridge 1 to bridge 3 as the leaf-spine links must carry it."""
    gre1, gre2, vtep1, vtep2 = tunnel(fabric, "lc1"), tunnel(fabric, "lc2"), fabric["con_ns1"], fabric["con_ns3"]
    return (
        Ether()
        / IP(src=str(gre1.local), dst=str(gre2.local))
        / GRE()
        / IP(src=str(vtep1.vtep), dst=str(vtep2.vtep))
        / UDP(dport=vtep1.vxlan.port)
        / VXLAN(vni=vtep1.vxlan.vni)
        / frame
    )


def test_spine_carries_l2_overlay_as_vxlan_inside_gre(fabric: LiveFabric, l2: Trip) -> None:
    """A frame between bridge 1 and bridge 3 crosses the spine as VXLAN inside GRE, unchanged, and never
    unencapsulated.
    """
    wrapped = vxlan_in_gre(fabric, l2.frame)
    assert l2.at("sc2", "sc2_lc1") == Stack(wrapped)
    assert l2.at("sc2", "sc2_lc2") == Stack(wrapped)
    assert l2.never_bare(on=fabric.spine_links)


def test_vtep_sends_vxlan_without_gre(fabric: LiveFabric, l2: Trip) -> None:
    """Between a VTEP and its leaf the frame is inside VXLAN only, at both ends of the fabric."""
    vtep1, vtep2 = fabric["con_ns1"], fabric["con_ns3"]
    outer = Ether() / IP(src=str(vtep1.vtep), dst=str(vtep2.vtep)) / UDP(dport=vtep1.vxlan.port)
    wrapped = outer / VXLAN(vni=vtep1.vxlan.vni) / l2.frame
    assert l2.at("lc1", "lc1_br1") == Stack(wrapped)
    assert l2.at("lc2", "lc2_br3") == Stack(wrapped)


def test_tunnel_device_shows_no_ethernet_header(fabric: LiveFabric, l3: Trip) -> None:
    """On the GRE device the packet is plain IP: the customers' addresses, the TTL one lower, no Ethernet header."""
    source, target = fabric["cs1"].address, fabric["cs4"].address
    inner = IP(src=str(source), dst=str(target), ttl=63) / ICMP(type=8) / Raw(l3.payload)
    seen = l3.at("lc1", "gretun-cont", "out")
    assert seen == Stack(inner)


def test_spine_carries_l3_overlay_as_ip_inside_gre(fabric: LiveFabric, l3: Trip) -> None:
    """A packet from bridge 1 to bridge 2 crosses the spine as IP inside GRE."""
    gre1, gre2 = tunnel(fabric, "lc1"), tunnel(fabric, "lc2")
    source, target = fabric["cs1"].address, fabric["cs4"].address
    outer = Ether() / IP(src=str(gre1.local), dst=str(gre2.local), proto=47) / GRE(proto=0x0800)
    wrapped = outer / IP(src=str(source), dst=str(target), ttl=63) / ICMP(type=8) / Raw(l3.payload)
    assert l3.at("sc2", "sc2_lc1") == Stack(wrapped)


def test_lengths_are_those_of_the_captures(l2: Trip, l3: Trip) -> None:
    """A ping's lengths come out as tcpdump prints them: UDP 106 and GRE 138 for VXLAN in GRE, GRE 88 for plain GRE."""
    assert l2.sighting("lc1", "lc1_br1").udp_length == 106
    assert l2.sighting("sc2", "sc2_lc1").gre_length == 138
    assert l2.sighting("lc2", "lc2_sc2").gre_length == 138
    assert l2.sighting("lc2", "lc2_br3").udp_length == 106
    assert l3.sighting("sc2", "sc2_lc1").gre_length == 88


def test_arp_crosses_the_overlay_in_50_bytes(fabric: LiveFabric, l2: Trip) -> None:
    """An ARP request from bridge 1 reaches bridge 3 as 50 bytes of UDP: VXLAN, Ethernet and ARP, and is answered."""
    request, answer = arp(fabric, "cs1", "cs5")
    assert request.sighting("lc1", "lc1_br1").udp_length == 50
    assert request.sighting("lc2", "lc2_br3").udp_length == 50
    assert request.arrived
    assert answer.arrived


@pytest.mark.parametrize("target", ["cs3", "cs4", "cs5"])
def test_spine_1_carries_nothing(reach: Callable[..., Trip], target: str) -> None:
    """No customer's packet passes spine 1."""
    assert reach("cs1", target).silent_at("sc1")


def test_ttl_is_64_on_layer_2_and_62_on_layer_3(l2: Trip, l3: Trip, hairpin: Trip) -> None:
    """A ping arrives with TTL 64 at cs5, with 62 at cs4, and with 62 after the hairpin from cs5 to cs4."""
    assert l2.sighting("cs5", "cs5_br3", "in").ttl == 64
    assert l3.sighting("cs4", "cs4-br", "in").ttl == 62
    assert hairpin.sighting("cs4", "cs4-br", "in").ttl == 62


def test_hairpin_crosses_the_fabric_twice(hairpin: Trip) -> None:
    """From cs5 to cs4 the packet reaches leaf 1 as VXLAN in GRE, is routed there, and comes back in plain GRE."""
    assert hairpin.sighting("sc2", "sc2_lc2", "in").layers == (
        *OUTER,
        "ipv4",
        "udp",
        "vxlan",
        "ether",
        *CUSTOMER,
    )
    assert hairpin.sighting("sc2", "sc2_lc1", "in").layers == (*OUTER, *CUSTOMER)
