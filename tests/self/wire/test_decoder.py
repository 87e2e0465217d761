"""`decode` reads layer by layer."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6PacketTooBig, IPv6
from scapy.layers.l2 import ARP, GRE, Dot1Q
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
    vxlan_packet,
)
from topology.wire.headers import MAX_LAYERS, Vlan, quoted

WRAPPED = ("ether", "ipv4", "gre", "ipv4", "udp", "vxlan", "ether", "ipv4", "icmp", "payload")
SIX = IPv6(src="2001:db8::1", dst="2001:db8::2", hlim=9)


def test_headers_are_found_by_layer_from_both_ends() -> None:
    """The outermost and the innermost header of a layer can be asked for, and a missing one is None."""
    headers = seen(reference())
    assert headers.layers == WRAPPED
    assert len(headers) == 10
    ends = [header["src"] for nth in (0, 1, 2, -1) if (header := headers.get("ipv4", nth))]
    assert ends == ["26.0.0.2", "21.0.0.1", "20.0.0.1", "20.0.0.1"]
    assert headers.get("ether", -1) is headers[6]
    assert headers.get("ipv4", 3) is None
    assert headers.get("tcp") is None
    assert headers.payload == NONCE


def test_port_of_two_kinds_of_tunnels_is_decided_by_the_header() -> None:
    """Geneve's protocol type lies in VXLAN's reserved bits, so the header tells the kind at a port of both."""
    both = {"ports": {"vxlan": frozenset({4900}), "geneve": frozenset({4900})}}
    assert seen(reference(), **both).layers == seen(reference()).layers
    vni_5 = bytes((0, 0, 0x65, 0x58, 0, 0, 5, 0)) + bytes(ether() / inner() / ping())
    wrapped = ether() / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=1, dport=4900) / Raw(vni_5)
    layers = ("ether", "ipv4", "udp", "geneve", "ether", "ipv4", "icmp", "payload")
    assert seen(wrapped, **both).layers == layers


def test_a_gre_device_has_no_link_header() -> None:
    """Decoding starts where the kernel says, with the protocol it says, on a device without Ethernet."""
    packet = bytes(vxlan_packet())
    assert seen(packet, link=False, ethertype=0x0800).layers == WRAPPED[3:]
    assert seen(b"\xee" * 24 + packet, link=False, ethertype=0x0800, start=24).layers == WRAPPED[3:]
    assert seen(packet, link=False, ethertype=0x1234).layers == ("payload",)


def test_a_tag_in_auxdata_stands_behind_the_ethernet_header() -> None:
    """A VLAN tag that the kernel moved out of the frame is decoded as if it were in it."""
    tagged = seen(ether() / Dot1Q(prio=3, vlan=5) / inner() / ping())
    moved = seen(ether() / inner() / ping(), vlan=Vlan(tci=3 << 13 | 5))
    assert [(h.layer, h.fields) for h in moved] == [(h.layer, h.fields) for h in tagged]
    assert (moved[1].length, tagged[1].length) == (0, 4)
    assert seen(ether() / inner(), vlan=Vlan(5, 0x88A8))[0]["type"] == 0x88A8


def test_a_second_tag_stays_behind_the_one_in_auxdata() -> None:
    """The kernel moves out the outer of two tags; both are decoded, in order."""
    headers = seen(ether() / Dot1Q(vlan=7) / inner(), vlan=Vlan(5))
    assert headers.layers == ("ether", "dot1q", "dot1q", "ipv4")
    assert [headers[1]["vlan"], headers[2]["vlan"]] == [5, 7]
    assert [headers[0]["type"], headers[1]["type"], headers[2]["type"]] == [0x8100, 0x8100, 0x0800]


def test_the_network_header_is_where_the_kernel_says() -> None:
    """Unknown link bytes before the kernel's network header are skipped, and are a problem."""
    headers = seen(bytes(ether(type=0x0800)) + b"\xdd" * 4 + bytes(inner() / ping()), start=18)
    assert headers.layers == ("ether", "ipv4", "icmp", "payload")
    assert "4 unknown bytes" in headers.problems[0]
    tagged = ether() / Dot1Q(vlan=5) / inner() / ping()
    assert not any(seen(tagged, start=start).problems for start in (0, 14, 18))
    assert seen(tagged, start=10**6).problems


