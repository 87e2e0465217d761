"""Tunnels directly over IP (net/ipv4/ip_tunnel.c): what all of them can have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, ClassVar, Self

from topology.links.base import Key, Live, Option
from topology.links.tunnel import Tunnel
from topology.packet import Layers, ttl_of

INHERIT_TOS = 1
"""The bit of a tunnel's TOS that makes ip_tunnel_xmit (net/ipv4/ip_tunnel.c) copy the inner packet's TOS."""


@dataclass(frozen=True, kw_only=True)
class IpTunnel(Tunnel):
    """A tunnel between two addresses; with ``ttl`` None it copies the inner packet's TTL.

    With ``inherit_tos`` it copies the TOS as well, and looks up its route for every packet.
    """

    ttl: int | None = None
    inherit_tos: bool = False

    twin_right: ClassVar = "other ends"
    keys: ClassVar = {
        "local": Key("address"),
        "remote": Key("address"),
        "ttl": Key("TTL", None),
        "tos": Key("inherit", False, field="inherit_tos"),
    }
    reads: ClassVar = "local, remote, ttl, tos"

    @classmethod
    def from_live(cls, live: Live) -> Self:
        """Return the device as it was read from a node."""
        return cls(**live.common, **cls.settings(live))

    @classmethod
    def settings(cls, live: Live) -> dict[str, Any]:
        """Return what was read of a device."""
        version = 6 if live.kind.startswith("ip6") else 4
        ends = {end: live.address(end, version) for end in ("local", "remote")}
        ttl = None if live["ttl"] == "inherit" else live.number("ttl")
        return {**ends, "ttl": ttl, "inherit_tos": live["tos"] == "inherit"}

    @classmethod
    def is_open(cls, live: Live) -> bool:
        """Return whether a live device takes packets of any sender, or for any address."""
        return live.address("local").is_unspecified or live.address("remote").is_unspecified

    def ttls(self, inside: Layers) -> tuple[int, ...]:
        """Return the TTLs that the outer header may get."""
        return inherited_ttls(inside, self.local.version) if self.ttl is None else (self.ttl,)

    def options(self) -> Iterator[Option]:
        """Yield the options with which the device is made; IPv6 has no attribute for the TOS."""
        yield Option("local", str(self.local), f"local {self.local}")
        yield Option("remote", str(self.remote), f"remote {self.remote}")
        yield Option("ttl", self.ttl or 0, f"ttl {self.ttl or 'inherit'}")
        if self.inherit_tos:
            yield Option("tos" if self.local.version == 4 else "", INHERIT_TOS, "tos inherit")

    @classmethod
    def parameters(cls, kind: str, known: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
        """Yield a device's parameters."""
        yield from (("local", known.get("local")), ("remote", known.get("remote")))
        yield "ttl", known.get("ttl") or "inherit"
        tos = known.get("tos", 0)
        yield "tos", "inherit" if tos == INHERIT_TOS else tos


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
