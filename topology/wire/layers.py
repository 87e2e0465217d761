"""The layer functions but IP's: Ethernet, tags and ARP below it; ICMP, UDP, TCP and the tunnels above it."""

from __future__ import annotations

from collections.abc import Mapping

from topology.wire.fields import size_of, unpack
from topology.wire.layers_ip import ipv4, ipv6
from topology.wire.walk import ETHERTYPES, TUNNELLED, Parser, Step, Walk

ICMP_ERRORS = frozenset({3, 4, 5, 11, 12})
ICMPV6_ERRORS = frozenset({1, 2, 3, 4})
"""The types (RFC 792, RFC 4443) whose payload is a quoted packet."""

_ECHO = "id:16 seq:16"
_ICMP_REST: Mapping[tuple[int, int], str] = {
    (4, 0): _ECHO,
    (4, 3): "_:16 nexthopmtu:16",
    (4, 5): "gw:ip4",
    (4, 8): _ECHO,
    (4, 12): "ptr:8 _:24",
    (6, 2): "mtu:32",
    (6, 4): "ptr:32",
    (6, 128): _ECHO,
    (6, 129): _ECHO,
}
"""The second word of an ICMP header by IP version and type (RFC 792, RFC 1191, RFC 4443)."""

_GRE_OPTIONS: Mapping[int, tuple[tuple[int, str], ...]] = {
    0: ((0xC000, "chksum:16 offset:16"), (0x2000, "key:32"), (0x1000, "sequence_number:32")),
    1: ((0xFFFF, "payload_len:16 call_id:16"), (0x1000, "sequence_number:32"), (0x0080, "ack_number:32")),
}
"""The optional fields of a GRE header by version, each with the bits of the first word that announce it."""


def ether(walk: Walk, at: int) -> Step:
    """Ethernet II (RFC 894). A `type` below 0x0600 is an 802.3 length: payload follows."""
    return _typed(walk, "ether", at)


def dot1q(walk: Walk, at: int) -> Step:
    """An 802.1Q or 802.1ad tag that is still in the frame; `at` is behind the TPID, as for scapy's Dot1Q."""
    return _typed(walk, "dot1q", at)


def _typed(walk: Walk, layer: str, at: int) -> Step:
    fields = walk.read(layer, at)
    if fields is None:
        return "payload", at
    return ETHERTYPES.get(int(fields["type"]), "payload"), walk.add(layer, fields, at, 14 if layer == "ether" else 4)


def arp(walk: Walk, at: int) -> Step:
    """ARP (RFC 826); addresses that are not Ethernet and IPv4 stay bytes. Padding follows it."""
    fields = walk.read("arp", at)
    if fields is None:
        return "payload", at
    hwlen, plen = int(fields["hwlen"]), int(fields["plen"])
    size = 8 + 2 * (hwlen + plen)
    if walk.lacks("arp", at, size):
        return "payload", at
    kinds = {"hw": "mac" if hwlen == 6 else "", "p": "ip4" if (fields["ptype"], plen) == (0x0800, 4) else ""}
    after = at + 8
    for name, length in (("hwsrc", hwlen), ("psrc", plen), ("hwdst", hwlen), ("pdst", plen)):
        raw, after = walk.frame[after : after + length], after + length
        kind = kinds[name[:-3]]
        fields[name] = unpack(f"it:{kind}", raw)["it"] if kind else raw
    walk.end = walk.add("arp", fields, at, size)
    return "payload", walk.end


def icmp4(walk: Walk, at: int) -> Step:
    """ICMP (RFC 792, RFC 1191): `id` and `seq` for echo; `nexthopmtu`, `gw`, `ptr` for some errors."""
    return _icmp(walk, at, 4)


def icmp6(walk: Walk, at: int) -> Step:
    """ICMPv6 (RFC 4443): `id` and `seq` for echo, `mtu` for packet too big, `ptr` for parameter problem."""
    return _icmp(walk, at, 6)


def _icmp(walk: Walk, at: int, version: int) -> Step:
    fields = walk.read("icmp", at, 8)
    if fields is None:
        return "payload", at
    rest = _ICMP_REST.get((version, int(fields["type"])))
    further = unpack(rest, walk.frame[at + 4 : at + 8]) if rest else {}
    return "payload", walk.add("icmp", {"version": version, **fields, **further}, at, 8)


