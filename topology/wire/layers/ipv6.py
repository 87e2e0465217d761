"""IPv6 (RFC 8200) with its extension headers."""

from __future__ import annotations

from topology.wire.fields import Value
from topology.wire.layer import Layer
from topology.wire.rules import Want
from topology.wire.walk import Step, Walk
from topology.wire.words import pieces

MAX_EXTENSIONS = 8
"""IPv6 extension headers that are walked in one packet; RFC 8200 section 4.1 recommends at most seven."""

_FRAGMENT = 44
_EXTENSIONS = {0: "hop-by-hop", 43: "routing", _FRAGMENT: "fragment", 60: "destination"}


def ipv6(walk: Walk, at: int) -> Step:
    """Read an IPv6 header with its extension headers: its field `ext` names them, its length counts them."""
    fields = walk.read("ipv6", at)
    if fields is None:
        return "payload", at
    version, plen, following = (int(fields[name]) for name in ("version", "plen", "nh"))
    if version != 6:
        walk.problem("ipv6", at, f"version {version}, not 6")
        return "payload", at
    if not walk.is_longer(plen, at + 40):
        walk.bound("ipv6", at, 40 + plen, 40)
    extensions, upper, after = _extensions(walk, following, at + 40)
    further: dict[str, Value] = {"ext": ",".join(extensions)} if extensions else {}
    walk.add("ipv6", fields | further, at, after - at)
    return upper, after


def _extensions(walk: Walk, following: int, at: int) -> tuple[list[str], str, int]:
    """Walk the extension headers from `at` on: their names, the layer behind them, and its offset."""
    names: list[str] = []
    while following in _EXTENSIONS:
        if len(names) == MAX_EXTENSIONS:
            walk.problem("ipv6", at, f"more than {MAX_EXTENSIONS} extension headers")
            return names, "payload", at
        name = _EXTENSIONS[following]
        if walk.lacks(name, at, 8):
            return names, "payload", at
        size = 8 if following == _FRAGMENT else (walk.frame[at + 1] + 1) * 8
        if walk.lacks(name, at, size):
            return names, "payload", at
        names.append(name)
        # RFC 8200 section 4.5: 13 bits of offset, two reserved, M. An atomic fragment (RFC 6946) is a whole packet.
        word = int.from_bytes(walk.frame[at + 2 : at + 4]) if following == _FRAGMENT else 0
        walk.cut = walk.cut or bool(word & 1)
        following = walk.frame[at]
        at += size
        if word & 0xFFF8:
            return names, "payload", at
    return names, walk.by_protocol(6, following), at


IPV6 = Layer(
    "ipv6",
    ipv6,
    layout="version:4 tc:8 fl:20 plen:16 nh:8 hlim:8 src:ip6 dst:ip6",
    further="ext:text",
    over=frozenset({"ether", "dot1q"}),
    ethertypes=(0x86DD,),
    tunnelled_as=0x86DD,
    implies=lambda _, __: (Want("ext", why="no extension headers"),),
    words=lambda fields: pieces(fields, "{src}>{dst}", "hlim {hlim}", "with {ext}"),
    scapy="IPv6",
)
