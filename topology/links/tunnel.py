"""Tunnels: devices that encapsulate packets or frames between two addresses. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import ClassVar, NamedTuple, Self

from topology.links.base import LEAST_MTU, PORT_MTU, Below, Device
from topology.packet import DEFAULT_TTL, HEADER_BYTES, Layers, frames_ttls, ip_layer, size_of
from topology.refs import Address
from topology.wire.fields import Value
from topology.wire.registry import pack

VNI_MIN, VNI_MAX = 1, 2**24 - 1
"""24 bits (RFC 7348, section 5); the kernel takes 0 for a VNI that was never given."""
UDP = 17
"""The protocol number of UDP (RFC 768)."""


class Odd(NamedTuple):
    """A fault of a forged header: in words, and its fields."""

    words: str
    fields: Mapping[str, Value]


class Unwrapped(NamedTuple):
    """A packet in a tunnel, as its receiver sees it: the key of the device that takes it, that device in words, and
    what is inside."""

    key: Hashable
    device: str
    inside: Layers


@dataclass(frozen=True, kw_only=True)
class Tunnel(Device):
    """A device that encapsulates packets between ``local`` and ``remote``; a point-to-point one, unless its kind says
    otherwise."""

    local: Address
    remote: Address

    carries: ClassVar[tuple[str, ...]] = ("ipv4", "ipv6")
    """The layers that can be inside."""
    headers: ClassVar[tuple[str, ...]]
    """The layers between the outer IP header and what is inside."""
    protocol: ClassVar[int] = UDP
    """The protocol number in the outer IP header."""
    versions: ClassVar[tuple[int, ...]] = (4, 6)
    """The IP versions that can carry it."""
    colour: ClassVar[str]
    """Its colour in a drawing."""
    twin_right: ClassVar[str] = "another vni or port"
    """What keeps two of them apart in one node."""
    any_sender: ClassVar[bool] = False
    """True if it takes packets of any sender."""
    wire_fields: ClassVar[Mapping[str, Value]] = {}
    """Fields of every header on the wire, beside those that are compared."""
    odd_headers: ClassVar[Mapping[str, Odd]] = {}
    """The faults that a forged header can have, by the kind of forgery; refused unless ``declared_by`` says more."""
    declared_by: ClassVar[Mapping[str, str]] = {}
    """By kind of forgery, the promise of ``topology.model.Isolation`` about it."""
    identity_max: ClassVar[int] = VNI_MAX
    """The greatest number that tells its packets from those of another one."""

    @property
    def remotes(self) -> tuple[Address, ...]:
        """The addresses of all remote ends."""
        return (self.remote,)

    @property
    def each(self) -> tuple[Tunnel, ...]:
        """The device as all tunnels that it is: one, unless it takes a number from each packet."""
        return (self,)

    @property
    def leads_to(self) -> tuple[Address, ...]:
        """The addresses of all ends to which it sends anything."""
        return self.remotes

    @property
    def identity(self) -> tuple[tuple[str, int | None], ...]:
        """The settings that must be equal at both ends beside the addresses."""
        return ()

    @property
    def has_sound_identity(self) -> bool:
        """True if a packet can carry the identity."""
        return True

    @property
    def title(self) -> str:
        """The tunnel in words."""
        return self.title_of(**dict(self.identity))

    @classmethod
    def title_of(cls, **identity: object) -> str:
        """Return a tunnel of an identity in words."""
        words = [f"{name.replace('vni', 'VNI')} {value}" for name, value in identity.items() if value is not None]
        return " ".join([cls.noun, *words])

    def under(self, number: int) -> Self:
        """Return the same device under another VNI, or key."""
        return replace(self, **{self.identity[0][0]: number})  # type: ignore[arg-type]

    @property
    def source_by_route(self) -> bool:
        """True if the route to a remote selects the source of its packets."""
        return False

    @property
    def without_local(self) -> bool:
        """True if it has no one address of its own: it receives at every address of its node, and sends to each remote
        from the one that the route selects."""
        return False

    @property
    def out_by(self) -> str | None:
        """The device by which alone its packets leave."""
        return None

    @property
    def learns(self) -> bool:
        """True if it learns which remote a MAC is behind."""
        return False

    @property
    def is_told(self) -> bool:
        """True if what sends its packets to which remote may be elsewhere."""
        return not self.learns

    def towards(self, mac: object) -> tuple[Address, ...]:
        """Return the remotes of a frame to a MAC that is not learned."""
        return self.remotes

    @property
    def lookup(self) -> Hashable:
        """The key by which the kernel of its node finds it for a packet."""
        return self.lookup_of(self.local, self.remote, **dict(self.identity))

    def lookup_at(self, remote: Address) -> Hashable:
        """Return the key by which the kernel of a remote looks for the device of its packets."""
        return self.lookup_of(remote, self.local, **dict(self.identity))

    @classmethod
    def lookup_of(cls, local: Address, remote: Address, **identity: object) -> Hashable:
        """Return the key of a packet for ``local`` from ``remote``."""
        return (cls, local, remote, *identity.values())

    def wrap(self, inside: Layers, source: Address, remote: Address) -> Iterator[Layers]:
        """Yield the packets that may leave for a remote."""
        for ttl in self.ttls(inside):
            yield (ip_layer(source, remote, ttl, self.protocol), *self.header(inside[0][0]), *inside)

    def ttls(self, inside: Layers) -> tuple[int, ...]:
        """Return the TTLs that the outer header may get."""
        return (DEFAULT_TTL,)

    def header(self, inside: str) -> Layers:
        """Return the layers between the outer IP header and what is inside, by the name of its first layer."""
        raise NotImplementedError

    def header_bytes(self, inside: str, odd: str = "") -> bytes:
        """Return the tunnel's own header in front of ``inside``, with one of its odd headers' faults."""
        layer, fields = self.header(inside)[-1]
        return pack(layer, {**fields, **self.wire_fields, **(self.odd_headers[odd].fields if odd else {})})  # type: ignore[dict-item]

    @classmethod
    def unwrap(cls, packet: Layers) -> Unwrapped | None:
        """Return what is in a packet; None where it is in no tunnel of this kind."""
        inside = packet[1 + len(cls.headers) :]
        if tuple(name for name, _ in packet[1 : 1 + len(cls.headers)]) != cls.headers:
            return None
        if not inside or inside[0][0] not in cls.carries:
            return None
        src, dst = (ip_address(str(packet[0][1][end])) for end in ("src", "dst"))
        identity = cls.identity_in(packet[1:])
        return Unwrapped(cls.lookup_of(dst, src, **identity), cls.device_for(dst, src, **identity), inside)

    @classmethod
    def identity_in(cls, layers: Layers) -> dict[str, object]:
        """Return the identity in a packet's headers after the outer IP header."""
        return {}

    @classmethod
    def device_for(cls, local: Address, remote: Address, **identity: object) -> str:
        """Return a description of the device that takes a packet."""
        return f"{cls.noun} device for packets from {remote} to {local}"

    @property
    def overhead(self) -> int:
        """The bytes around an IP packet: the outer IP header, the tunnel's, and a frame's."""
        version, frame = self.remote.version, HEADER_BYTES["ether"] if self.ethernet else 0
        return HEADER_BYTES[f"ipv{version}"] + size_of(self.header("ether" if self.ethernet else "ipv4")) + frame

    def own_mtu(self, below: Below) -> int:
        """Return the MTU that remains of the device by which the far end is reached (ip_tunnel_bind_dev,
        net/ipv4/ip_tunnel.c; ip6gre_tnl_link_config_route, net/ipv6/ip6_gre.c).
        """
        return max(LEAST_MTU[self.remote.version], (below.towards(self.remote) or PORT_MTU) - self.overhead)


