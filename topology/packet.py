"""Packets as the model of forwarding handles them: layers outermost first, and the probes that start as them. Pure."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import takewhile
from typing import Literal, TypeAlias

from topology.refs import Address, Tags
from topology.wire.fields import size_of as fixed_size
from topology.wire.registry import LAYERS
from topology.wire.stack import Stack

Layer: TypeAlias = tuple[str, Mapping[str, object]]
Layers: TypeAlias = tuple[Layer, ...]
Protocol: TypeAlias = Literal["icmp", "udp"]

PROBE_PORT, SOURCE_PORT = 7, 49152
"""The echo service (RFC 862), and the first dynamic port (RFC 6335): neither is VXLAN's anywhere."""
PAYLOAD_BYTES = 56
"""Payload of ping(8), so that lengths compare with captures of it."""
PATTERN = bytes(range(256)) * 256
"""The padding of a probe: as much as the largest IP packet holds."""
IP_VERSIONS: Mapping[str, int] = {"ipv4": 4, "ipv6": 6}
DEFAULT_TTL = 64
"""net.ipv4.ip_default_ttl, also that of a VXLAN packet's outer header."""
ETHERTYPE_VLAN = 0x8100
"""IEEE 802.1Q, table 9-1."""
ETHERTYPES = {"ipv4": 0x0800, "ipv6": 0x86DD, "arp": 0x0806, "ether": 0x6558}
"""The last is Trans Ether Bridging, of a frame in a tunnel (RFC 8926, section 3.4)."""
ICMP_ECHO = {4: {False: 8, True: 0}, 6: {False: 128, True: 129}}
"""Echo request and echo reply by IP version (RFC 792, RFC 4443)."""
HEADER_BYTES = {name: fixed_size(layer.layout) for name, layer in LAYERS.items()} | {"icmp": 8, "arp": 28}
"""The header of each layer without options; an ICMP echo's identifier and number, and an ARP packet's addresses, are
part of its own."""

GRE_EXTRAS = frozenset(("key", "chksum_present", "seqnum_present"))
"""The fields of a GRE header that add four bytes each (RFC 2890)."""


@dataclass(frozen=True)
class Probe:
    """A packet to send, identified by the nonce of 128 bits that leads its payload.

    ``ident`` and ``sequence`` are the ICMP echo's; ``ttl`` is the sender's.
    """

    source: str
    target: str
    src: Address
    dst: Address
    protocol: Protocol = "icmp"
    nonce: bytes = bytes(16)
    ttl: int = 64
    ident: int = 1
    sequence: int = 1
    is_reply: bool = False
    port: int = SOURCE_PORT
    """The UDP source port of the request, which differs from flow to flow."""
    payload_bytes: int = PAYLOAD_BYTES

    @property
    def payload(self) -> bytes:
        """The nonce, filled up with a counting pattern to ``payload_bytes``."""
        return (self.nonce + PATTERN[len(self.nonce) :])[: self.payload_bytes]

    @property
    def layers(self) -> Layers:
        """The probe as it leaves its sender's IP."""
        number = 17 if self.protocol == "udp" else 1 if self.src.version == 4 else 58
        payload: Layer = ("payload", {"load": self.payload})
        return (ip_layer(self.src, self.dst, self.ttl, number), self._transport, payload)

    @property
    def _transport(self) -> Layer:
        if self.protocol == "udp":
            ports = (self.port, PROBE_PORT)
            sport, dport = reversed(ports) if self.is_reply else ports
            return ("udp", {"sport": sport, "dport": dport})
        kind = ICMP_ECHO[self.src.version][self.is_reply]
        return ("icmp", {"type": kind, "code": 0, "id": self.ident, "seq": self.sequence})

    @property
    def icmp_message(self) -> bytes:
        """The echo message as a raw socket sends it: with its checksum (RFC 792, RFC 1071), which for ICMPv6 the
        kernel fills in (RFC 3542, section 3.1)."""
        head = struct.pack("!BBHHH", ICMP_ECHO[self.src.version][self.is_reply], 0, 0, self.ident, self.sequence)
        if self.src.version == 6:
            return head + self.payload
        return head[:2] + struct.pack("!H", internet_checksum(head + self.payload)) + head[4:] + self.payload


