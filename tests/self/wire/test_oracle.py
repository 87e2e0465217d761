"""scapy as an oracle: on frames that scapy built and understands, both must read the same."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.contrib.geneve import GENEVE
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import ARP, GRE, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw

from tests.self.draws import draws
from topology.wire.fields import Value
from topology.wire.headers import Headers, decode
from topology.wire.registry import normal
from topology.wire.scapy_views import declared
from topology.wire.stack import Stack

FREE_PORT = st.integers(40000, 48000)
"""Ports behind which scapy expects nothing."""


def bits(width: int) -> st.SearchStrategy[int]:
    """Any integer of that width."""
    return st.integers(0, (1 << width) - 1)


MAC = st.binary(min_size=6, max_size=6).map(lambda raw: raw.hex(":"))
IP4 = st.ip_addresses(v=4).map(str)
IP6 = st.ip_addresses(v=6).map(str)
LOAD = st.binary(min_size=1, max_size=40).map(Raw)


@st.composite
def transport(draw: st.DrawFn, six: bool) -> Packet:
    """ICMP echo, UDP or TCP, with or without payload."""
    ports: dict[str, Any] = {"sport": draw(FREE_PORT), "dport": draw(FREE_PORT)}
    echo: dict[str, Any] = {"id": draw(bits(16)), "seq": draw(bits(16))}
    icmp = draw(st.sampled_from([ICMPv6EchoRequest, ICMPv6EchoReply]))(**echo) if six else ICMP(type=8, **echo)
    tcp = TCP(**ports, seq=draw(bits(32)), ack=draw(bits(32)), flags=draw(bits(9)), window=draw(bits(16)))
    packet = draw(st.sampled_from([icmp, UDP(**ports), tcp]))
    return packet / draw(LOAD) if draw(st.booleans()) else packet


@st.composite
def network(draw: st.DrawFn, depth: int) -> Packet:
    """An IP packet; down to `depth` tunnels."""
    six = draw(st.booleans())
    packet: Packet
    if six:
        packet = IPv6(src=draw(IP6), dst=draw(IP6), hlim=draw(bits(8)), tc=draw(bits(8)), fl=draw(bits(20)))
    else:
        flags = draw(st.sampled_from([0, 2, 4, 6]))
        packet = IP(src=draw(IP4), dst=draw(IP4), ttl=draw(bits(8)), tos=draw(bits(8)), id=draw(bits(16)), flags=flags)
    if depth == 0:
        return packet / draw(transport(six))
    return packet / draw(tunnel(depth - 1))


@st.composite
def tunnel(draw: st.DrawFn, depth: int) -> Packet:
    """GRE, IP in IP, VXLAN or GENEVE, and what it carries."""
    inside = draw(network(depth))
    framed = draw(link(depth))
    gre = GRE(key_present=draw(bits(1)), seqnum_present=draw(bits(1)), chksum_present=draw(bits(1)))
    if gre.key_present:
        gre.key = draw(bits(32))
    if gre.seqnum_present:
        gre.sequence_number = draw(bits(32))
    gre.proto = 0x86DD if isinstance(inside, IPv6) else 0x0800
    vni = draw(bits(24))
    vxlan = UDP(sport=draw(FREE_PORT), dport=4789) / VXLAN(flags=8, vni=vni, reserved2=draw(bits(8)))
    geneve = UDP(sport=draw(FREE_PORT), dport=6081) / GENEVE(vni=vni, proto=0x6558, critical=draw(bits(1)))
    ethernet = GRE(proto=0x6558)
    return draw(st.sampled_from([gre / inside, inside, vxlan / framed, geneve / framed, ethernet / framed]))


@st.composite
def link(draw: st.DrawFn, depth: int) -> Packet:
    """An Ethernet frame with up to two tags; so few that two tunnels stay within the decoder's bound."""
    packet = Ether(src=draw(MAC), dst=draw(MAC))
    for _ in range(draw(st.integers(0, 1 if depth else 2))):
        packet = packet / Dot1Q(vlan=draw(bits(12)), prio=draw(bits(3)), dei=draw(bits(1)))
    if depth == 0 and draw(st.booleans()):
        return packet / ARP(op=draw(bits(16)), hwsrc=draw(MAC), psrc=draw(IP4), hwdst=draw(MAC), pdst=draw(IP4))
    return packet / draw(network(depth))


FRAMES = st.integers(0, 2).flatmap(link)


Chain = list[tuple[str, dict[str, Value]]]


def as_scapy_reads(packet: Packet) -> Chain:
    """scapy's own dissection in our words."""
    return [
        (layer, {name: normal(layer, name, value) for name, value in fields.items()})
        for layer, fields in declared(packet)
    ]


def as_we_read(headers: Headers) -> Chain:
    """Our headers without the one field that scapy drops when it is empty."""
    return [(h.layer, {n: v for n, v in h.fields.items() if (n, v) != ("options", b"")}) for h in headers]


@settings(max_examples=draws(20), derandomize=True)
@given(FRAMES)
def test_scapy_and_the_decoder_read_the_same(packet: Packet) -> None:
    """Chain and every field of a generated frame are what scapy's own dissection says."""
    frame = bytes(packet)
    headers = decode(frame)
    assert headers.problems == ()
    assert as_we_read(headers) == as_scapy_reads(Ether(frame))


@settings(max_examples=draws(15), derandomize=True)
@given(FRAMES)
def test_a_packet_is_the_pattern_of_its_own_frame(packet: Packet) -> None:
    """The scapy packet that a frame was built from matches it."""
    headers = decode(bytes(packet))
    assert Stack(packet).mismatch(headers) is None