@pytest.mark.parametrize(
    ("gre", "behind"),
    [
        (GRE(proto=0x0800), "ipv4"),
        (GRE(proto=0x86DD), "ipv6"),
        (GRE(proto=0x6558), "ether"),
        (GRE(proto=0x0806), "payload"),
        (GRE(proto=0x0800, key_present=1, key=9, seqnum_present=1, chksum_present=1), "ipv4"),
        (GRE(proto=0x0800, routing_present=1), "payload"),
        (GRE(proto=0x0800, version=1), "payload"),
    ],
    ids=["ipv4", "ipv6", "ethernet", "arp", "all-options", "routing", "version-1"],
)
def test_gre_is_looked_into_by_its_protocol_type(gre: Any, behind: str) -> None:
    """IPv4, IPv6 and Ethernet behind a plain GRE header are walked, everything else is payload."""
    carried = {"ipv4": inner() / ping(), "ipv6": SIX, "ether": ether() / inner()}.get(behind, inner())
    headers = seen(ether() / outer() / gre / carried)
    assert headers.layers[:4] == ("ether", "ipv4", "gre", behind)


@pytest.mark.parametrize("change", [{"frag": 3}, {"flags": "MF", "frag": 3}], ids=str)
def test_behind_a_later_fragment_is_payload(change: dict[str, Any]) -> None:
    """Nothing is read out of a later fragment or the last one: its bytes are from a packet's middle."""
    assert seen(ether() / inner(proto=1, **change) / ping()).layers == ("ether", "ipv4", "payload")


def first_fragment(size: int) -> bytes:
    """The reference frame with its VXLAN packet split: the first fragment, with so many bytes behind its header."""
    packet = bytes(vxlan_packet())[20 : 20 + size]
    return bytes(ether() / outer() / GRE() / middle(flags="MF", proto=17) / Raw(packet))


def test_a_first_fragment_has_the_headers_that_its_packet_starts_with() -> None:
    """A first fragment is read as a whole packet, though its lengths count what later ones hold."""
    headers = seen(first_fragment(100))
    assert headers.layers[3:] == ("ipv4", "udp", "vxlan", "ether", "ipv4", "icmp", "payload")
    assert headers.problems == ()
    assert headers.payload == NONCE[: 100 - 58]


@pytest.mark.parametrize(("size", "last"), [(8, "udp"), (16, "vxlan"), (24, "payload"), (40, "payload")])
def test_a_first_fragment_may_end_within_a_header(size: int, last: str) -> None:
    """A header that goes on in the next fragment is payload, and nothing is wrong with that."""
    headers = seen(first_fragment(size))
    assert (headers.layers[-1], headers.problems) == (last, ())


EXTENSIONS = {
    "hop-by-hop": (0, b"\x3a\x00" + bytes(6), "icmp"),
    "routing": (43, b"\x3a\x00" + bytes(6), "icmp"),
    "destination": (60, b"\x3a\x01" + bytes(14), "icmp"),
    "hop-by-hop,destination": (0, b"\x3c\x00" + bytes(6) + b"\x3a\x00" + bytes(6), "icmp"),
    "fragment": (44, b"\x3a\x00\x00\x09" + bytes(4), "payload"),
}


@pytest.mark.parametrize(("first", "raw", "behind"), EXTENSIONS.values(), ids=EXTENSIONS.keys())
def test_ipv6_extension_headers_are_walked(first: int, raw: bytes, behind: str) -> None:
    """Extension headers are named on the IPv6 header; what they lead to is read, unless it is a later fragment."""
    names = {value: name for name, value in EXTENSIONS.items()}[(first, raw, behind)]
    headers = seen(ether() / IPv6(nh=first) / Raw(raw + bytes(ICMPv6EchoRequest())))
    assert headers.layers[1:3] == ("ipv6", behind)
    assert headers[1]["ext"] == names
    assert headers[1].length == 40 + len(raw)


