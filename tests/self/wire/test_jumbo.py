"""Packets whose IP header says a length of 0: jumbograms, and what was captured before a device has segmented it."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.contrib.geneve import GENEVE
from scapy.layers.inet import TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import GRE, Dot1Q
from scapy.packet import Raw

from reports.evidence import Sighting
from tests.self.wire.frames import ether, inner, middle, outer, seen, udp, vxlan
from topology.wire.headers import Vlan

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
    "IPv6 without the option": (ether() / six(nh=6) / tcp(SMALL), ("ether", "ipv6", "tcp")),
    "IPv6 behind a tag": (ether() / Dot1Q(vlan=5) / six(nh=6) / tcp(SMALL), ("ether", "dot1q", "ipv6", "tcp")),
    "IPv6 with another extension": (
        ether() / six(nh=60) / Raw(b"\x06\x00" + bytes(6) + bytes(tcp(SMALL))),
        ("ether", "ipv6", "tcp"),
    ),
    "IPv4": (ether() / inner(len=0) / tcp(SMALL), ("ether", "ipv4", "tcp")),
    "a jumbogram": (ether() / jumbogram(BIG), ("ether", "ipv6", "tcp")),
    "inside VXLAN": (
        ether() / middle(len=0) / udp(len=0) / vxlan() / ether() / jumbogram(BIG),
        ("ether", "ipv4", "udp", "vxlan", "ether", "ipv6", "tcp"),
    ),
    "inside VXLAN, its outer lengths right": (
        ether() / middle() / udp() / vxlan() / ether() / six(nh=6) / tcp(SMALL),
        ("ether", "ipv4", "udp", "vxlan", "ether", "ipv6", "tcp"),
    ),
    "inside Geneve over IPv6": (
        ether() / six(nh=17) / UDP(dport=6081, len=0) / GENEVE(vni=9, proto=0x6558) / ether() / inner(len=0) / tcp(BIG),
        ("ether", "ipv6", "udp", "geneve", "ether", "ipv4", "tcp"),
    ),
}


@pytest.mark.parametrize("name", OFFLOADED)
def test_length_of_0_reaches_to_the_end_of_the_frame(name: str) -> None:
    """All headers and the payload of a large segment are read, and nothing is wrong with it."""
    packet, layers = OFFLOADED[name]
    headers = seen(packet)
    assert headers.layers == (*layers, "payload")
    assert headers.payload in (SMALL, BIG)
    assert (headers.problems, headers.padding) == ((), 0)


def test_jumbo_option_is_a_field_and_bounds_its_packet() -> None:
    """The packet ends where the option says; bytes behind it are not part of it."""
    headers = seen(bytes(ether() / jumbogram(BIG)) + b"behind")
    assert (headers[1]["plen"], headers[1]["jumbo"], headers[1]["ext"]) == (0, 8 + TCP_BYTES + len(BIG), "hop-by-hop")
    assert (headers[1].length, headers.payload, headers.padding, headers.problems) == (48, BIG, 6, ())


def test_jumbo_option_is_found_among_others() -> None:
    """Padding and unknown options may stand before it."""
    options = b"\x06\x02" + b"\x01\x02\0\0" + b"\x00\x00" + b"\x3e\x02ab" + b"\xc2\x04" + (24 + 20 + 70_000).to_bytes(4)
    headers = seen(ether() / six(nh=0) / Raw(options + bytes(6)) / Raw(bytes(tcp(BIG))))
    assert (headers[1]["jumbo"], headers.layers[2], headers.problems) == (24 + 20 + 70_000, "tcp", ())


@pytest.mark.parametrize("low_bits", [False, True])
def test_udp_in_a_jumbogram_may_say_0_or_the_low_16_bits(low_bits: bool) -> None:
    """A length that 16 bits cannot hold is left out (RFC 2675, section 4), or cut to them by Linux."""
    there = 8 + len(BIG)
    datagram = UDP(sport=1, dport=7, len=there & 0xFFFF if low_bits else 0) / Raw(BIG)
    headers = seen(ether() / six(nh=0) / jumbo(8 + there, 17) / Raw(bytes(datagram)))
    assert (headers.layers[2:], headers.payload, headers.problems) == (("udp", "payload"), BIG, ())


def fragment(more: int = 1, following: int = 6) -> bytes:
    return bytes([following, 0, 0, more]) + bytes(4)


WRONG = {
    "jumbo option and a length": (
        ether() / six(plen=8 + TCP_BYTES + 99, nh=0) / jumbo(70_000) / Raw(bytes(tcp(bytes(99)))),
        "ipv6 at offset 14: its length field says 127 bytes, its jumbo option 70000",
    ),
    "jumbo option that is too small": (
        ether() / jumbogram(bytes(99)),
        "ipv6 at offset 14: its jumbo option says 127 bytes, a jumbogram has at least 65536",
    ),
    "jumbogram that was cut": (
        bytes(ether() / jumbogram(BIG))[:262],
        "ipv6 at offset 14: its jumbo option says 70068 bytes, 248 are there",
    ),
    "jumbogram in fragments": (
        ether() / six(nh=0) / jumbo(8 + 8 + TCP_BYTES + len(BIG), 44) / Raw(fragment(0) + bytes(tcp(BIG))),
        "ipv6 at offset 14: its jumbo option stands beside a fragment header",
    ),
    "fragment without a length": (
        ether() / six(nh=44) / Raw(fragment() + bytes(tcp(bytes(99)))),
        "ipv6 at offset 14: its length field says 0 bytes behind its header, 127 are there",
    ),
    "later IPv4 fragment without a length": (
        ether() / inner(len=0, frag=9, proto=6) / Raw(SMALL),
        "ipv4 at offset 14: its length field says 0 bytes, its header alone has 20",
    ),
    "what nothing segments": (
        ether() / six() / ICMPv6EchoRequest(data=bytes(99)),
        "ipv6 at offset 14: its length field says 0 bytes behind its header, 107 are there",
    ),
    "UDP of 0 bytes": (
        ether() / inner() / UDP(dport=7, len=0) / Raw(bytes(99)),
        "udp at offset 34: its length field says 0 bytes, 107 are there",
    ),
    "UDP of 0 bytes inside a tunnel that says none": (
        ether() / middle(len=0) / udp(len=0) / vxlan() / ether() / inner() / UDP(dport=7, len=0) / Raw(bytes(99)),
        "udp at offset 84: its length field says 0 bytes, 107 are there",
    ),
    "TCP in the padding": (
        ether() / six(nh=6) / Raw(bytes(6)),
        "tcp at offset 54: its header needs 20 bytes, 0 are there",
    ),
    "TCP in the padding, IPv4": (
        ether() / inner(len=0) / TCP() / Raw(bytes(6)),
        "ipv4 at offset 14: its length field says 0 bytes, its header alone has 20",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_lengths_that_contradict_are_a_problem(name: str) -> None:
    """A length of 0 that is wrong, and an impossible jumbo option, are problems with their place."""
    packet, problem = WRONG[name]
    assert seen(packet).problems == (problem,)


PADDED = {
    "no next header": (ether() / six(nh=59) / Raw(bytes(6)), ("ether", "ipv6"), 6),
    "unknown next header": (ether() / six(nh=89) / Raw(bytes(6)), ("ether", "ipv6"), 6),
    "behind a tag": (ether() / Dot1Q(vlan=5) / six(nh=59) / Raw(bytes(6)), ("ether", "dot1q", "ipv6"), 6),
    "a short IPv4 packet": (ether() / inner() / UDP(dport=7) / Raw(b"ab" + bytes(16)), ("ether", "ipv4", "udp"), 0),
}


@pytest.mark.parametrize("name", PADDED)
def test_ethernet_padding_is_no_payload(name: str) -> None:
    """Bytes that fill a frame up to 60 are padding, and no problem."""
    packet, layers, padding = PADDED[name]
    headers = seen(packet)
    assert (headers.layers[: len(layers)], headers.padding, headers.problems) == (layers, padding, ())
    assert headers.layers[len(layers) :] in ((), ("payload",))


def test_tag_that_the_kernel_moved_out_pads_nothing() -> None:
    """With the tag in the auxiliary data a frame is 60 bytes long without it."""
    assert seen(ether() / six(nh=89) / Raw(bytes(6)), vlan=Vlan(5)).problems == ()


def test_sighting_without_a_length_states_none() -> None:
    """A header without a length gives none of the lengths that tcpdump prints."""
    frame = bytes(ether() / outer(len=0) / GRE() / middle(len=0) / udp(len=0) / vxlan() / ether() / jumbogram(BIG))
    sighting = Sighting("a", "a0", "in", 0, 0, len(frame), frame, seen(frame))
    assert sighting.headers.problems == ()
    assert (sighting.udp_length, sighting.gre_length) == (None, None)
