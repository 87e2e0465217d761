"""Frames that the tests of `topology.wire` share: the reference fabric's, as a spine sees them."""

from __future__ import annotations

from functools import reduce
from operator import truediv
from typing import Any

from scapy.contrib.geneve import GENEVE
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import ARP, GRE, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from topology.wire.headers import Headers, decode

PORTS = {"vxlan": frozenset({4789, 4900}), "geneve": frozenset({6081})}
NONCE = bytes(range(0x40, 0x78))
"""What ping sends: 56 bytes."""


def ether(**fields: Any) -> Any:
    """An Ethernet header with addresses of its own, so that scapy looks nothing up."""
    return Ether(**{"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02", **fields})


def outer(**fields: Any) -> Any:
    """The leaves' GRE endpoints."""
    return IP(**{"src": "26.0.0.2", "dst": "28.0.0.2", "ttl": 63, **fields})


def middle(**fields: Any) -> Any:
    """The VTEPs."""
    return IP(**{"src": "21.0.0.1", "dst": "23.0.0.1", "ttl": 63, **fields})


def inner(**fields: Any) -> Any:
    """The customers."""
    return IP(**{"src": "20.0.0.1", "dst": "20.0.0.3", "ttl": 64, **fields})


def udp(**fields: Any) -> Any:
    """UDP to the lab's VXLAN port."""
    return UDP(**{"sport": 51515, "dport": 4900, **fields})


def vxlan(**fields: Any) -> Any:
    """VXLAN as Linux sends it; by itself scapy builds ``VXLAN()/Ether()`` with flags 0x0c (VXLAN-GPE)."""
    return VXLAN(**{"flags": 8, "vni": 30, **fields})


def ping(load: bytes = NONCE) -> Any:
    """The customers' ICMP message."""
    return ICMP(type=8, id=7, seq=1) / Raw(load)


def vxlan_packet(**layers: Any) -> Any:
    """Leaf 1's packet into its GRE tunnel; a layer can be replaced by name (`middle`, `udp`, `vxlan`, …)."""
    parts = {"middle": middle(), "udp": udp(), "vxlan": vxlan(), "ether": ether(), "inner": inner()}
    parts = {**parts, "message": ping(), **layers}
    return reduce(truediv, parts.values())


def reference(**layers: Any) -> Any:
    """A customer's ping as it crosses the spine, VXLAN inside GRE; a layer can be replaced by name."""
    front = [layers.pop(name, default) for name, default in (("outer", outer()), ("gre", GRE()))]
    return reduce(truediv, [ether(), *front, vxlan_packet(**layers)])


def seen(packet: Any, **how: Any) -> Headers:
    """The headers of a packet (or of bytes) as a tap on that fabric decodes them."""
    return decode(bytes(packet), **{"ports": PORTS, **how})


def samples() -> list[bytes]:
    """One frame of each kind that the decoder knows, to be mutated."""
    six = IPv6(src="2001:db8::1", dst="2001:db8::2")
    packets = [
        reference(),
        ether() / Dot1Q(vlan=5) / inner() / TCP(sport=40000, dport=80, options=[("MSS", 1460), ("NOP", None)]),
        ether() / ARP(psrc="20.0.0.1", pdst="20.0.0.3"),
        ether() / six / ICMPv6EchoRequest(data=NONCE),
        ether() / outer() / GRE(key_present=1, key=7, seqnum_present=1, chksum_present=1) / ether() / inner(),
        ether() / outer() / UDP(sport=1, dport=6081) / GENEVE(vni=9, proto=0x6558) / ether() / inner() / ping(),
        ether() / outer() / inner() / ICMP(type=3, code=4, nexthopmtu=1400) / Raw(bytes(vxlan_packet())[:60]),
        ether() / six / outer() / six / UDP(sport=1, dport=2) / Raw(b"x"),
        ether() / outer(options=[b"\x07\x03\x04\x00"]) / GRE(version=1, proto=0x880B) / Raw(bytes(20)),
        ether() / IPv6(nh=0, plen=0) / Raw(b"\x06\0\xc2\4\0\1\0\0") / Raw(bytes(TCP()) + bytes(20)),
        ether() / IPv6(nh=6, plen=0) / TCP() / Raw(bytes(20)),
        ether() / IPv6(nh=0) / Raw(b"\x2c\x00" + bytes(6) + b"\x3a\x00" + bytes(6) + b"\x80" + bytes(20)),
    ]
    return [bytes(packet) for packet in packets]