def internet_checksum(data: bytes) -> int:
    """Return the ones' complement sum of RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip_layer(src: Address, dst: Address, ttl: int, protocol: int) -> Layer:
    """Return an IP header of either version."""
    ends: dict[str, object] = {"src": str(src), "dst": str(dst)}
    if src.version == 4:
        return ("ipv4", {**ends, "ttl": ttl, "proto": protocol})
    return ("ipv6", {**ends, "hlim": ttl, "nh": protocol})


def outer_ip(layers: Layers) -> Mapping[str, object] | None:
    """Return the fields of the outermost IP header; None where there is none."""
    return next((fields for name, fields in layers if name in IP_VERSIONS), None)


def ends_of(fields: Mapping[str, object]) -> tuple[Address, Address]:
    """Return the source and the destination of an IP header."""
    return ip_address(str(fields["src"])), ip_address(str(fields["dst"]))


def lower_ttl(packet: Layers) -> Layers | None:
    """Return the packet with its outermost TTL or hop limit one lower; None where it ends."""
    name, fields = packet[0]
    key = "ttl" if name == "ipv4" else "hlim"
    ttl = int(str(fields[key])) - 1
    return ((name, {**fields, key: ttl}), *packet[1:]) if ttl > 0 else None


def ttl_of(layers: Layers) -> object:
    """Return the innermost TTL or hop limit: the customer's."""
    found = [fields.get("ttl", fields.get("hlim")) for name, fields in layers if name in ("ipv4", "ipv6")]
    return found[-1] if found else None


def stack_of(layers: Layers) -> Stack:
    """Return the pattern of a packet, with the length that each IP and UDP header must state."""
    size, out = 0, []
    for name, fields in reversed(layers):
        size += _bytes(name, fields)
        stated = {"ipv4": {"len": size}, "udp": {"len": size}, "ipv6": {"plen": size - 40}}.get(name, {})
        out.append((name, {**fields, **stated}))
    return Stack.of(*reversed(out))


def size_of(layers: Layers) -> int:
    """Return the number of bytes of the layers."""
    return sum(_bytes(name, fields) for name, fields in layers)


def _bytes(name: str, fields: Mapping[str, object]) -> int:
    if name == "payload":
        load = fields["load"]
        assert isinstance(load, bytes)
        return len(load)
    return HEADER_BYTES[name] + (4 * len(GRE_EXTRAS & fields.keys()) if name == "gre" else 0)


def tags_of(frame: Layers) -> Tags:
    """Return the VLANs of a frame's tags, the outermost first."""
    return tuple(int(str(tag["vlan"])) for _, tag in takewhile(lambda layer: layer[0] == "dot1q", frame[1:]))


def tagged(frame: Layers, vid: int) -> Layers:
    """Return a frame with an 802.1Q tag of the lowest priority."""
    (name, ether), *rest = frame
    tag: Layer = ("dot1q", {"prio": 0, "dei": 0, "vlan": vid, "type": ether["type"]})
    return ((name, {**ether, "type": ETHERTYPE_VLAN}), tag, *rest)


def untagged(frame: Layers) -> Layers:
    """Return a frame without its outermost tag."""
    (name, ether), (_, tag), *rest = frame
    return ((name, {**ether, "type": tag["type"]}), *rest)


def inherited_ttls(packet: Layers, outer: int) -> tuple[int, ...]:
    """Return the TTLs that the header of a tunnel with ``ttl inherit`` may get; ``outer`` is its IP version.

    ``ttl inherit`` reads the inner network header that the kernel has marked (ip_tunnel_xmit, net/ipv4/ip_tunnel.c).
    That is the wrapped packet's own, except for a VXLAN or Geneve packet around a datagram whose checksum is left to
    offload: their mark (udp_tunnel_handle_offloads) is still at the customer's header. Both are legal then.
    """
    own, customers = _ttl(packet[:1]), _ttl(packet) if outer == 6 else _ttl_at_the_mark(packet)
    offloaded = any(name == "udp" for name, _ in packet[:-2]) and packet[-2][0] == "udp"
    return tuple(dict.fromkeys((own, customers))) if offloaded else (own,)


def _ttl_at_the_mark(packet: Layers) -> int:
    """Return the byte of a customer's header in the place where the wrapped packet has its TTL, whatever it is: of an
    IPv6 header the first byte of the source, of an IPv4 header the end of the fragment offset, which is 0."""
    wrapped, (name, customers) = packet[0][0], [layer for layer in packet if layer[0] in ("ipv4", "ipv6")][-1]
    if name == wrapped:
        return _ttl(packet)
    return ip_address(str(customers["src"])).packed[0] if wrapped == "ipv4" else 0


def _ttl(layers: Layers) -> int:
    return int(str(ttl_of(layers)))


def frames_ttls(inside: Layers, outer: int) -> tuple[int, ...]:
    """Return the TTLs that the header of a tunnel with ``ttl inherit`` may get around a frame: those of an IP packet in
    it, else the default, as behind a VLAN tag (ip_tunnel_xmit; vxlan_xmit_one, drivers/net/vxlan)."""
    at = next((place for place, (name, _) in enumerate(inside) if name in ("ipv4", "ipv6")), None)
    return (DEFAULT_TTL,) if at is None or inside[1][0] == "dot1q" else inherited_ttls(inside[at:], outer)
