"""Tunnels directly over IP (net/ipv4/ip_tunnel.c): what all of them can have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from topology.links.base import Key, Live, Option
from topology.links.tunnel import Tunnel
from topology.packet import Layers, inherited_ttls

INHERIT_TOS = 1
"""The bit of a tunnel's TOS that makes ip_tunnel_xmit (net/ipv4/ip_tunnel.c) copy the inner packet's TOS."""


@dataclass(frozen=True, kw_only=True)
class IpTunnel(Tunnel):
    """A tunnel between two addresses; with ``ttl`` None it copies the inner packet's TTL.

    With ``inherit_tos`` it copies the TOS as well, and looks up its route for every packet.
    """

    ttl: int | None = None
    inherit_tos: bool = False
    dev: str | None = None
    """The device by which alone a live one sends its packets."""

    twin_right: ClassVar = "other ends"
    keys: ClassVar = {
        "local": Key("address"),
        "remote": Key("address"),
        "ttl": Key("TTL", None),
        "tos": Key("inherit", False, field="inherit_tos"),
    }
    reads: ClassVar = "local, remote, ttl, tos, pmtudisc, dev"
    undeclared: ClassVar = frozenset(("dev", "pmtudisc"))

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
        return {**ends, "ttl": ttl, "inherit_tos": live["tos"] == "inherit", "dev": live["dev"] or None}

    @classmethod
    def is_open(cls, live: Live) -> bool:
        """Return whether a live device takes packets of any sender, or for any address."""
        return live.address("local").is_unspecified or live.address("remote").is_unspecified

    @property
    def out_by(self) -> str | None:
        """The device by which alone its packets leave."""
        return self.dev

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
        if not known.get("pmtudisc", 1):
            yield "pmtudisc", "off"
        if known.get("link"):
            yield "dev", known["link"]
