"""Tunnel headers: GRE, VXLAN, GENEVE."""

from __future__ import annotations

from struct import Struct

from topology.wire.walk import TUNNELLED, Header, Step, Value, Walk

_GRE = Struct("!HH")
_HALVES = Struct("!HH")
_WORD = Struct("!I")
_VXLAN = Struct("!II")
_GENEVE = Struct("!BBHI")


def gre(walk: Walk, at: int) -> Step:
    """GRE (RFC 2784, RFC 2890), the old form with routing (RFC 1701), and PPTP's version 1 (RFC 2637).

    Only version 0 without routing is looked into: behind any other header comes payload, source routes
    included.
    """
    if walk.lacks("gre", at, 4):
        return "payload", at
    word, proto = _GRE.unpack_from(walk.frame, at)
    fields = _gre_flags(word) if word else dict(_GRE_PLAIN)
    fields["proto"] = proto
    size = 4
    if (word & 7) > 1:
        walk.problem("gre", at, f"version {word & 7} does not exist")
    elif word & 0xF001:
        size = _gre_size(word)
        if walk.lacks("gre", at, size):
            return "payload", at
        _gre_optional(walk.frame, at + 4, word, fields)
    walk.headers.append(Header("gre", fields, at, size))
    return "payload" if word & 0x4007 else TUNNELLED.get(proto, "payload"), at + size


def _gre_flags(word: int) -> dict[str, Value]:
    """The flags and version of a GRE header whose first 16 bits are `word`."""
    return {
        "chksum_present": word >> 15,
        "routing_present": word >> 14 & 1,
        "key_present": word >> 13 & 1,
        "seqnum_present": word >> 12 & 1,
        "strict_route_source": word >> 11 & 1,
        "recursion_control": word >> 8 & 7,
        "flags": word >> 3 & 31,
        "version": word & 7,
    }


# Nearly every GRE header on a fabric is this one.
_GRE_PLAIN = _gre_flags(0)


def _gre_size(word: int) -> int:
    """Bytes of a GRE header of version 0 or 1 whose first 16 bits are `word`, without source routes."""
    if word & 7:
        return 8 + 4 * bool(word & 0x1000) + 4 * bool(word & 0x80)
    return 4 + 4 * bool(word & 0xC000) + 4 * bool(word & 0x2000) + 4 * bool(word & 0x1000)


def _gre_optional(frame: bytes, at: int, word: int, fields: dict[str, Value]) -> None:
    """Add the optional fields that the first 16 bits, `word`, announce; `at` is behind the protocol type."""
    if word & 7:
        fields["payload_len"], fields["call_id"] = _HALVES.unpack_from(frame, at)
        at += 4
    elif word & 0xC000:
        fields["chksum"], fields["offset"] = _HALVES.unpack_from(frame, at)
        at += 4
    if word & 0x2007 == 0x2000:
        (fields["key"],) = _WORD.unpack_from(frame, at)
        at += 4
    if word & 0x1000:
        (fields["sequence_number"],) = _WORD.unpack_from(frame, at)
        at += 4
    if word & 7 and word & 0x80:
        (fields["ack_number"],) = _WORD.unpack_from(frame, at)


def vxlan(walk: Walk, at: int) -> Step:
    """VXLAN (RFC 7348), whatever its flags; `reserved1` is 24 bits before the VNI, `reserved2` 8 after it."""
    if walk.lacks("vxlan", at, 8):
        return "payload", at
    first, second = _VXLAN.unpack_from(walk.frame, at)
    fields: dict[str, Value] = {
        "flags": first >> 24,
        "reserved1": first & 0xFFFFFF,
        "vni": second >> 8,
        "reserved2": second & 0xFF,
    }
    walk.headers.append(Header("vxlan", fields, at, 8))
    return "ether", at + 8


def geneve(walk: Walk, at: int) -> Step:
    """GENEVE (RFC 8926); `optionlen` counts 4-byte words, `options` are the raw bytes."""
    if walk.lacks("geneve", at, 8):
        return "payload", at
    first, second, proto, last = _GENEVE.unpack_from(walk.frame, at)
    size = 8 + 4 * (first & 63)
    if walk.lacks("geneve", at, size):
        return "payload", at
    fields: dict[str, Value] = {
        "version": first >> 6,
        "optionlen": first & 63,
        "oam": second >> 7,
        "critical": second >> 6 & 1,
        "reserved": second & 63,
        "proto": proto,
        "vni": last >> 8,
        "reserved2": last & 0xFF,
        "options": walk.frame[at + 8 : at + size],
    }
    walk.headers.append(Header("geneve", fields, at, size))
    if first >> 6:
        walk.problem("geneve", at, f"version {first >> 6} does not exist")
        return "payload", at + size
    _geneve_options(walk, at, at + size, bool(second & 64))
    return TUNNELLED.get(proto, "payload"), at + size


def _geneve_options(walk: Walk, start: int, end: int, critical: bool) -> None:
    """Note an option that reaches beyond the header, or a critical one that the header conceals (section 3.5)."""
    at = start + 8
    while at < end:
        size = 4 + 4 * (walk.frame[at + 3] & 31)
        if at + size > end:
            walk.problem("geneve", start, f"an option says {size} bytes, {end - at} are left")
        elif walk.frame[at + 2] & 0x80 and not critical:
            walk.problem("geneve", start, "an option is critical, and the C bit is clear")
        at += size
