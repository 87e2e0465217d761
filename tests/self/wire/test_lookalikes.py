"""Frames that resemble the reference fabric's VXLAN-in-GRE ping, and are not it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import eq, ne
from typing import Any

import pytest
from scapy.contrib.geneve import GENEVE
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import ARP, GRE, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Padding, Raw

from tests.self.wire.frames import (
    NONCE,
    ether,
    inner,
    middle,
    outer,
    ping,
    reference,
    seen,
    udp,
    vxlan,
    vxlan_packet,
)
from topology.wire.headers import Headers, Vlan
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
"""What a spine carries: 0 ether, 1 ipv4, 2 gre, 3 ipv4, 4 udp, 5 vxlan, 6 ether, 7 ipv4, 8 icmp, 9 bytes."""

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
QUOTE = Raw(FRAME[14:])
TUNNELLED = vxlan_packet()
ARP_FRAME = ether() / ARP()
CARRIED = vxlan() / ether() / inner() / ping()
SIX = IPv6(src="2001:db8::1", dst="2001:db8::3", hlim=64)
GRE_IN_VXLAN = udp() / vxlan() / ether() / middle() / GRE() / inner() / ping()
TO_GENEVE = {"udp": UDP(sport=1, dport=6081), "vxlan": GENEVE(vni=30, proto=0x6558)}
FIRST = middle(proto=17, flags="MF") / Raw(bytes(udp() / CARRIED)[:64])
OPTIONS = [b"\x07\x03\x04\x00"]

WRONG_CHAIN = [
    Lookalike("gre-inside-vxlan", ether() / outer() / GRE_IN_VXLAN, "header 3 gre"),
    Lookalike("quoted-in-an-icmp-error", ether() / outer() / ICMP(type=3, code=4) / QUOTE, "header 3 gre"),
    Lookalike("error-in-the-tunnels", reference(message=ICMP(type=3) / Raw(NONCE)), "header 9 icmp.type"),
    Lookalike("bare", ether() / inner() / ping(), "header 2 ipv4.src"),
    Lookalike("bare-between-the-leaves", ether() / outer() / ping(), "header 3 gre"),
    Lookalike("vxlan-only", ether() / TUNNELLED, "header 2 ipv4.src"),
    Lookalike("vxlan-between-the-leaves", ether() / outer() / udp() / CARRIED, "header 3 gre"),
    Lookalike("gre-only", ether() / outer() / GRE() / inner() / ping(), "header 4 ipv4.src"),
    Lookalike("udp-without-vxlan", ether() / outer() / GRE() / middle() / UDP(dport=7), "header 5 udp.dport"),
    Lookalike("ipip-instead-of-gre", ether() / outer(proto=4) / TUNNELLED, "header 3 gre"),
    Lookalike("ethernet-in-gre", ether() / outer() / GRE() / ether() / TUNNELLED, "header 4 ipv4"),
    Lookalike("arp-in-vxlan", ether() / outer() / GRE() / middle() / udp() / vxlan() / ARP_FRAME, "header 8 ipv4"),
    Lookalike("vxlan-nested-in-vxlan", reference(message=udp() / CARRIED), "header 9 icmp"),
    Lookalike("udp-instead-of-icmp", reference(message=UDP(sport=1, dport=7) / Raw(NONCE)), "header 9 icmp"),
    Lookalike("geneve-instead-of-vxlan", reference(**TO_GENEVE), "header 5 udp.dport"),
    Lookalike("vlan-outside", ether() / Dot1Q(vlan=1) / outer() / GRE() / TUNNELLED, "header 2 ipv4"),
    Lookalike("vlan-that-the-kernel-moved-out", FRAME, "header 2 ipv4", {"vlan": Vlan(5)}),
    Lookalike("vlan-inside", reference(ether=ether() / Dot1Q(vlan=1)), "header 8 ipv4"),
    Lookalike("ipv6-inside", reference(inner=SIX, message=ICMPv6EchoRequest(data=NONCE)), "header 8 ipv4"),
    Lookalike("ipv6-vteps", reference(middle=SIX), "header 4 ipv4"),
    Lookalike("another-ethertype", patched(12, 0x88, 0xB5), "header 2 ipv4"),
    Lookalike("an-802.3-length", patched(12, 0x00, 0x9E), "header 2 ipv4"),
    Lookalike("another-protocol-type-in-gre", patched(GRE_AT + 2, 0x88, 0xB5), "header 4 ipv4"),
    Lookalike("no-ethernet", FRAME[14:], "header 1 ether", {"link": False, "ethertype": 0x0800}),
    Lookalike("no-payload", reference(message=ICMP(type=8)), "header 10 payload"),
    Lookalike("nonce-in-the-padding", reference(inner=inner(len=28)), "header 10 payload"),
    Lookalike("port-that-is-not-vxlan's", FRAME, "header 6 vxlan", {"ports": {"vxlan": frozenset({4789})}}),
]

WRONG_VALUE = [
    Lookalike("wrong-vni", reference(vxlan=vxlan(vni=31)), "header 6 vxlan.vni"),
    Lookalike("vni-in-the-high-bytes", patched(VXLAN_AT + 4, 0, 30, 0, 0), "header 6 vxlan.vni"),
    Lookalike("i-flag-clear", patched(VXLAN_AT, 0x00), "header 6 vxlan.flags"),
    Lookalike("source-port-4789", reference(udp=udp(sport=4789, dport=7)), "header 5 udp.dport"),
    Lookalike("another-vxlan-port", reference(udp=udp(dport=4789)), "header 5 udp.dport"),
    Lookalike("outer-first-fragment", reference(outer=outer(flags="MF")), "header 2 ipv4.flags"),
    Lookalike("vxlan-first-fragment", ether() / outer() / GRE() / FIRST, "header 4 ipv4.flags"),
    Lookalike("vxlan-later-fragment", reference(middle=middle(frag=8)), "header 4 ipv4.frag"),
    Lookalike("inner-later-fragment", patched(INNER_AT + 7, 1), "header 8 ipv4.frag"),
    Lookalike("gre-with-key", reference(gre=GRE(key_present=1, key=7)), "header 3 gre.key"),
    Lookalike("gre-with-checksum", reference(gre=GRE(chksum_present=1)), "header 3 gre.chksum_present"),
    Lookalike("gre-with-sequence", reference(gre=GRE(seqnum_present=1)), "header 3 gre.seqnum_present"),
    Lookalike("gre-with-routing", reference(gre=GRE(routing_present=1)), "header 3 gre.routing_present"),
    Lookalike("gre-version-1", patched(GRE_AT, 0x20, 0x01), "header 3 gre.version"),
    Lookalike("outer-swapped", reference(outer=outer(src="28.0.0.2", dst="26.0.0.2")), "header 2 ipv4.src"),
    Lookalike("customers-swapped", reference(inner=inner(src="20.0.0.3", dst="20.0.0.1")), "header 8 ipv4.src"),
    Lookalike("another-leaf", patched(33, 3), "header 2 ipv4.dst"),
    Lookalike("outer-ttl-one-lower", patched(22, 62), "header 2 ipv4.ttl"),
    Lookalike("inner-ttl-one-lower", patched(INNER_AT + 8, 63), "header 8 ipv4.ttl"),
    Lookalike("outer-ip-options", reference(outer=outer(options=OPTIONS)), "header 2 ipv4.ihl"),
    Lookalike("another-nonce", patched(len(FRAME) - 1, 0), "header 10 payload.load"),
    Lookalike("payload-one-byte-short", reference(message=ping(NONCE[:-1])), "header 10 payload.load"),
    Lookalike("payload-one-byte-long", reference(message=ping(NONCE + b"\0")), "header 10 payload.load"),
]

MALFORMED = [
    *(Lookalike(f"truncated-at-{size}", FRAME[:size], "frame") for size in range(0, len(FRAME), 9)),
    Lookalike("outer-length-too-long", patched(16, 0xFF, 0xFF), "frame"),
    Lookalike("outer-length-under-its-header", patched(16, 0, 19), "frame"),
    Lookalike("middle-length-too-short", patched(MIDDLE_AT + 2, 0, 40), "frame"),
    Lookalike("inner-length-too-long", patched(INNER_AT + 2, 0, 85), "frame"),
    Lookalike("udp-length-too-long", patched(UDP_AT + 4, 0, 200), "frame"),
    Lookalike("udp-length-too-short", patched(UDP_AT + 4, 0, 60), "frame"),
    Lookalike("ip-version-5", patched(14, 0x55), "frame"),
    Lookalike("ip-version-6-under-ipv4's-ethertype", patched(14, 0x65), "frame"),
    Lookalike("ihl-15-inside", reference(message=Raw(b""), inner=inner(ihl=15)), "frame"),
    Lookalike("gre-version-2", patched(GRE_AT, 0, 2), "frame"),
    Lookalike("network-header-further-on", FRAME, "frame", {"start": 18}),
]

LOOKALIKES = [*WRONG_CHAIN, *WRONG_VALUE, *MALFORMED]


def compared(headers: Headers, stack: Stack) -> set[bool]:
    """Results of == and !=, from either side."""
    return {eq(headers, stack), eq(stack, headers), not ne(headers, stack), not ne(stack, headers)}


@pytest.mark.parametrize("lookalike", LOOKALIKES, ids=[lookalike.name for lookalike in LOOKALIKES])
def test_a_lookalike_is_refused_where_it_departs(lookalike: Lookalike) -> None:
    """A frame that is not the promised one is refused on either side of ==, at the place where it departs."""
    headers = seen(lookalike.frame, **lookalike.how)
    assert compared(headers, PROMISED) == {False}
    where, _, rest = str(PROMISED.mismatch(headers)).partition(" - ")
    assert where == lookalike.where
    assert " - expected " in rest
    assert " - seen " in rest


SAME = {
    "as-promised": (FRAME, {}),
    "network-header-at-14": (FRAME, {"start": 14}),
    "padded": (FRAME + bytes(7), {}),
    "padded-inside": (reference(message=ping() / Padding(bytes(6))), {}),
    "other-macs": (bytes(range(12)) + FRAME[12:], {}),
    "other-udp-source-port": (reference(udp=udp(sport=4789)), {}),
    "no-udp-checksum": (reference(udp=udp(chksum=0)), {}),
    "df-everywhere": (reference(outer=outer(flags="DF"), inner=inner(flags="DF")), {}),
    "other-tos-and-id": (reference(outer=outer(tos=0xB8, id=9), middle=middle(id=77)), {}),
    "reserved-vxlan-bits": (reference(vxlan=vxlan(reserved1=5, reserved2=6)), {}),
    "other-vxlan-flags-beside-i": (patched(VXLAN_AT, 0x88), {}),
    "echo-reply": (reference(message=ICMP(type=0) / Raw(NONCE)), {}),
    "wrong-ip-checksum": (patched(24, 0, 0), {}),
}


@pytest.mark.parametrize(("frame", "how"), SAME.values(), ids=SAME.keys())
def test_what_the_pattern_leaves_open_may_differ(frame: Any, how: dict[str, Any]) -> None:
    """A frame with the promised chain and values matches, whatever its other fields are."""
    headers = seen(frame, **how)
    assert PROMISED.mismatch(headers) is None
    assert compared(headers, PROMISED) == {True}
