"""GRE devices (RFC 2784, key of RFC 2890) that carry IP packets, over IPv4 and over IPv6."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, ClassVar

from topology.links.base import Key, Live, Number, Option, Options
from topology.links.tunnel import Tunnel
from topology.packet import ETHERTYPES, Layers, ttl_of
from topology.refs import Address
from topology.wire.fields import Value, pack

INHERIT_TOS = 1
"""The bit of a tunnel's TOS that makes ip_tunnel_xmit (net/ipv4/ip_tunnel.c) copy the inner packet's TOS."""
CSUM, KEY, SEQ = 0x8000, 0x2000, 0x1000
"""Flags of a GRE header (linux/if_tunnel.h): it has a checksum, a key, a sequence number."""
IGNORE_ENCAP_LIMIT = 1
"""IP6_TNL_F_IGN_ENCAP_LIMIT of linux/ip6_tunnel.h: without it each packet gets a Destination Options header (RFC 2473,
section 4.1.1)."""
INNER_TCLASS = 2
"""IP6_TNL_F_USE_ORIG_TCLASS of linux/ip6_tunnel.h: ``tos inherit`` of GRE over IPv6, which has no attribute for it."""
NO_KEY_FITS = -1
"""The key of a live device that sends with another one than it accepts."""
GRE_OPTIONS = Options(
    "local and remote ADDRESS, key NUMBER, ttl NUMBER or inherit, tos inherit",
    settings="ttl hoplimit=ttl tos tclass=tos local remote key ikey okey",
    flags="pmtudisc nokey noseq noiseq nooseq nocsum noicsum noocsum",
    fixed={"flowlabel": "0 inherit", "encaplimit": "none"},
    zero={"ttl": "inherit", "tos": ""},
)
IP6GRE_TTL = "64"
"""iproute2's value for ip6gre where none is given (DEFAULT_TNL_HOP_LIMIT, ip/link_gre6.c)."""


