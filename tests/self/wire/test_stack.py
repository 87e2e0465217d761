"""`Stack`: what a pattern takes, what it implies, what it refuses, and how it says what is wrong."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface
from typing import Any

import pytest
from scapy.contrib.geneve import GENEVE
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    IPv6,
)
from scapy.layers.l2 import ARP, GRE, STP, Dot1AD, Dot1Q, Ether
from scapy.packet import Raw

from tests.self.wire.frames import NONCE, ether, inner, outer, ping, seen, udp
from topology.errors import Misuse, UnknownName
from topology.wire.stack import Stack

SIX = IPv6(src="2001:db8::1", dst="2001:db8::2")
OPTIONS = b"\x07\x03\x04\x00"
ANY: tuple[str, dict[str, object]] = ("payload", {})


def test_a_pattern_reads_like_the_frame_it_promises() -> None:
    """The pattern's summary has the words of a frame's, so that both can stand side by side."""
    frame = ether() / outer() / GRE() / ether() / inner() / ping()
    assert Stack(frame).summary() == seen(frame).summary()
    assert repr(Stack(Ether() / IP(dst="28.0.0.2") / GRE())) == "Stack(ether / ipv4 *>28.0.0.2 / gre)"


def test_a_pattern_needs_no_scapy() -> None:
    """A pattern from names and values is the same pattern as one from a scapy packet."""
    built = Stack.of(
        ("ether", {}),
        ("ipv4", {"dst": "28.0.0.2"}),
        ("gre", {"key": 7}),
        ("ipv4", {}),
        ("udp", {"dport": 4900}),
        ANY,
    )
    assert built.layers == ("ether", "ipv4", "gre", "ipv4", "udp", "payload")
    load = ("payload", {"load": b"x"})
    assert Stack.of(("ether", {}), ("ipv4", {"ttl": 3}), load) == Stack(Ether() / IP(ttl=3) / Raw(b"x"))


def test_stacks_compare_and_hash_by_what_was_given() -> None:
    """Two patterns with the same layers and values are one, and differ from any other thing."""
    one, two = Stack(Ether() / IP(ttl=1)), Stack(Ether(src=None) / IP(ttl=1))
    assert one == two
    assert len({one, two, Stack(Ether() / IP(ttl=2))}) == 2
    assert one != "ether / ipv4"


MATCHES: dict[str, tuple[Any, Any]] = {
    "mac-in-capitals": (Ether(src="02:00:00:00:00:0A") / ARP(), ether(src="02:00:00:00:00:0a") / ARP()),
    "icmp-by-name": (Ether() / IP() / ICMP(type="echo-request") / Raw(NONCE), ether() / inner() / ping()),
    "icmpv6-echo": (
        Ether() / IPv6() / ICMPv6EchoRequest(id=3, data=NONCE),
        ether() / SIX / ICMPv6EchoRequest(id=3, seq=9, data=NONCE),
    ),
    "gre-key": (Ether() / IP() / GRE(key=7) / IP(), ether() / outer() / GRE(key_present=1, key=7) / inner()),
    "service-vlan": (
        Ether() / Dot1AD(vlan=5) / Dot1Q(vlan=6) / IP() / UDP(),
        ether() / Dot1AD(vlan=5) / Dot1Q(vlan=6) / inner() / UDP(dport=2),
    ),
    "ip-options": (
        Ether() / IP(options=[OPTIONS]) / UDP(),
        ether() / inner(options=[OPTIONS]) / UDP(dport=2),
    ),
    "first-fragment": (
        Ether() / IP(flags="MF") / UDP(dport=2) / Raw(b"x" * 8),
        ether() / inner(flags="MF") / UDP(dport=2, len=900) / Raw(b"x" * 8),
    ),
    "last-fragment": (
        Ether() / IP(frag=4) / Raw(b"x" * 8),
        ether() / inner(frag=4, proto=17) / Raw(b"x" * 8),
    ),
}


@pytest.mark.parametrize(("pattern", "packet"), MATCHES.values(), ids=MATCHES.keys())
def test_a_pattern_matches_what_it_describes(pattern: Any, packet: Any) -> None:
    """Each way to write a pattern matches the frame that it means."""
    assert Stack(pattern).mismatch(seen(packet)) is None


REFUSED: dict[str, tuple[Any, Any, str]] = {
    "tag-of-802.1ad": (Ether() / Dot1Q() / IP(), ether() / Dot1AD(vlan=5) / inner(), "header 1 ether.type"),
    "tag-of-802.1q": (Ether() / Dot1AD() / IP(), ether() / Dot1Q(vlan=5) / inner(), "header 1 ether.type"),
    "mf-beside-df": (
        Ether() / IP(flags="DF") / Raw(b"x"),
        ether() / inner(flags="DF+MF") / Raw(b"x"),
        "header 2 ipv4.flags",
    ),
    "later-than-the-first-fragment": (
        Ether() / IP(flags="MF") / Raw(b"x"),
        ether() / inner(flags="MF", frag=2) / Raw(b"x"),
        "header 2 ipv4.frag",
    ),
    "ipv6-extension": (
        Ether() / IPv6() / UDP(),
        ether() / IPv6(nh=60) / Raw(b"\x11\0" + bytes(6)) / UDP(dport=2),
        "header 2 ipv6.ext",
    ),
    "a-key-whichever": (
        Ether() / IP() / GRE(key_present=1) / IP(),
        ether() / outer() / GRE() / inner(),
        "header 3 gre.key_present",
    ),
    "geneve-options": (
        Ether() / IP() / UDP() / GENEVE() / Ether() / ARP(),
        ether() / outer() / UDP(dport=6081) / GENEVE(proto=0x6558, options=[bytes(4)]) / ether() / ARP(),
        "header 4 geneve.optionlen",
    ),
    "geneve-control": (
        Ether() / IP() / UDP() / GENEVE() / Ether() / ARP(),
        ether() / outer() / UDP(dport=6081) / GENEVE(proto=0x6558, oam=1) / ether() / ARP(),
        "header 4 geneve.oam",
    ),
    "any-payload-needs-one": (
        Stack.of(("ether", {}), ("ipv4", {}), ("udp", {}), ANY),
        ether() / inner() / UDP(dport=2),
        "header 4 payload",
    ),
}


@pytest.mark.parametrize(("pattern", "packet", "where"), REFUSED.values(), ids=REFUSED.keys())
def test_a_pattern_refuses_what_it_does_not_describe(pattern: Any, packet: Any, where: str) -> None:
    """Implicit claims of a pattern are checked, and the place is named."""
    stack = pattern if isinstance(pattern, Stack) else Stack(pattern)
    assert str(stack.mismatch(seen(packet))).partition(" - ")[0] == where


def test_a_wrong_chain_is_reported_in_the_summary_s_words() -> None:
    """Another header, an early end and a frame that goes on read as the headers do."""
    promised = Stack(Ether() / IP() / GRE(key=7) / IP() / UDP(dport=4900))
    lines = [
        str(promised.mismatch(seen(packet)))
        for packet in (
            ether() / outer() / udp(dport=7),
            ether() / outer() / GRE(key_present=1, key=7) / inner() / udp(),
        )
    ]
    assert lines[0] == "header 3 gre - another header - expected gre key 7 - seen udp 7"
    truncated = "vxlan at offset 70: its header needs 8 bytes, 0 are there"
    assert lines[1] == f"frame - malformed - expected whole, well-formed headers - seen {truncated}"
    short = Stack.of(("ether", {}), ("ipv4", {}), ("udp", {}))
    goes_on = "header 4 payload - the frame goes on - expected the end - seen 3 bytes"
    assert str(short.mismatch(seen(ether() / inner() / UDP(dport=2) / Raw(b"abc")))) == goes_on
    longer = Stack(Ether() / IP() / UDP() / Raw(b"abc"))
    ends = "header 4 payload - the frame ends early - expected 3 bytes - seen the end"
    assert str(longer.mismatch(seen(ether() / inner() / UDP(dport=2)))) == ends


def test_a_wrong_payload_is_reported_by_its_first_wrong_byte() -> None:
    """Two payloads differ by length and by the first differing byte."""
    promised = Stack(Ether() / IP() / UDP() / Raw(b"abcdef"))
    line = str(promised.mismatch(seen(ether() / inner() / UDP(dport=2) / Raw(b"abcdeF"))))
    assert line.endswith("expected 6 bytes, at byte 5 0x66 - seen 6 bytes, at byte 5 0x46")
    line = str(promised.mismatch(seen(ether() / inner() / UDP(dport=2) / Raw(b"abc"))))
    assert line.endswith("expected 6 bytes, at byte 3 0x646566 - seen 3 bytes, at byte 3 the end")


LONG = Stack.of(
    ("ether", {}),
    ("ipv4", {"len": 52}),
    ("gre", {}),
    ("ipv4", {"len": 28, "ttl": 64}),
    ("udp", {"len": 8}),
)
LONGER: dict[str, tuple[Any, str]] = {
    "a key": (
        GRE(key_present=1, key=7) / inner(),
        "header 3 gre.key - another value - expected none (no key) - seen 7",
    ),
    "a payload": (GRE() / inner() / UDP(dport=2) / Raw(b"x"), "header 6 payload - the frame goes on"),
    "only the inner one": (GRE() / inner(ttl=1) / UDP(dport=2), "header 4 ipv4.ttl - another value"),
}


@pytest.mark.parametrize(("inside", "message"), LONGER.values(), ids=LONGER)
def test_what_makes_a_packet_longer_is_reported_before_its_length(inside: Any, message: str) -> None:
    """An outer length is wrong because of something inside; that is the divergence."""
    packet = ether() / outer() / inside
    assert str(LONG.mismatch(seen(packet))).startswith(message)


def test_a_length_that_nothing_explains_is_reported() -> None:
    """If nothing but lengths differs the outermost is reported; if all is well nothing is."""
    packet = seen(ether() / outer() / GRE() / inner() / UDP(dport=2))
    assert LONG.mismatch(packet) is None
    other = Stack.of(("ether", {}), ("ipv4", {"len": 53}), ("gre", {}), ("ipv4", {"len": 29}), ("udp", {}))
    assert str(other.mismatch(packet)) == "header 2 ipv4.len - another value - expected 53 - seen 52"


def test_addresses_are_reported_before_other_values() -> None:
    """If TTL and address of one header are wrong the address is named."""
    stack = Stack(Ether() / IP(ttl=9, src="1.2.3.4") / UDP())
    assert "ipv4.src" in str(stack.mismatch(seen(ether() / inner() / UDP(dport=2))))


MISUSED: dict[str, tuple[Any, str]] = {
    "list-of-values": (Ether() / IP(ttl=[1, 2]), "ipv4.ttl"),
    "net-of-many-hosts": (Ether() / IP(dst="20.0.0.0/24"), "ipv4.dst"),
    "raw-without-bytes": (Ether() / IP() / Raw(), "Raw"),
    "no-packet": ("Ether()", "expected a scapy packet"),
    "quote-as-layers": (Ether() / IP() / ICMP(type=3) / IP(), "quoted"),
    "gre-in-ether": (Ether() / GRE(), "cannot follow ether"),
}


@pytest.mark.parametrize(("packet", "named"), MISUSED.values(), ids=MISUSED.keys())
def test_a_pattern_that_cannot_be_compared_is_refused(packet: Any, named: str) -> None:
    """A pattern without a single value, or with a chain that no frame has, is refused by name."""
    with pytest.raises(Misuse, match=named.replace("(", r"\(")):
        Stack(packet)


UNKNOWN: dict[str, tuple[Any, str]] = {
    "layer": (Ether() / STP(), "unknown scapy layer 'STP'; known: ARP"),
    "field": (Ether() / IP() / TCP(options=[("MSS", 1)]), "unknown field of layer tcp 'options'; known: ack"),
}


@pytest.mark.parametrize(("packet", "message"), UNKNOWN.values(), ids=UNKNOWN.keys())
def test_what_is_not_decoded_cannot_be_promised(packet: Any, message: str) -> None:
    """A layer or field that the decoder does not read is refused with the known ones listed."""
    with pytest.raises(UnknownName) as refusal:
        Stack(packet)
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    "layers",
    [
        [],
        [("ethernet", {})],
        [("ipv4", {"source": "1.2.3.4"})],
        [("ipv4", {"src": "1.2.3.400"})],
        [("ipv4", {"src": "2001:db8::1"})],
        [("vxlan", {"vni": 1 << 24})],
        [("udp", {"dport": -1})],
        [("udp", {"dport": 1.0})],
        [("payload", {"load": "text"})],
        [("payload", {}), ("payload", {})],
        [("ipv4", {}), ("ipv4", {})],
    ],
    ids=str,
)
def test_a_pattern_without_scapy_is_checked_as_well(layers: list[Any]) -> None:
    """Unknown names, values out of range and impossible chains are refused in `Stack.of` too."""
    with pytest.raises(Misuse):
        Stack.of(*layers)


def test_addresses_can_be_objects() -> None:
    """Addresses and interfaces of the standard library stand for their text."""
    headers = seen(inner() / UDP(dport=2), link=False, ethertype=0x0800)
    ends = {"src": ip_address("20.0.0.1"), "dst": ip_interface("20.0.0.3/24")}
    assert Stack.of(("ipv4", ends), ("udp", {})) == headers
    assert Stack.of(("ipv4", {"src": ip_address("20.0.0.9")}), ("udp", {})) != headers
