"""Internet-layer headers: IPv4, IPv6 with its extension headers, and the marker of IP in IP.

Checksums are fields like any other and are not verified: with checksum offload a captured one can be
unfinished.
"""

from __future__ import annotations

from socket import AF_INET6, inet_ntoa, inet_ntop
from struct import Struct

from topology.wire.walk import IPV4_PROTOCOLS, IPV6_PROTOCOLS, Header, Step, Value, Walk

MAX_EXTENSIONS = 8
"""IPv6 extension headers that are walked in one packet; RFC 8200 section 4.1 recommends at most seven."""

_IPV4 = Struct("!BBHHHBBH4s4s")
_IPV6 = Struct("!IHBB16s16s")
_FRAGMENT = 44
_EXTENSIONS = {0: "hop-by-hop", 43: "routing", _FRAGMENT: "fragment", 60: "destination"}
_MF, _OFFSET = 0x2000, 0x1FFF


def ipv4(walk: Walk, at: int) -> Step:
    """IPv4 (RFC 791). A first fragment has what its packet starts with; behind a later one's header is payload."""
    if walk.lacks("ipv4", at, 20):
        return "payload", at
    first, tos, total, ident, word, ttl, proto, chksum, src, dst = _IPV4.unpack_from(walk.frame, at)
    size = (first & 15) * 4
    if first >> 4 != 4 or size < 20:
        walk.problem("ipv4", at, f"version {first >> 4} and header length {size}, not 4 and at least 20")
        return "payload", at
    if walk.lacks("ipv4", at, size):
        return "payload", at
    fields: dict[str, Value] = {
        "version": 4,
        "ihl": size >> 2,
        "tos": tos,
        "len": total,
        "id": ident,
        "flags": word >> 13,
        "frag": word & 0x1FFF,
        "ttl": ttl,
        "proto": proto,
        "chksum": chksum,
        "src": inet_ntoa(src),
        "dst": inet_ntoa(dst),
    }
    if size > 20:
        fields["options"] = walk.frame[at + 20 : at + size]
    walk.headers.append(Header("ipv4", fields, at, size))
    walk.bound("ipv4", at, total, size)
    walk.cut = walk.cut or bool(word & _MF)
    return "payload" if word & _OFFSET else IPV4_PROTOCOLS.get(proto, "payload"), at + size


def ipv6(walk: Walk, at: int) -> Step:
    """IPv6 (RFC 8200) with its extension headers: its field `ext` names them, its length counts them."""
    if walk.lacks("ipv6", at, 40):
        return "payload", at
    word, plen, nh, hlim, src, dst = _IPV6.unpack_from(walk.frame, at)
    if word >> 28 != 6:
        walk.problem("ipv6", at, f"version {word >> 28}, not 6")
        return "payload", at
    walk.bound("ipv6", at, 40 + plen, 40)
    extensions, upper, after = _extensions(walk, nh, at + 40)
    fields: dict[str, Value] = {
        "version": 6,
        "tc": word >> 20 & 0xFF,
        "fl": word & 0xFFFFF,
        "plen": plen,
        "nh": nh,
        "hlim": hlim,
        "src": inet_ntop(AF_INET6, src),
        "dst": inet_ntop(AF_INET6, dst),
    }
    if extensions:
        fields["ext"] = ",".join(extensions)
    walk.headers.append(Header("ipv6", fields, at, after - at))
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
        # RFC 8200 section 4.5: 13 bits of offset, two reserved, M. An atomic fragment (RFC 6946) is a whole
        # packet.
        word = int.from_bytes(walk.frame[at + 2 : at + 4]) if following == _FRAGMENT else 0
        walk.cut = walk.cut or bool(word & 1)
        following = walk.frame[at]
        at += size
        if word & 0xFFF8:
            return names, "payload", at
    return names, IPV6_PROTOCOLS.get(following, "payload"), at


def ipip4(walk: Walk, at: int) -> Step:
    """The marker before an IPv4 header directly in an IP header (protocol 4, RFC 2003 and RFC 2473)."""
    walk.headers.append(Header("ipip", {}, at, 0))
    return "ipv4", at


def ipip6(walk: Walk, at: int) -> Step:
    """The marker before an IPv6 header directly in an IP header (protocol 41, RFC 4213 and RFC 2473)."""
    walk.headers.append(Header("ipip", {}, at, 0))
    return "ipv6", at