@dataclass(frozen=True, kw_only=True)
class GreTunnel(Tunnel):
    """What is common to all that GRE carries: with ``ttl`` None it copies the inner packet's TTL.

    With ``inherit_tos`` it copies the TOS as well, and looks up its route for every packet.
    """

    key: int | None = None
    ttl: int | None = None
    inherit_tos: bool = False

    headers: ClassVar = ("gre",)
    protocol: ClassVar = 47
    twin_right: ClassVar = "other ends, or a key of its own for each"
    identity_max: ClassVar = 2**32 - 1
    keys: ClassVar = {
        "local": Key("address"),
        "remote": Key("address"),
        "key": Key(Number("GRE key", 0, 2**32 - 1), None),
        "ttl": Key("TTL", None),
        "tos": Key("inherit", False, field="inherit_tos"),
    }
    attributes: ClassVar = (
        "2 iflags be16, 3 oflags be16, 4 ikey be32, 5 okey be32, 6 local ip, 7 remote ip, 8 ttl u8, 9 tos u8,"
        "12 flowinfo be32, 13 flags u32"
    )
    reads: ClassVar = "local, remote, ttl, tos, key, csum, seq"

    @classmethod
    def from_live(cls, live: Live) -> GreTunnel:
        """Return the device as it was read from a node."""
        version = 6 if live.kind.startswith("ip6") else 4
        key = live["key"]
        return cls(
            **live.common,
            local=live.address("local", version),
            remote=live.address("remote", version),
            key=None if key == "none" else int(key) if key.isdecimal() else NO_KEY_FITS,
            ttl=None if live["ttl"] == "inherit" else live.number("ttl"),
            inherit_tos=live["tos"] == "inherit",
        )

    @classmethod
    def is_open(cls, live: Live) -> bool:
        """Return whether a live device takes packets of any sender, or for any address."""
        return live.address("local").is_unspecified or live.address("remote").is_unspecified

    @property
    def identity(self) -> tuple[tuple[str, int | None], ...]:
        """The key, of both directions."""
        return (("key", self.key),)

    @classmethod
    def identity_in(cls, layers: Layers) -> dict[str, object]:
        """Return the key of a packet."""
        return {"key": layers[0][1].get("key")}

    @classmethod
    def device_for(cls, local: Address, remote: Address, **identity: object) -> str:
        """Return the device that takes a packet, in words."""
        keyed = "" if identity["key"] is None else f" with the key {identity['key']}"
        return f"{super().device_for(local, remote)}{keyed}"

    def header(self, inside: str) -> Layers:
        """Return the GRE header."""
        keyed = {} if self.key is None else {"key": self.key}
        return (("gre", {"proto": ETHERTYPES[inside], **keyed}),)

    def header_bytes(self, inside: str, odd: str = "") -> bytes:
        """Return the header, which says whether it has a key."""
        keyed: Mapping[str, Value] = {} if self.key is None else {"key": self.key, "key_present": 1}
        return pack("gre", {"proto": ETHERTYPES[inside], **keyed})

    def ttls(self, inside: Layers) -> tuple[int, ...]:
        """Return the TTLs that the outer header may get."""
        return inherited_ttls(inside, self.local.version) if self.ttl is None else (self.ttl,)

    def options(self) -> Iterator[Option]:
        """Yield the options with which the device is made."""
        six = self.local.version == 6
        yield Option("local", str(self.local), f"local {self.local}")
        yield Option("remote", str(self.remote), f"remote {self.remote}")
        yield Option("ttl", self.ttl or 0, f"ttl {self.ttl or 'inherit'}")
        if self.inherit_tos and not six:
            yield Option("tos", INHERIT_TOS, "tos inherit")
        if self.key is not None:
            yield Option("ikey", self.key, f"key {self.key}")
            yield from (Option("okey", self.key), Option("iflags", KEY), Option("oflags", KEY))
        if six:
            flags = IGNORE_ENCAP_LIMIT | (INNER_TCLASS if self.inherit_tos else 0)
            yield Option("flags", flags, f"{'tos inherit ' if self.inherit_tos else ''}encaplimit none")

    @classmethod
    def parameters(cls, kind: str, known: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
        """Yield a device's parameters; IPv6's TOS is part of the flow label."""
        six = kind.startswith("ip6")
        yield from (("local", known.get("local")), ("remote", known.get("remote")))
        yield "ttl", known.get("ttl") or "inherit"
        tos = known.get("flowinfo", 0) >> 20 & 0xFF if six else known.get("tos", 0)
        inherits = known.get("flags", 0) & INNER_TCLASS if six else tos == INHERIT_TOS
        yield "tos", "inherit" if inherits else tos
        for word, bit in (("key", KEY), ("csum", CSUM), ("seq", SEQ)):
            received, sent = (
                (known.get(f"{side}key") if word == "key" else "yes") if known.get(f"{side}flags", 0) & bit else "none"
                for side in "io"
            )
            yield word, received if received == sent else f"{received} in, {sent} out"


@dataclass(frozen=True, kw_only=True)
class Gre(GreTunnel):
    """A GRE device that carries IP packets, over IPv4 or IPv6."""

    kinds: ClassVar = ("gre", "ip6gre")
    noun: ClassVar = "GRE"
    ethernet: ClassVar = False
    colour: ClassVar = "#674ea7"
    section: ClassVar = "gre"
    clab: ClassVar = {
        "gre": GRE_OPTIONS,
        "ip6gre": Options(
            GRE_OPTIONS.right,
            settings=GRE_OPTIONS.settings,
            flags=GRE_OPTIONS.flags,
            fixed=GRE_OPTIONS.fixed,
            zero=GRE_OPTIONS.zero,
            defaults={"ttl": IP6GRE_TTL},
            needed={
                "encaplimit none": "an ip6gre tunnel without 'encaplimit none' adds a Destination Options header "
                "(RFC 2473)"
            },
        ),
    }
    modules: ClassVar = {"gre": "ip_gre", "ip6gre": "ip6_gre"}
    tried: ClassVar = {
        "gre": {"gre_local": "192.0.2.1", "gre_remote": "192.0.2.2"},
        "ip6gre": {"ip6gre_local": "2001:db8::1", "ip6gre_remote": "2001:db8::2"},
    }
    fallbacks: ClassVar = frozenset(("gre0", "gretap0", "erspan0", "ip6gre0"))

    @property
    def kind(self) -> str:
        """The kind of link, by the outer IP version."""
        return "ip6gre" if self.local.version == 6 else "gre"


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
