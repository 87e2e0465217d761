"""The values of a packet that rules ask for, at one place of its way; three-valued where one is not known. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from typing import Final, TypeAlias

from topology.packet import ETHERTYPES, HEADER_BYTES, Layer, Layers, size_of

Known: TypeAlias = "int | str | frozenset[str] | None"
"""A value, the states that are possible, or None: not known."""
ABSENT: Final = "absent"
"""Of a header that the packet does not have: no match asks for this word."""
FIELDS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("ether", "saddr"): ("ether", "src"),
    ("ether", "daddr"): ("ether", "dst"),
    ("ether", "type"): ("ether", "type"),
    ("vlan", "id"): ("dot1q", "vlan"),
    ("arp", "operation"): ("arp", "op"),
    ("arp", "saddr ip"): ("arp", "psrc"),
    ("arp", "daddr ip"): ("arp", "pdst"),
    ("arp", "saddr ether"): ("arp", "hwsrc"),
    ("arp", "daddr ether"): ("arp", "hwdst"),
    ("ip", "saddr"): ("ipv4", "src"),
    ("ip", "daddr"): ("ipv4", "dst"),
    ("ip", "protocol"): ("ipv4", "proto"),
    ("ip", "ttl"): ("ipv4", "ttl"),
    ("ip", "length"): ("ipv4", "length"),
    ("ip6", "saddr"): ("ipv6", "src"),
    ("ip6", "daddr"): ("ipv6", "dst"),
    ("ip6", "nexthdr"): ("ipv6", "nh"),
    ("ip6", "hoplimit"): ("ipv6", "hlim"),
    ("udp", "sport"): ("udp", "sport"),
    ("udp", "dport"): ("udp", "dport"),
    ("th", "sport"): ("udp", "sport"),
    ("th", "dport"): ("udp", "dport"),
    ("icmp", "type"): ("icmp", "type"),
    ("icmp", "code"): ("icmp", "code"),
    ("icmpv6", "type"): ("icmp", "type"),
    ("icmpv6", "code"): ("icmp", "code"),
}
"""Fields by nft(8)'s protocol and name: the layer and its field as they are decoded."""
OTHERS = frozenset(("tcp", "udplite", "sctp", "dccp", "esp", "ah", "comp", "igmp"))
"""Headers that no probe of ours has."""
NUMBERS = {"icmp": 1, "igmp": 2, "ipip": 4, "tcp": 6, "udp": 17, "ipv6": 41, "gre": 47, "esp": 50, "ah": 51}
NUMBERS |= {"ipencap": 4, "icmpv6": 58, "ipv6-icmp": 58, "sctp": 132, "udplite": 136}
ICMP_TYPES = {4: {"echo-reply": 0, "destination-unreachable": 3, "redirect": 5, "echo-request": 8}}
ICMP_TYPES[4] |= {"time-exceeded": 11, "parameter-problem": 12}
ICMP_TYPES[6] = {"destination-unreachable": 1, "packet-too-big": 2, "time-exceeded": 3, "parameter-problem": 4}
ICMP_TYPES[6] |= {"echo-request": 128, "echo-reply": 129, "nd-neighbor-solicit": 135, "nd-neighbor-advert": 136}
CODES = {"net-unreachable": 0, "host-unreachable": 1, "prot-unreachable": 2, "port-unreachable": 3, "frag-needed": 4}
ERRORS = {4: (3, 4, 5, 11, 12), 6: (1, 2, 3, 4)}
ETHER_NAMES = {"ip": 0x0800, "ip6": 0x86DD, "ipv6": 0x86DD, "arp": 0x0806, "vlan": 0x8100, "8021q": 0x8100}
OPERATIONS = {"request": 1, "reply": 2}


