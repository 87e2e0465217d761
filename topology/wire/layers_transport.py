"""What IP carries: ICMP, ICMPv6, UDP, TCP."""

from __future__ import annotations

from socket import inet_ntoa
from struct import Struct

from topology.wire.walk import Header, Step, Value, Walk

ICMP_ERRORS = frozenset({3, 4, 5, 11, 12})
"""ICMP types (RFC 792) whose payload is a quoted packet."""

ICMPV6_ERRORS = frozenset({1, 2, 3, 4})
"""ICMPv6 types (RFC 4443) whose payload is a quoted packet."""

_ICMP = Struct("!BBHHH")
_UDP = Struct("!HHHH")
_TCP = Struct("!HHIIHHHH")


def icmp4(walk: Walk, at: int) -> Step:
    """ICMP (RFC 792, RFC 1191): `id` and `seq` for echo; `nexthopmtu`, `gw`, `ptr` for some errors."""
    if walk.lacks("icmp", at, 8):
        return "payload", at
    kind, code, chksum, high, low = _ICMP.unpack_from(walk.frame, at)
    fields: dict[str, Value] = {"version": 4, "type": kind, "code": code, "chksum": chksum}
    if kind in (0, 8):
        fields["id"] = high
        fields["seq"] = low
    elif kind == 3:
        fields["nexthopmtu"] = low
    elif kind == 5:
        fields["gw"] = inet_ntoa(walk.frame[at + 4 : at + 8])
    elif kind == 12:
        fields["ptr"] = high >> 8
    walk.headers.append(Header("icmp", fields, at, 8))
    return "payload", at + 8


def icmp6(walk: Walk, at: int) -> Step:
    """ICMPv6 (RFC 4443): `id` and `seq` for echo, `mtu` for packet too big, `ptr` for parameter problem."""
    if walk.lacks("icmp", at, 8):
        return "payload", at
    kind, code, chksum, high, low = _ICMP.unpack_from(walk.frame, at)
    fields: dict[str, Value] = {"version": 6, "type": kind, "code": code, "chksum": chksum}
    if kind in (128, 129):
        fields["id"] = high
        fields["seq"] = low
    elif kind == 2:
        fields["mtu"] = high << 16 | low
    elif kind == 4:
        fields["ptr"] = high << 16 | low
    walk.headers.append(Header("icmp", fields, at, 8))
    return "payload", at + 8


def udp(walk: Walk, at: int) -> Step:
    """UDP (RFC 768). Only its *destination* port, one that the caller named, makes a tunnel of it."""
    if walk.lacks("udp", at, 8):
        return "payload", at
    sport, dport, size, chksum = _UDP.unpack_from(walk.frame, at)
    walk.headers.append(Header("udp", {"sport": sport, "dport": dport, "len": size, "chksum": chksum}, at, 8))
    there = walk.end - at
    # RFC 2675, section 4, says 0; Linux's tunnels leave the low 16 bits (udp_tunnel_xmit_skb).
    fits = size == there or (walk.jumbo and (size == 0 or size == there & 0xFFFF))
    if not fits and (size < there or not walk.cut):
        walk.problem("udp", at, f"its length field says {size} bytes, {there} are there")
        if 8 <= size < there:
            walk.end = at + size
    vxlan, geneve = dport in walk.vxlan_ports, dport in walk.geneve_ports
    if vxlan and geneve:
        # Where VXLAN has reserved bits (RFC 7348), Geneve has the protocol type of what it carries (RFC 8926).
        geneve = any(walk.frame[at + 10 : at + 12])
    if vxlan or geneve:
        return ("geneve" if geneve else "vxlan"), at + 8
    return "payload", at + 8


def tcp(walk: Walk, at: int) -> Step:
    """TCP (RFC 9293); its options belong to the header's length and are no field."""
    if walk.lacks("tcp", at, 20):
        return "payload", at
    sport, dport, seq, ack, word, window, chksum, urgptr = _TCP.unpack_from(walk.frame, at)
    size = (word >> 12) * 4
    if size < 20:
        walk.problem("tcp", at, f"its data offset says {size} bytes, a header has at least 20")
        return "payload", at
    if walk.lacks("tcp", at, size):
        return "payload", at
    fields: dict[str, Value] = {
        "sport": sport,
        "dport": dport,
        "seq": seq,
        "ack": ack,
        "dataofs": size >> 2,
        "reserved": word >> 9 & 7,
        "flags": word & 0x1FF,
        "window": window,
        "chksum": chksum,
        "urgptr": urgptr,
    }
    walk.headers.append(Header("tcp", fields, at, size))
    return "payload", at + size
