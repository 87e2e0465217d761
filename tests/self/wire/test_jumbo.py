"""Packets whose IP header says a length of 0: jumbograms, and what was captured before a device has segmented it."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.contrib.geneve import GENEVE
from scapy.layers.inet import TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import GRE, Dot1Q
from scapy.packet import Raw

from reports.evidence import Sighting
from tests.self.wire.frames import ether, inner, middle, outer, seen, udp, vxlan

BIG = bytes(70_000)
SMALL = bytes(3_000)
TCP_BYTES = 20


def six(**fields: Any) -> Any:
    """An IPv6 header that says nothing of its length."""
    return IPv6(**{"src": "2001:db8::1", "dst": "2001:db8::2", "plen": 0, **fields})


def tcp(load: bytes) -> Any:
    return TCP(sport=40000, dport=80) / Raw(load)


def jumbo(length: int, following: int = 6) -> Any:
    """A hop-by-hop header with nothing but the jumbo option (RFC 2675, section 2)."""
    return Raw(bytes([following, 0, 0xC2, 4]) + length.to_bytes(4))


def jumbogram(load: bytes, length: int | None = None, **fields: Any) -> Any:
    """A TCP segment as BIG TCP shows it to a tap."""
    said = 8 + TCP_BYTES + len(load) if length is None else length
    return six(nh=0, **fields) / jumbo(said) / Raw(bytes(tcp(load)))


OFFLOADED = {
    "IPv6 without the option": (ether() / six(nh=6) / tcp(BIG), ("ether", "ipv6", "tcp")),
    "IPv6 behind a tag": (ether() / Dot1Q(vlan=5) / six(nh=6) / tcp(BIG), ("ether", "dot1q", "ipv6", "tcp")),
    "IPv4": (ether() / inner(len=0) / tcp(BIG), ("ether", "ipv4", "tcp")),
    "a jumbogram": (ether() / jumbogram(BIG), ("ether", "ipv6", "tcp")),
    "inside VXLAN": (
        ether() / middle(len=0) / udp(len=0) / vxlan() / ether() / jumbogram(BIG),
        ("ether", "ipv4", "udp", "vxlan", "ether", "ipv6", "tcp"),
    ),
    "inside Geneve over IPv6": (
        ether() / six(nh=17) / UDP(dport=6081, len=0) / GENEVE(vni=9, proto=0x6558) / ether() / inner(len=0) / tcp(BIG),
        ("ether", "ipv6", "udp", "geneve", "ether", "ipv4", "tcp"),
    ),
    "UDP with the low 16 bits of its length": (
        ether() / inner(len=0) / UDP(sport=1, dport=7, len=(8 + len(BIG)) & 0xFFFF) / Raw(BIG),
        ("ether", "ipv4", "udp"),
    ),
}


@pytest.mark.parametrize("name", OFFLOADED)
def test_length_of_0_reaches_to_the_end_of_the_frame(name: str) -> None:
    """All headers and the payload of a packet that 16 bits cannot measure are read, and nothing is wrong with it."""
    packet, layers = OFFLOADED[name]
    headers = seen(packet)
    assert headers.layers == (*layers, "payload")
    assert headers.payload == BIG
    assert (headers.problems, headers.padding) == ((), 0)


WRONG = {
    "IPv6": (
        ether() / six(nh=58) / Raw(bytes(99)),
        "icmp at offset 54: its header needs 8 bytes, 0 are there",
    ),
    "IPv4": (
        ether() / inner(len=0, frag=9, proto=6) / Raw(SMALL),
        "ipv4 at offset 14: its length field says 0 bytes, its header alone has 20",
    ),
    "UDP": (
        ether() / inner() / UDP(dport=7, len=0) / Raw(bytes(99)),
        "udp at offset 34: its length field says 0 bytes, 107 are there",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_length_of_0_of_a_short_packet_is_a_problem(name: str) -> None:
    """A packet that 16 bits can measure must state its length."""
    packet, problem = WRONG[name]
    assert seen(packet).problems == (problem,)


def test_sighting_without_a_length_states_none() -> None:
    """A header without a length gives none of the lengths that tcpdump prints."""
    frame = bytes(ether() / outer(len=0) / GRE() / middle(len=0) / udp(len=0) / vxlan() / ether() / jumbogram(BIG))
    sighting = Sighting("a", "a0", "in", 0, 0, len(frame), frame, seen(frame))
    assert sighting.headers.problems == ()
    assert (sighting.udp_length, sighting.gre_length) == (None, None)
