"""Probes and packets: what they carry, what routing does to them, and the lengths that their headers must state."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from scapy.layers.inet import ICMP
from scapy.packet import Raw

from tests.self.builders import NONCE, render
from topology.packet import (
    Layers,
    Probe,
    internet_checksum,
    lower_ttl,
    size_of,
    stack_of,
)
from topology.wire.headers import decode

FOUR = Probe("a", "b", ip_address("10.0.0.1"), ip_address("10.0.0.2"), nonce=NONCE, ident=7, sequence=9)
SIX = replace(FOUR, src=ip_address("fd00::1"), dst=ip_address("fd00::2"))
ETHER: Layers = (("ether", {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02", "type": 0x0800}),)
GRE: Layers = (("ipv4", {"src": "1.1.1.1", "dst": "2.2.2.2", "ttl": 9, "proto": 47}), ("gre", {"proto": 0x0800}))
KEYED = ("gre", {"proto": 0x0800, "key": 5})


@pytest.mark.parametrize("size", [0, 9, 16, 17, 56, 1472, 65_507])
def test_payload_is_as_large_as_it_is_to_be(size: int) -> None:
    """A probe has the requested number of bytes, the nonce first and then a counting pattern."""
    probe = replace(FOUR, protocol="udp", payload_bytes=size)
    assert len(probe.payload) == size
    assert probe.payload[:16] == NONCE[:size]
    assert all(byte == place & 0xFF for place, byte in enumerate(probe.payload) if place >= 16)
    assert size_of(probe.layers) == len(render(probe.layers)) == 28 + size


def test_icmp_message_is_the_one_scapy_builds() -> None:
    """The ICMP message, its checksum included, is what an independent builder makes of the same fields."""
    for is_reply, kind in ((False, 8), (True, 0)):
        built = bytes(ICMP(type=kind, id=7, seq=9) / Raw(FOUR.payload))
        assert replace(FOUR, is_reply=is_reply).icmp_message == built


def test_checksum_is_that_of_the_rfc() -> None:
    """RFC 1071's own example, and an odd length, padded with a zero byte."""
    assert internet_checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0x220D
    assert internet_checksum(b"\x01") == internet_checksum(b"\x01\x00") == 0xFEFF


@pytest.mark.parametrize(
    ("probe", "names", "protocol", "kind"),
    [
        (FOUR, ("ipv4", "icmp", "payload"), 1, 8),
        (replace(FOUR, is_reply=True), ("ipv4", "icmp", "payload"), 1, 0),
        (SIX, ("ipv6", "icmp", "payload"), 58, 128),
        (replace(SIX, is_reply=True), ("ipv6", "icmp", "payload"), 58, 129),
    ],
)
def test_echo_has_the_types_of_its_ip_version(probe: Probe, names: tuple[str, ...], protocol: int, kind: int) -> None:
    """An echo request is type 8 over IPv4 and 128 over IPv6, its reply 0 and 129."""
    assert tuple(name for name, _ in probe.layers) == names
    assert protocol in (probe.layers[0][1].get("proto"), probe.layers[0][1].get("nh"))
    assert probe.layers[1][1]["type"] == kind


@pytest.mark.parametrize("ttl", [1, 0])
def test_ttl_of_one_ends(ttl: int) -> None:
    """A packet whose TTL or hop limit would become zero is not forwarded; with two it still is."""
    for probe in (FOUR, SIX):
        assert lower_ttl(replace(probe, ttl=ttl).layers) is None
        assert lower_ttl(replace(probe, ttl=2).layers) is not None


@pytest.mark.parametrize("front", [(), ETHER, (*ETHER, *GRE), (*ETHER, GRE[0], KEYED)])
@pytest.mark.parametrize("probe", [FOUR, replace(FOUR, protocol="udp")])
def test_stated_lengths_are_those_on_the_wire(probe: Probe, front: Layers) -> None:
    """The stack of a packet matches the packet, and no packet that is a byte longer or says another length."""
    layers = (*front, *probe.layers)
    bare = not front

    def matches(packet: Layers) -> bool:
        return stack_of(layers) == decode(render(packet), link=not bare, ethertype=0x0800)

    longer = (*layers[:-1], ("payload", {"load": probe.payload + b"!"}))
    outer = next(n for n, (name, _) in enumerate(layers) if name == "ipv4")
    lying = (*layers[:outer], ("ipv4", {**layers[outer][1], "len": 40}), *layers[outer + 1 :])
    assert matches(layers)
    assert not matches(longer)
    assert not matches(lying)