@dataclass(frozen=True)
class Packet:
    """A packet at one hook: its layers from outside, the devices that it came and goes by, its mark.

    ``framed`` says that its length counts the Ethernet header: it does behind the last hook of IP (dev_queue_xmit).
    """

    layers: Layers
    iif: str = ""
    oif: str = ""
    bridge: str = ""
    mark: int | None = 0
    framed: bool = False

    @cached_property
    def at(self) -> int:
        """The index of the network header."""
        names = [name for name, _ in self.layers]
        return next((i for i, name in enumerate(names) if name in ("ipv4", "ipv6", "arp")), len(names) - 1)

    @property
    def network(self) -> str:
        """The layer of the network header: ipv4, ipv6 or arp."""
        return self.layers[self.at][0]

    @property
    def transport(self) -> Layer | None:
        """The header behind the network header, if it is one."""
        following = self.layers[self.at + 1 : self.at + 2]
        return following[0] if following and self.network != "arp" else None

    @property
    def protocol(self) -> Known:
        """The number of the protocol behind the network header."""
        return self.layer(self.network).get("proto" if self.network == "ipv4" else "nh")

    @property
    def length(self) -> int:
        """The bytes of the packet, as ``meta length`` counts them."""
        return size_of(self.layers[self.at :]) + (HEADER_BYTES["ether"] if self.framed else 0)

    def layer(self, name: str) -> Mapping[str, Known]:
        """The fields of the packet's own header of a kind: of none that is inside a tunnel."""
        own = self.layers[: self.at + 1 + (self.transport is not None)]
        found = next((fields for known, fields in own if known == name), {})
        return {key: value if isinstance(value, (int, str)) else None for key, value in found.items()}

    def field(self, protocol: str, name: str) -> Known:
        """A header's field by nft(8)'s names; ABSENT where the packet has no such header."""
        if protocol in OTHERS:
            return ABSENT
        if (protocol, name) == ("ip", "length"):
            return size_of(self.layers[self.at :]) if self.network == "ipv4" else ABSENT
        if protocol in ("icmp", "icmpv6") and self.network != {"icmp": "ipv4", "icmpv6": "ipv6"}[protocol]:
            return ABSENT
        layer, key = FIELDS.get((protocol, name), ("", ""))
        has = layer in [known for known, _ in self.layers[: self.at + 1 + (self.transport is not None)]]
        if layer == "ether" and self.layers[0][0] != "ether":
            return None
        return (self.layer(layer).get(key) if has else ABSENT) if layer else None

    def meta(self, key: str) -> Known:
        """The kernel's metadata of the packet, by the keys of nft(8)'s ``meta``."""
        known: Mapping[str, Known] = {
            "iifname": self.iif or ABSENT,
            "iif": self.iif or ABSENT,
            "oifname": self.oif or ABSENT,
            "oif": self.oif or ABSENT,
            "ibrname": self.bridge or ABSENT,
            "obrname": self.bridge or ABSENT,
            "length": self.length,
            "mark": self.mark,
            "protocol": ETHERTYPES[self.network],
            "nfproto": self.network,
            "l4proto": ABSENT if self.network == "arp" else self.protocol,
        }
        return known.get(key)

    @property
    def states(self) -> frozenset[str]:
        """The states that connection tracking may give it: what it has seen before is not known.

        A request is never invalid (nf_conntrack_proto_icmp.c), and an answer is never the first of its connection.
        """
        name, kind = (self.transport or ("", {}))[0], self.layer("icmp").get("type")
        if name == "icmp" and kind in ERRORS[4 if self.network == "ipv4" else 6]:
            return frozenset(("related", "invalid"))
        if name == "icmp" and kind in (0, 129):
            return frozenset(("established", "invalid"))
        first = frozenset(("new", "established"))
        return first if name in ("icmp", "udp") else first | {"invalid"}

    def bytes_at(self, offset: int, count: int) -> tuple[int, int]:
        """The bytes at an offset from the network header, as a number, and the mask of those that are known."""
        known = self._bytes
        value = mask = 0
        for place in range(offset, offset + count):
            value = value << 8 | known.get(place, 0)
            mask = mask << 8 | (0xFF if place in known else 0)
        return value, mask

    @cached_property
    def _bytes(self) -> dict[int, int]:
        fields = self.layer(self.network)
        if self.network == "ipv4":
            head: Iterable[tuple[int, int, int]] = (
                (0, 1, 0x45),
                (2, 2, size_of(self.layers[self.at :])),
                (8, 1, _number(fields["ttl"])),
                (9, 1, _number(fields["proto"])),
                (12, 4, int(ip_address(str(fields["src"])))),
                (16, 4, int(ip_address(str(fields["dst"])))),
            )
            start = 20
        elif self.network == "ipv6":
            head = (
                (6, 1, _number(fields["nh"])),
                (7, 1, _number(fields["hlim"])),
                (8, 16, int(ip_address(str(fields["src"])))),
                (24, 16, int(ip_address(str(fields["dst"])))),
            )
            start = 40
        else:
            return {}
        inner = self.layer(self.transport[0]) if self.transport else {}
        shape = {"udp": (("sport", 2), ("dport", 2)), "icmp": (("type", 1), ("code", 1))}
        out = {place + n: byte for place, size, number in head for n, byte in enumerate(number.to_bytes(size))}
        for key, size in shape.get(self.transport[0] if self.transport else "", ()):
            if isinstance(value := inner.get(key), int):
                out |= {start + n: byte for n, byte in enumerate(value.to_bytes(size))}
            start += size
        return out


def _number(value: Known) -> int:
    return int(str(value))