def test_an_atomic_fragment_is_a_whole_packet() -> None:
    """An IPv6 fragment header with offset 0 and no more fragments hides nothing (RFC 6946)."""
    headers = seen(ether() / IPv6(nh=44) / Raw(b"\x3a" + bytes(7) + bytes(ICMPv6EchoRequest())))
    assert headers.layers[1:3] == ("ipv6", "icmp")


def test_a_first_ipv6_fragment_has_the_headers_that_its_packet_starts_with() -> None:
    """With offset 0 and more fragments to come, what it holds is read, and a header that is cut is payload."""
    first = b"\x3a\x00\x00\x01" + bytes(4)
    for message, behind in ((bytes(ICMPv6EchoRequest()), "icmp"), (b"\x80\x00", "payload")):
        headers = seen(ether() / IPv6(nh=44) / Raw(first + message))
        assert (headers.layers[2], headers.problems) == (behind, ())


def test_extension_headers_are_bounded() -> None:
    """A chain of more than eight extension headers is a problem, not a loop."""
    headers = seen(ether() / IPv6(nh=60) / Raw((b"\x3c\x00" + bytes(6)) * 40))
    assert "more than 8 extension headers" in headers.problems[0]


def test_nesting_is_bounded() -> None:
    """Data nested deeper than 16 headers is payload, and a problem."""
    packet = ether()
    for _ in range(40):
        packet = packet / outer(proto=4)
    headers = seen(packet)
    assert len(headers) == MAX_LAYERS + 1
    assert headers.layers[-1] == "payload"
    assert f"more than {MAX_LAYERS} headers" in headers.problems[-1]


def test_arp_is_read_and_what_follows_is_padding() -> None:
    """ARP has its addresses as text, and the bytes that fill a minimal frame are no payload."""
    headers = seen(bytes(ether() / ARP(op=1, psrc="20.0.0.1", pdst="20.0.0.3")) + bytes(18))
    assert headers.summary() == "ether / arp who-has 20.0.0.3 tell 20.0.0.1"
    assert headers.padding == 18


@pytest.mark.parametrize(
    ("message", "field", "value"),
    [
        (ICMP(type=3, code=4, nexthopmtu=1426), "nexthopmtu", 1426),
        (ICMP(type=5, gw="20.0.0.254"), "gw", "20.0.0.254"),
        (ICMP(type=12, ptr=9), "ptr", 9),
        (ICMP(type=0, id=3), "id", 3),
    ],
    ids=["too-big", "redirect", "parameter-problem", "reply"],
)
def test_icmp_reads_what_its_type_has(message: Any, field: str, value: object) -> None:
    """The part of an ICMP header that depends on its type is read under scapy's name for it."""
    header = seen(ether() / inner() / message)[2]
    assert header[field] == value
    assert ("id" in header.fields) == (field == "id")


def test_icmpv6_is_icmp_of_version_6() -> None:
    """ICMPv6 is the layer icmp with version 6."""
    headers = seen(ether() / SIX / ICMPv6EchoRequest(id=4, data=b"abc"))
    assert headers.summary() == "ether / ipv6 2001:db8::1>2001:db8::2 hlim 9 / icmpv6 echo-request / 3 bytes"
    assert headers[2]["version"] == 6
    assert seen(ether() / SIX / ICMPv6PacketTooBig(mtu=1400) / Raw(b"x"))[2]["mtu"] == 1400


def test_a_quoted_packet_is_payload_until_asked_for() -> None:
    """An ICMP error's quote never joins the chain; `quoted` reads it on demand."""
    error = seen(ether() / inner() / ICMP(type=3, code=4) / Raw(bytes(outer() / GRE() / vxlan_packet())))
    assert error.layers == ("ether", "ipv4", "icmp", "payload")
    quote = quoted(error, ports={"vxlan": frozenset({4900})})
    assert quote is not None
    assert quote.layers == WRAPPED[1:]
    assert quote.payload == NONCE