def ttl_words(known: Mapping[str, object]) -> object:
    """Return the outer TTL of a live UDP tunnel in the words of ip-link(8)."""
    return "inherit" if known.get("ttl_inherit") else known.get("ttl") or "auto"


@dataclass(frozen=True, kw_only=True)
class UdpTunnel(Tunnel):
    """A tunnel that carries Ethernet frames in UDP, under a VNI."""

    vni: int
    port: int
    ttl: int | None = None
    """The outer TTL; None is the node's default."""
    inherit_ttl: bool = False
    """True for a live one that copies the TTL of a packet in the frame."""

    carries: ClassVar = ("ether",)
    undeclared: ClassVar = frozenset(("udpcsum", "udp6zerocsumtx", "udp6zerocsumrx", "df"))

    def ttls(self, inside: Layers) -> tuple[int, ...]:
        """Return the TTLs that the outer header may get."""
        return frames_ttls(inside, self.remote.version) if self.inherit_ttl else (self.ttl or DEFAULT_TTL,)

    @property
    def identity(self) -> tuple[tuple[str, int | None], ...]:
        """VNI and UDP port."""
        return (("vni", self.vni), ("port", self.port))

    @property
    def has_sound_identity(self) -> bool:
        """True if the VNI fits its 24 bits."""
        return VNI_MIN <= self.vni <= VNI_MAX

    def header(self, inside: str) -> Layers:
        """Return the UDP header and the tunnel's own."""
        return (("udp", {"dport": self.port}), (self.headers[-1], {"vni": self.vni, **self.further_fields}))

    @property
    def further_fields(self) -> dict[str, object]:
        """The fields of its header other than the VNI."""
        return {}

    @classmethod
    def identity_in(cls, layers: Layers) -> dict[str, object]:
        """Return VNI and UDP port of a packet."""
        (_, udp), (_, tunnel) = layers[:2]
        return {"vni": tunnel["vni"], "port": udp["dport"]}
