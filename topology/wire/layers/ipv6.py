"""IPv6 (RFC 8200) with its extension headers.

A length of 0 is right where 16 bits cannot hold it: in a jumbogram (RFC 2675), and in a packet captured before a
device has segmented it (BIG TCP: ``ip6_xmit`` in net/ipv6/ip6_output.c).
"""

from __future__ import annotations

from topology.wire.fields import Value
from topology.wire.layer import Layer
from topology.wire.rules import Want
from topology.wire.walk import Step, Walk
from topology.wire.words import pieces

MAX_EXTENSIONS = 8
"""IPv6 extension headers that are walked in one packet; RFC 8200 section 4.1 recommends at most seven."""

_HOP_BY_HOP, _FRAGMENT, _NOTHING = 0, 44, 59
_EXTENSIONS = {_HOP_BY_HOP: "hop-by-hop", 43: "routing", _FRAGMENT: "fragment", 60: "destination"}
_JUMBO, _JUMBO_MIN = 0xC2, 0x10000
"""The option of a jumbogram, and the least payload that one has (RFC 2675, sections 2 and 3)."""


def ipv6(walk: Walk, at: int) -> Step:
    """Read an IPv6 header with its extension headers: its field `ext` names them, its length counts them."""
    fields = walk.read("ipv6", at)
    if fields is None:
        return "payload", at
    version, plen, following = (int(fields[name]) for name in ("version", "plen", "nh"))
    if version != 6:
        walk.problem("ipv6", at, f"version {version}, not 6")
        return "payload", at
    jumbo = _jumbo(walk, at + 40) if following == _HOP_BY_HOP else None
    walk.jumbo = not plen and following != _NOTHING and not walk.only_padding
    if not walk.jumbo:
        walk.bound("ipv6", at, 40 + plen, 40)
    elif jumbo is not None and jumbo >= _JUMBO_MIN:
        walk.bound("ipv6", at, 40 + jumbo, 40, "jumbo option")
    extensions, upper, after = _extensions(walk, following, at + 40)
    if wrong := _contradiction(walk, at, plen, jumbo, upper, "fragment" in extensions):
        walk.problem("ipv6", at, wrong)
    further: dict[str, Value] = {"ext": ",".join(extensions)} if extensions else {}
    if jumbo is not None:
        further["jumbo"] = jumbo
    walk.add("ipv6", fields | further, at, after - at)
    return upper, after


def _jumbo(walk: Walk, at: int) -> int | None:
    """Return the payload length in a hop-by-hop header's jumbo option, None without a whole one."""
    end = min(walk.end, at + 8 * (walk.frame[at + 1] + 1)) if at + 8 <= walk.end else at
    at += 2
    while at + 2 <= end:
        kind, size = walk.frame[at : at + 2]
        if kind == _JUMBO and size == 4 and at + 6 <= end:
            return int.from_bytes(walk.frame[at + 2 : at + 6])
        at += 2 + size if kind else 1
    return None


def _contradiction(walk: Walk, at: int, plen: int, jumbo: int | None, upper: str, fragment: bool) -> str:
    """Return how the lengths of a packet contradict each other; empty where they agree (RFC 2675, section 3)."""
    if jumbo is None:
        if walk.jumbo and (not walk.tables.segmented(upper) or fragment):
            return f"its length field says 0 bytes behind its header, {walk.end - at - 40} are there"
        return ""
    if plen:
        return f"its length field says {plen} bytes, its jumbo option {jumbo}"
    if jumbo < _JUMBO_MIN:
        return f"its jumbo option says {jumbo} bytes, a jumbogram has at least {_JUMBO_MIN}"
    return "its jumbo option stands beside a fragment header" if fragment else ""


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
    further="ext:text jumbo:32",
    over=frozenset({"ether", "dot1q"}),
    ethertypes=(0x86DD,),
    tunnelled_as=0x86DD,
    implies=lambda _, __: (Want("ext", why="no extension headers"),),
    words=lambda fields: pieces(fields, "{src}>{dst}", "hlim {hlim}", "with {ext}"),
    scapy="scapy.layers.inet6:IPv6",
)
