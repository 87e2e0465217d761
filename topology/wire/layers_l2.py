"""Link-layer headers: Ethernet, 802.1Q and 802.1ad tags, ARP."""

from __future__ import annotations

from socket import inet_ntoa
from struct import Struct

from topology.wire.walk import ETHERTYPES, Header, Step, Value, Walk

_ETHER = Struct("!6s6sH")
_DOT1Q = Struct("!HH")
_ARP = Struct("!HHBBH")


def ether(walk: Walk, at: int) -> Step:
    """Ethernet II (RFC 894). A `type` below 0x0600 is an 802.3 length: what follows is payload."""
    if walk.lacks("ether", at, 14):
        return "payload", at
    dst, src, kind = _ETHER.unpack_from(walk.frame, at)
    walk.headers.append(Header("ether", {"dst": dst.hex(":"), "src": src.hex(":"), "type": kind}, at, 14))
    return ETHERTYPES.get(kind, "payload"), at + 14


def dot1q_fields(tci: int, kind: Value) -> dict[str, Value]:
    """The fields of an 802.1Q tag: `tci` is its 16-bit control word, `kind` the EtherType after it."""
    return {"prio": tci >> 13 & 7, "dei": tci >> 12 & 1, "vlan": tci & 0xFFF, "type": kind}


def dot1q(walk: Walk, at: int) -> Step:
    """An 802.1Q or 802.1ad tag that is still in the frame; `at` is behind the TPID, as for scapy's Dot1Q."""
    if walk.lacks("dot1q", at, 4):
        return "payload", at
    tci, kind = _DOT1Q.unpack_from(walk.frame, at)
    walk.headers.append(Header("dot1q", dot1q_fields(tci, kind), at, 4))
    return ETHERTYPES.get(kind, "payload"), at + 4


def arp(walk: Walk, at: int) -> Step:
    """ARP (RFC 826); addresses that are not Ethernet and IPv4 stay bytes. What follows it is padding."""
    if walk.lacks("arp", at, 8):
        return "payload", at
    hwtype, ptype, hwlen, plen, op = _ARP.unpack_from(walk.frame, at)
    size = 8 + 2 * (hwlen + plen)
    if walk.lacks("arp", at, size):
        return "payload", at
    body = walk.frame[at + 8 : at + size]
    half = hwlen + plen
    hwsrc, psrc, hwdst, pdst = body[:hwlen], body[hwlen:half], body[half : half + hwlen], body[half + hwlen :]
    fields: dict[str, Value] = {"hwtype": hwtype, "ptype": ptype, "hwlen": hwlen, "plen": plen, "op": op}
    fields |= {"hwsrc": hwsrc.hex(":"), "hwdst": hwdst.hex(":")} if hwlen == 6 else {"hwsrc": hwsrc, "hwdst": hwdst}
    ipv4 = ptype == 0x0800 and plen == 4
    fields |= {"psrc": inet_ntoa(psrc), "pdst": inet_ntoa(pdst)} if ipv4 else {"psrc": psrc, "pdst": pdst}
    walk.headers.append(Header("arp", fields, at, size))
    walk.end = at + size
    return "payload", at + size