def test_a_short_quote_is_read_as_far_as_it_goes() -> None:
    """A quote of 28 bytes has the IP and UDP headers, and the truncation is a problem."""
    quote = quoted(seen(ether() / inner() / ICMP(type=11) / Raw(bytes(middle() / UDP(dport=4900) / Raw(NONCE))[:28])))
    assert quote is not None
    assert quote.layers == ("ipv4", "udp")
    assert quote.problems


def test_an_icmpv6_error_quotes_ipv6() -> None:
    """The quote of an ICMPv6 error is read as IPv6."""
    quote = quoted(seen(ether() / SIX / ICMPv6PacketTooBig() / Raw(bytes(SIX / UDP(sport=1, dport=2)))))
    assert quote is not None
    assert quote.layers == ("ipv6", "udp")


@pytest.mark.parametrize("packet", [inner() / ping(), inner() / ICMP(type=3), inner() / TCP()], ids=str)
def test_what_is_no_error_quotes_nothing(packet: Any) -> None:
    """An echo, an error without a quote and a packet without ICMP have no quoted packet."""
    assert quoted(seen(ether() / packet)) is None


PROBLEMS = {
    "empty": (b"", "ether at offset 0: its header needs 14 bytes, 0 are there"),
    "ip-cut": (bytes(ether() / inner())[:20], "ipv4 at offset 14: its header needs 20 bytes, 6 are there"),
    "ip-length": (ether() / inner(len=99), "ipv4 at offset 14: its length field says 99 bytes, 20 are there"),
    "udp-length": (
        ether() / inner() / UDP(len=9, dport=7) / Raw(b"abc"),
        "udp at offset 34: its length field says 9 bytes, 11 are there",
    ),
    "tcp-offset": (
        ether() / inner() / TCP(dataofs=4),
        "tcp at offset 34: its data offset says 16 bytes, a header has at least 20",
    ),
}


@pytest.mark.parametrize(("packet", "problem"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_what_is_wrong_is_said_with_its_offset(packet: Any, problem: str) -> None:
    """A frame that does not fit its own headers gives a sentence that says where and what."""
    assert seen(packet).problems[0] == problem
    assert problem in seen(packet).summary()


def test_what_udp_does_not_count_is_no_payload() -> None:
    """Bytes between the end of UDP and the end of IP are a problem, and are not taken for payload."""
    headers = seen(ether() / inner() / UDP(len=10, dport=7) / Raw(b"abcd"))
    assert (headers.payload, headers.padding, len(headers.problems)) == (b"ab", 2, 1)


@pytest.mark.parametrize(
    ("options", "critical", "problem"),
    [
        ("", 0, ""),
        ("0102030000000000", 0, ""),
        ("0102030111111111", 0, ""),
        ("01020300 0102030111111111", 0, ""),
        ("0102030211111111", 0, "an option says 12 bytes, 8 are left"),
        ("0102830111111111", 0, "an option is critical, and the C bit is clear"),
        ("0102830111111111", 1, ""),
    ],
)
def test_geneve_options_are_held_against_their_header(options: str, critical: int, problem: str) -> None:
    """Options are read to their last byte, the frame behind them is found, and a misfit is a problem."""
    data = bytes.fromhex(options)
    head = bytes([len(data) // 4, critical << 6]) + b"\x65\x58" + b"\0\0\x07\0" + data
    headers = seen(ether() / outer() / UDP(dport=6081) / Raw(head + bytes(ether() / inner())))
    assert headers.layers[:6] == ("ether", "ipv4", "udp", "geneve", "ether", "ipv4")
    assert headers[3]["options"] == data
    assert [found.partition(": ")[2] for found in headers.problems] == ([problem] if problem else [])
    assert (f"geneve 7 options {data.hex()}" in headers.summary()) == bool(data)