def udp(walk: Walk, at: int) -> Step:
    """UDP (RFC 768). Only its *destination* port, one that the caller named, makes a tunnel of it."""
    fields = walk.read("udp", at)
    if fields is None:
        return "payload", at
    there, size, port = walk.end - at, int(fields["len"]), int(fields["dport"])
    # RFC 2675, section 4, says 0; Linux's tunnels leave the low 16 bits (udp_tunnel_xmit_skb).
    fits = size == there or (walk.jumbo and size in (0, there & 0xFFFF))
    if not fits and (size < there or not walk.cut):
        walk.problem("udp", at, f"its length field says {size} bytes, {there} are there")
        if 8 <= size < there:
            walk.end = at + size
    vxlan_port, geneve_port = port in walk.vxlan_ports, port in walk.geneve_ports
    if vxlan_port and geneve_port:
        # Where VXLAN has reserved bits (RFC 7348), Geneve has the protocol type of what it carries (RFC 8926).
        geneve_port = any(walk.frame[at + 10 : at + 12])
    following = "geneve" if geneve_port else "vxlan" if vxlan_port else "payload"
    return following, walk.add("udp", fields, at, 8)


def tcp(walk: Walk, at: int) -> Step:
    """TCP (RFC 9293); its options belong to the header's length and are no field."""
    fields = walk.read("tcp", at)
    if fields is None:
        return "payload", at
    size = int(fields["dataofs"]) * 4
    if size < 20:
        walk.problem("tcp", at, f"its data offset says {size} bytes, a header has at least 20")
        return "payload", at
    return "payload", at if walk.lacks("tcp", at, size) else walk.add("tcp", fields, at, size)


def gre(walk: Walk, at: int) -> Step:
    """GRE (RFC 2784, RFC 2890), the old form with routing (RFC 1701), and PPTP's version 1 (RFC 2637).

    Only version 0 without routing is looked into: behind any other header comes payload, source routes included.
    """
    fields = walk.read("gre", at)
    if fields is None:
        return "payload", at
    word, version = int.from_bytes(walk.frame[at : at + 2]), int(fields["version"])
    if version not in _GRE_OPTIONS:
        walk.problem("gre", at, f"version {version} does not exist")
    options = " ".join(layout for bits, layout in _GRE_OPTIONS.get(version, ()) if word & bits)
    size = 4 + size_of(options)
    if walk.lacks("gre", at, size):
        return "payload", at
    walk.add("gre", fields | unpack(options, walk.frame[at + 4 : at + size]), at, size)
    plain = not version and not fields["routing_present"]
    return TUNNELLED.get(int(fields["proto"]), "payload") if plain else "payload", at + size


def vxlan(walk: Walk, at: int) -> Step:
    """VXLAN (RFC 7348), whatever its flags; `reserved1` is 24 bits before the VNI, `reserved2` 8 after it."""
    fields = walk.read("vxlan", at)
    return ("payload", at) if fields is None else ("ether", walk.add("vxlan", fields, at, 8))


def geneve(walk: Walk, at: int) -> Step:
    """GENEVE (RFC 8926); `optionlen` counts 4-byte words, `options` are the raw bytes."""
    fields = walk.read("geneve", at)
    if fields is None:
        return "payload", at
    size = 8 + 4 * int(fields["optionlen"])
    if walk.lacks("geneve", at, size):
        return "payload", at
    walk.add("geneve", {**fields, "options": walk.frame[at + 8 : at + size]}, at, size)
    if version := int(fields["version"]):
        walk.problem("geneve", at, f"version {version} does not exist")
        return "payload", at + size
    _geneve_options(walk, at, at + size, bool(fields["critical"]))
    return TUNNELLED.get(int(fields["proto"]), "payload"), at + size


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


def _ipip(following: str) -> Parser:
    """Make the function for the marker before an IP header directly in another one (RFC 2003, 2473, 4213)."""
    return lambda walk, at: (following, walk.add("ipip", {}, at, 0))


PARSERS: Mapping[str, Parser] = {
    "ether": ether,
    "dot1q": dot1q,
    "arp": arp,
    "ipv4": ipv4,
    "ipv6": ipv6,
    "icmp4": icmp4,
    "icmp6": icmp6,
    "udp": udp,
    "tcp": tcp,
    "gre": gre,
    "vxlan": vxlan,
    "geneve": geneve,
    "ipip4": _ipip("ipv4"),
    "ipip6": _ipip("ipv6"),
}
"""The layer functions by the name that a `Step` uses."""
