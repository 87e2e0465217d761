"""A frame as a scapy packet that follows *our* header chain, for people who read scapy.

scapy guesses: UDP from or to 4789 is VXLAN for it, 4900 is not, whatever the fabric says. So each header is
dissected by the scapy class of the layer that `decode` found, from its own bytes, and the layers are stacked
in our order. scapy is imported on first use, which takes some 0.3 s.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import Any

from topology.wire.headers import Header, Headers


def to_scapy(frame: bytes, headers: Headers) -> Any:
    """`frame` as a scapy packet with the layers of ``headers = decode(frame, …)``, in order.

    Payload is Raw, also a packet quoted in an ICMP error; IPv6 extension headers and what scapy cannot
    dissect are Raw in their place; bytes behind the last header are Padding. ``bytes()`` of it is the frame
    from the first header on, with a VLAN tag that the kernel had moved out of the frame put back.
    """
    classes = _classes()
    layers: list[Any] = []
    for header in headers:
        layers.extend(_layers(frame, header, classes))
    if headers.padding:
        layers.append(classes["padding"](frame[-headers.padding :]))
    if not layers:
        return classes["payload"]()
    # From the inside out: add_payload walks to the innermost layer.
    for outer, inner in zip(layers[-2::-1], layers[:0:-1], strict=True):
        outer.add_payload(inner)
    return layers[0]


@cache
def _classes() -> dict[str, Any]:
    """scapy's class for each layer; GRE and ICMP have more than one."""
    from scapy.contrib.geneve import GENEVE
    from scapy.layers import inet, inet6, l2, vxlan
    from scapy.packet import Padding, Raw

    return {
        "ether": l2.Ether,
        "dot1q": l2.Dot1Q,
        "arp": l2.ARP,
        "ipv4": inet.IP,
        "ipv6": inet6.IPv6,
        "icmp": inet.ICMP,
        "icmp6": inet6.ICMPv6Unknown,
        "echo-request6": inet6.ICMPv6EchoRequest,
        "echo-reply6": inet6.ICMPv6EchoReply,
        "udp": inet.UDP,
        "tcp": inet.TCP,
        "gre": l2.GRE,
        "gre1": l2.GRE_PPTP,
        "vxlan": vxlan.VXLAN,
        "geneve": GENEVE,
        "payload": Raw,
        "padding": Padding,
    }


def _key(header: Header) -> str:
    """The key in `_classes` for this header."""
    if header.layer == "icmp" and header["version"] == 6:
        return {128: "echo-request6", 129: "echo-reply6"}.get(int(header["type"]), "icmp6")
    if header.layer == "gre" and header["version"] != 0:
        return "gre1" if header["version"] == 1 else "payload"
    return header.layer


def _layers(frame: bytes, header: Header, classes: dict[str, Any]) -> list[Any]:
    """One header as scapy layers: none for the ``ipip`` marker, two where scapy leaves bytes over."""
    if header.layer == "ipip":
        return []
    if header.layer == "dot1q" and header.length == 0:
        return [classes["dot1q"](**header.fields)]
    raw = frame[header.offset : header.offset + header.length]
    layer, rest = _dissected(classes[_key(header)], classes["payload"], raw)
    if header.layer == "ether" and layer.type != header["type"]:
        layer = classes["ether"](**header.fields)
    return [layer, classes["payload"](rest)] if rest else [layer]


def _dissected(kind: Any, fallback: Any, raw: bytes) -> tuple[Any, bytes]:
    """`raw` as one scapy layer of that class, without scapy's guess at a payload; and the bytes it left."""
    layer = kind()
    try:
        return layer, layer.do_dissect(raw)
    except struct.error:  # out of a TCP option that is shorter than its kind says
        return fallback(raw), b""
