"""Frames that resemble the reference fabric's VXLAN-in-GRE ping, and are not it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from scapy.contrib.geneve import GENEVE
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, GRE, Dot1AD, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from tests.self.wire.frames import (
    NONCE,
    ether,
    inner,
    middle,
    outer,
    ping,
    reference,
    seen,
    tunnelled,
    udp,
    vxlan,
)
from topology.wire.headers import Vlan
from topology.wire.stack import Stack

PROMISED = Stack(
    Ether()
    / IP(src="26.0.0.2", dst="28.0.0.2", ttl=63)
    / GRE()
    / IP(src="21.0.0.1", dst="23.0.0.1", ttl=63)
    / UDP(dport=4900)
    / VXLAN(vni=30)
    / Ether()
    / IP(src="20.0.0.1", dst="20.0.0.3", ttl=64)
    / ICMP()
    / Raw(NONCE)
)
"""What the spine must carry. Its layers count 0 ether, 1 ipv4, 2 gre, 3 ipv4, 4 udp, 5 vxlan, 6 ether, 7 ipv4, …"""

FRAME = bytes(reference())


@dataclass(frozen=True)
class Lookalike:
    """A frame that must be refused, and the place that must be named for it."""

    name: str
    frame: Any
    where: str
    how: Mapping[str, Any] = field(default_factory=dict)


def patched(offset: int, *octets: int) -> bytes:
    """The reference frame with bytes overwritten at `offset`."""
    return FRAME[:offset] + bytes(octets) + FRAME[offset + len(octets) :]


GRE_AT, MIDDLE_AT, UDP_AT, VXLAN_AT, INNER_AT = 34, 38, 58, 66, 88
CARRIED = vxlan() / ether() / inner() / ping()
TO_LEAF = ether() / outer() / GRE()
SIX = IPv6(src="2001:db8::1", dst="2001:db8::3", hlim=64)
FRAGMENT = Raw(bytes(middle(proto=17, flags="MF") / Raw(bytes(udp() / CARRIED)[:64])))

WRONG_CHAIN = [
    Lookalike(
        "gre inside vxlan",
        ether() / outer() / udp() / vxlan() / ether() / middle() / GRE() / inner() / ping(),
        "layer 2 gre",
    ),
    Lookalike("quoted in an icmp error", ether() / outer() / ICMP(type=3, code=4) / Raw(FRAME[14:]), "layer 2 gre"),
    Lookalike(
        "quoted in an icmp error inside the tunnels",
        TO_LEAF / middle() / udp() / vxlan() / ether() / inner() / ICMP(type=3, code=1) / Raw(NONCE),
        "layer 8 icmp.type",
    ),
    Lookalike("quoted in a redirect", ether() / outer() / ICMP(type=5) / Raw(FRAME[14:]), "layer 2 gre"),
    Lookalike("bare", ether() / inner() / ping(), "layer 1 ipv4.src"),
    Lookalike("bare under the outer addresses", ether() / outer() / ping(), "layer 2 gre"),
    Lookalike("vxlan without gre", ether() / tunnelled(), "layer 1 ipv4.src"),
    Lookalike("vxlan directly between the leaves", ether() / outer() / udp() / CARRIED, "layer 2 gre"),
    Lookalike("gre without vxlan", TO_LEAF / inner() / ping(), "layer 3 ipv4.src"),
    Lookalike("udp without vxlan", TO_LEAF / middle() / UDP(dport=7) / Raw(NONCE), "layer 4 udp.dport"),
    Lookalike("ip in ip instead of gre", ether() / outer(proto=4) / tunnelled(), "layer 2 gre"),
    Lookalike("ip in ip inside gre", TO_LEAF / outer(proto=4) / tunnelled(), "layer 3 ipv4.src"),
    Lookalike("ip in ip under the vteps", TO_LEAF / middle(proto=4) / tunnelled(), "layer 4 udp"),
    Lookalike("gre twice", TO_LEAF / outer() / GRE() / tunnelled(), "layer 3 ipv4.src"),
    Lookalike("ethernet in gre", TO_LEAF / ether() / tunnelled(), "layer 3 ipv4"),
    Lookalike("arp in vxlan", TO_LEAF / middle() / udp() / vxlan() / ether() / ARP(), "layer 7 ipv4"),
    Lookalike(
        "vxlan nested in vxlan",
        TO_LEAF / middle() / udp() / vxlan() / ether() / inner() / udp() / CARRIED,
        "layer 8 icmp",
    ),
    Lookalike("geneve instead of vxlan", TO_LEAF / middle() / UDP(dport=6081) / GENEVE(vni=30) / ether(), "frame"),
    Lookalike("vlan outside", ether() / Dot1Q(vlan=1) / outer() / GRE() / tunnelled(), "layer 1 ipv4"),
    Lookalike("vlan 0 outside", ether() / Dot1Q(vlan=0) / outer() / GRE() / tunnelled(), "layer 1 ipv4"),
    Lookalike("service tag outside", ether() / Dot1AD(vlan=1) / outer() / GRE() / tunnelled(), "layer 1 ipv4"),
    Lookalike("vlan that the kernel moved out", FRAME, "layer 1 ipv4", {"vlan": Vlan(5)}),
    Lookalike(
        "vlan inside",
        TO_LEAF / middle() / udp() / vxlan() / ether() / Dot1Q(vlan=1) / inner() / ping(),
        "layer 7 ipv4",
    ),
    Lookalike("ipv6 inside", TO_LEAF / middle() / udp() / vxlan() / ether() / SIX / Raw(b"x"), "layer 7 ipv4"),
    Lookalike("ipv6 outside", ether() / SIX / GRE() / tunnelled(), "layer 1 ipv4"),
    Lookalike("another ethertype", patched(12, 0x88, 0xB5), "layer 1 ipv4"),
    Lookalike("an 802.3 length", patched(12, 0x00, 0x9E), "layer 1 ipv4"),
    Lookalike("another protocol type in gre", patched(GRE_AT + 2, 0x88, 0xB5), "layer 3 ipv4"),
    Lookalike("another ip protocol", patched(23, 99), "layer 2 gre"),
    Lookalike("no ethernet", FRAME[14:], "layer 0 ether", {"link": False, "ethertype": 0x0800}),
]

WRONG_VALUE = [
    Lookalike("wrong vni", TO_LEAF / middle() / udp() / vxlan(vni=31) / ether() / inner() / ping(), "layer 5 vxlan.vni"),
    Lookalike("vni in the wrong bytes", patched(VXLAN_AT + 4, 0, 30, 0, 0), "layer 5 vxlan.vni"),
    Lookalike("vni in the reserved byte", patched(VXLAN_AT + 4, 0, 0, 0, 30), "layer 5 vxlan.vni"),
    Lookalike("i flag clear", patched(VXLAN_AT, 0x00), "layer 5 vxlan.flags"),
    Lookalike("all flags but the i flag", patched(VXLAN_AT, 0xF7), "layer 5 vxlan.flags"),
    Lookalike("source port 4789", TO_LEAF / middle() / UDP(sport=4789, dport=7) / CARRIED, "layer 4 udp.dport"),
    Lookalike("source port 4900", TO_LEAF / middle() / UDP(sport=4900, dport=7) / CARRIED, "layer 4 udp.dport"),
    Lookalike("another vxlan port", TO_LEAF / middle() / udp(dport=4789) / CARRIED, "layer 4 udp.dport"),
    Lookalike("a port that is vxlan's nowhere", FRAME, "layer 5 vxlan", {"vxlan_ports": frozenset({4789})}),
    Lookalike("outer first fragment", ether() / outer(flags="MF") / GRE() / tunnelled(), "layer 1 ipv4.flags"),
    Lookalike("outer later fragment", ether() / outer(frag=4) / GRE() / tunnelled(), "layer 1 ipv4.frag"),
    Lookalike("first fragment of the vxlan packet", TO_LEAF / FRAGMENT, "layer 3 ipv4.flags"),
    Lookalike("later fragment of the vxlan packet", TO_LEAF / middle(frag=8, proto=17) / CARRIED, "layer 3 ipv4.frag"),
    Lookalike("inner first fragment", patched(INNER_AT + 6, 0x20), "layer 7 ipv4.flags"),
    Lookalike("inner later fragment", patched(INNER_AT + 7, 1), "layer 7 ipv4.frag"),
    Lookalike("gre with a key", ether() / outer() / GRE(key_present=1, key=7) / tunnelled(), "layer 2 gre.key_present"),
    Lookalike("gre with key 0", ether() / outer() / GRE(key_present=1, key=0) / tunnelled(), "layer 2 gre.key_present"),
    Lookalike("gre with a checksum", ether() / outer() / GRE(chksum_present=1) / tunnelled(), "layer 2 gre.chksum_present"),
    Lookalike("gre with sequence numbers", ether() / outer() / GRE(seqnum_present=1) / tunnelled(), "layer 2 gre.seqnum_present"),
    Lookalike("gre with routing", ether() / outer() / GRE(routing_present=1) / tunnelled(), "layer 2 gre.routing_present"),
    Lookalike("gre version 1", patched(GRE_AT, 0x20, 0x01), "layer 2 gre.version"),
    Lookalike("outer addresses swapped", ether() / outer(src="28.0.0.2", dst="26.0.0.2") / GRE() / tunnelled(), "layer 1 ipv4.src"),
    Lookalike("vteps swapped", TO_LEAF / middle(src="23.0.0.1", dst="21.0.0.1") / udp() / CARRIED, "layer 3 ipv4.src"),
    Lookalike(
        "customers swapped",
        TO_LEAF / middle() / udp() / vxlan() / ether() / inner(src="20.0.0.3", dst="20.0.0.1") / ping(),
        "layer 7 ipv4.src",
    ),
    Lookalike("another target", patched(33, 3), "layer 1 ipv4.dst"),
    Lookalike("outer ttl one lower", patched(22, 62), "layer 1 ipv4.ttl"),
    Lookalike("inner ttl one lower", patched(INNER_AT + 8, 63), "layer 7 ipv4.ttl"),
    Lookalike("ip options outside", ether() / outer(options=[b"\x07\x03\x04\x00"]) / GRE() / tunnelled(), "layer 1 ipv4.ihl"),
    Lookalike("another nonce", patched(len(FRAME) - 1, 0), "layer 9 payload.load"),
    Lookalike("payload one byte short", reference_with(NONCE[:-1]) if False else TO_LEAF / middle() / udp() / vxlan() / ether() / inner() / ping(NONCE[:-1]), "layer 9 payload.load"),
    Lookalike("payload one byte long", TO_LEAF / middle() / udp() / vxlan() / ether() / inner() / ping(NONCE + b"\0"), "layer 9 payload.load"),
    Lookalike("no payload", TO_LEAF / middle() / udp() / vxlan() / ether() / inner() / ICMP(), "layer 9 payload"),
    Lookalike("the nonce in the padding", TO_LEAF / middle() / udp() / vxlan() / ether() / inner(len=28) / ping(), "layer 9 payload"),
]
