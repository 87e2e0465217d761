"""GRE devices (RFC 2784, key of RFC 2890) that carry IP packets, over IPv4 and over IPv6."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from topology.links.base import Key, Live, Number, Option, Options
from topology.links.iptunnel import INHERIT_TOS, IpTunnel
from topology.packet import ETHERTYPES, Layer, Layers
from topology.refs import Address
from topology.wire.fields import Value
from topology.wire.registry import pack

CSUM, KEY, SEQ = 0x8000, 0x2000, 0x1000
"""Flags of a GRE header (linux/if_tunnel.h): it has a checksum, a key, a sequence number."""
EXTRAS: Mapping[str, str] = {"csum": "chksum_present", "seq": "seqnum_present"}
"""By the word of ip-link(8) the field of a header that has it."""
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
class GreTunnel(IpTunnel):
    """The base of all GRE devices."""

    key: int | None = None
    extras: tuple[tuple[str, str], ...] = ()
    """Of ``csum`` and ``seq`` what a live device has set: ``yes``, or the directions."""

    headers: ClassVar = ("gre",)
    protocol: ClassVar = 47
    twin_right: ClassVar = "other ends, or a key of its own for each"
    identity_max: ClassVar = 2**32 - 1
    keys: ClassVar = {**IpTunnel.keys, "key": Key(Number("GRE key", 0, 2**32 - 1), None)}
    attributes: ClassVar = (
        "1 link u32, 2 iflags be16, 3 oflags be16, 4 ikey be32, 5 okey be32, 6 local ip, 7 remote ip, 8 ttl u8,"
        "9 tos u8, 10 pmtudisc u8, 11 encaplimit u8, 12 flowinfo be32, 13 flags u32, 19 ignore_df u8"
    )
    reads: ClassVar = f"{IpTunnel.reads}, key, csum, seq, ignore-df, encaplimit"
    undeclared: ClassVar = IpTunnel.undeclared | {"encaplimit"}

    @classmethod
    def settings(cls, live: Live) -> dict[str, Any]:
        """Return what was read of a device."""
        key = live["key"]
        known = None if key == "none" else int(key) if key.isdecimal() else NO_KEY_FITS
        extras = tuple((word, live[word]) for word in EXTRAS if live[word] not in ("", "none"))
        return {**super().settings(live), "key": known, "extras": extras}

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
        """Return a description of the device that takes a packet."""
        keyed = "" if identity["key"] is None else f" with the key {identity['key']}"
        return f"{super().device_for(local, remote)}{keyed}"

    def header(self, inside: str) -> Layers:
        """Return the GRE header."""
        keyed = {} if self.key is None else {"key": self.key}
        sent = {EXTRAS[word]: 1 for word, how in self.extras if how == "yes" or how.endswith("yes out")}
        return (("gre", {"proto": ETHERTYPES[inside], **keyed, **sent}),)

    def mismatch(self, header: Layer) -> str:
        """Return the word in which a packet's header differs from what the device takes (ip_tunnel_rcv): a checksum
        must be where one is expected and nowhere else, a sequence number where one is expected."""
        for word, has in EXTRAS.items():
            wanted = dict(self.extras).get(word, "none").startswith("yes")
            if wanted != (has in header[1]) and (wanted or word == "csum"):
                return word
        return ""

    def header_bytes(self, inside: str, odd: str = "") -> bytes:
        """Return the header, which says whether it has a key."""
        keyed: Mapping[str, Value] = {} if self.key is None else {"key": self.key, "key_present": 1}
        return pack("gre", {"proto": ETHERTYPES[inside], **keyed})

    def options(self) -> Iterator[Option]:
        """Yield the options with which the device is made."""
        yield from super().options()
        if self.key is not None:
            yield Option("ikey", self.key, f"key {self.key}")
            yield from (Option("okey", self.key), Option("iflags", KEY), Option("oflags", KEY))
        if self.local.version == 6:
            flags = IGNORE_ENCAP_LIMIT | (INNER_TCLASS if self.inherit_tos else 0)
            yield Option("flags", flags, "encaplimit none")

    @classmethod
    def parameters(cls, kind: str, known: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
        """Yield a device's parameters; IPv6's TOS is part of the flow label."""
        if kind.startswith("ip6"):
            inherits = known.get("flags", 0) & INNER_TCLASS
            known = {**known, "tos": INHERIT_TOS if inherits else known.get("flowinfo", 0) >> 20 & 0xFF}
        yield from super().parameters(kind, known)
        for word, bit in (("key", KEY), ("csum", CSUM), ("seq", SEQ)):
            received, sent = (
                (known.get(f"{side}key") if word == "key" else "yes") if known.get(f"{side}flags", 0) & bit else "none"
                for side in "io"
            )
            yield word, received if received == sent else f"{received} in, {sent} out"
        if kind.startswith("ip6") and not known.get("flags", IGNORE_ENCAP_LIMIT) & IGNORE_ENCAP_LIMIT:
            yield "encaplimit", known.get("encaplimit")
        if known.get("ignore_df"):
            yield "ignore-df", "on"


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
