"""`to_scapy`: the scapy view of a frame follows our chain, not scapy's guesses."""

from __future__ import annotations

from typing import Any

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import GRE, GRE_PPTP, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from tests.self.wire.frames import NONCE, ether, inner, outer, reference, seen, udp
from topology.wire.scapy_views import to_scapy


def view(packet: Any, **how: Any) -> Any:
    """The scapy view of a packet."""
    return to_scapy(bytes(packet), seen(packet, **how))


def classes(packet: Any) -> list[Any]:
    """The classes of a scapy packet's layers, outermost first."""
    return [type(layer) for layer in packet.iterpayloads()]


def test_vxlan_on_the_lab_s_port_is_vxlan() -> None:
    """UDP to port 4900 shows VXLAN and what is in it, which scapy by itself does not see."""
    assert not Ether(bytes(reference())).haslayer(VXLAN)
    packet = view(reference())
    assert classes(packet) == [Ether, IP, GRE, IP, UDP, VXLAN, Ether, IP, ICMP, Raw]
    assert packet[VXLAN].vni == 30
    assert packet[Raw].load == NONCE
    assert packet[ICMP].underlayer.dst == "20.0.0.3"


def test_a_guess_of_scapy_is_not_taken_over() -> None:
    """UDP from port 4789 is no VXLAN in the view, though it is for scapy."""
    frame = bytes(ether() / outer() / UDP(sport=4789, dport=7) / Raw(bytes(30)))
    assert Ether(frame).haslayer(VXLAN)
    assert classes(view(frame)) == [Ether, IP, UDP, Raw]


def test_a_quote_stays_payload() -> None:
    """The packet quoted in an ICMP error is Raw in the view."""
    packet = ether() / inner() / ICMP(type=3, code=4, nexthopmtu=1400) / Raw(bytes(outer() / udp()))
    assert classes(view(packet)) == [Ether, IP, ICMP, Raw]
    assert view(packet)[ICMP].nexthopmtu == 1400


def test_ipv6_and_pptp_have_their_classes() -> None:
    """ICMPv6 echo and GRE version 1 appear as scapy's own classes for them."""
    assert classes(view(ether() / IPv6(dst="::1") / ICMPv6EchoRequest(data=b"x")))[2:] == [
        ICMPv6EchoRequest,
        Raw,
    ]
    assert GRE_PPTP in classes(view(ether() / outer() / GRE(version=1, proto=0x880B) / Raw(bytes(8))))


def test_what_scapy_cannot_dissect_is_raw() -> None:
    """A TCP option that scapy's dissector raises on leaves the header as Raw, byte for byte."""
    packet = ether() / inner(proto=6) / Raw(bytes(12) + b"\x60" + bytes(7) + b"\x1d\x03\x01\x00")
    assert TCP not in classes(view(packet))
    assert bytes(view(packet)) == bytes(packet)
