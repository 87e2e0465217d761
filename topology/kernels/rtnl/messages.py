"""Netlink messages and their attributes, taken apart by tables (netlink(7), rtnetlink(7)).

Only what a node's state is read from is decoded: neither counters nor ages. Numbers and structures are those of
linux/netlink.h, rtnetlink.h, if_link.h, if_tunnel.h, if_addr.h, fib_rules.h, neighbour.h, net_namespace.h,
netfilter/nfnetlink.h and nf_tables.h.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from typing import Any, NamedTuple, TypeAlias

from topology.errors import NetlinkError
from topology.links import KINDS

NLMSG_ERROR, NLMSG_DONE, NLM_F_ACK_TLVS, NLMSGERR_ATTR_MSG = 2, 3, 0x200, 1
ACK_FLAGS, DUMP_FLAGS = 0x5, 0x301
"""NLM_F_REQUEST with NLM_F_ACK or NLM_F_DUMP."""
ATTRIBUTE_TYPE = 0x3FFF
"""Without NLA_F_NESTED and NLA_F_NET_BYTEORDER."""

Message: TypeAlias = Mapping[str, Any]
Table: TypeAlias = Mapping[int, tuple[str, Callable[[bytes], Any]]]
"""By an attribute's number its name and its value's reader."""


class Layout(NamedTuple):
    """The messages of one kind: their number, the fixed head with its fields, and the attributes."""

    kind: int
    head: str
    fields: tuple[str, ...]
    attributes: Table

    def read(self, payload: bytes) -> Message:
        """The head's fields and the attributes; an attribute takes the place of a field of its name."""
        head = dict(zip(self.fields, struct.unpack_from(self.head, payload), strict=True))
        return {**head, **nested(self.attributes, payload[struct.calcsize(self.head) :])}

    def request(self, more: bytes = b"", flags: int = DUMP_FLAGS, **fields: int) -> bytes:
        """The request for such messages, with these fields in its head and ``more`` attributes.

        Its number is that of the message and 2 in rtnetlink, and 1 in nftables.
        """
        head = struct.pack(self.head, *(fields.get(name, 0) for name in self.fields))
        return packed_message(self.kind + (1 if self.kind >= NFT_TABLES else 2), flags, head + more)


def packed_message(kind: int, flags: int, payload: bytes, sequence: int = 0) -> bytes:
    """A message with its header (struct nlmsghdr)."""
    return struct.pack("=IHHII", 16 + len(payload), kind, flags, sequence, 0) + payload


def packed_attribute(kind: int, value: bytes) -> bytes:
    """An attribute with its header (struct nlattr)."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def messages(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Type, flags, sequence number and payload of each message (struct nlmsghdr)."""
    at = 0
    while at + 16 <= len(data):
        size, kind, flags, sequence = struct.unpack_from("=IHHI", data, at)
        if size < 16 or at + size > len(data):
            raise NetlinkError(f"netlink - answer - expected a whole message - seen {size} of {len(data) - at} bytes")
        yield kind, flags, sequence, data[at + 16 : at + size]
        at += (size + 3) & ~3


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The type and value of each attribute; ValueError where one is broken off."""
    at = 0
    while at + 4 <= len(data):
        size, kind = struct.unpack_from("=HH", data, at)
        if size < 4 or at + size > len(data):
            raise ValueError(f"an attribute of {size} bytes, {len(data) - at} left")
        yield kind & ATTRIBUTE_TYPE, data[at + 4 : at + size]
        at += (size + 3) & ~3


def nested(table: Table, data: bytes) -> dict[str, Any]:
    """The attributes that a table lists, by name."""
    return {table[kind][0]: table[kind][1](value) for kind, value in attributes(data) if kind in table}


@contextlib.contextmanager
def readable(where: str) -> Iterator[None]:
    """Raise NetlinkError where no kernel gives such an answer: an agent can be hostile."""
    try:
        yield
    except (LookupError, TypeError, ValueError, ArithmeticError, struct.error) as error:
        seen = f"{type(error).__name__}: {str(error)[:200]}"
        raise NetlinkError(f"{where} - netlink dump - expected messages of the kernel - seen {seen}") from error


def kernel_words(data: bytes) -> str:
    """The text of an extended acknowledgement, from its attributes; blank where there is none."""
    try:
        return str(nested({NLMSGERR_ATTR_MSG: ("text", text)}, data).get("text", ""))
    except ValueError:
        return ""


def parsed(layout: Layout, answer: bytes) -> Iterator[Message]:
    """The messages of one kind in an answer; each is read when it is asked for."""
    return (layout.read(payload) for kind, _, _, payload in messages(answer) if kind == layout.kind)


def number(layout: str) -> Callable[[bytes], int]:
    """Return a reader of a number."""
    return lambda data: int(struct.unpack_from(layout, data)[0])


def span(layout: str) -> Callable[[bytes], str]:
    """Return a reader of a first and a last number."""
    return lambda data: "-".join(map(str, struct.unpack_from(layout, data)))


def text(data: bytes) -> str:
    """Text that a zero ends."""
    return data.split(b"\0")[0].decode(errors="replace")


def address(data: bytes) -> str:
    """An IP address, its version known by its size."""
    return str(ip_address(data)) if len(data) in (4, 16) else data.hex(":")


def mac(data: bytes) -> str:
    """A link-layer address."""
    return data.hex(":")


def numbers(data: bytes) -> tuple[int, ...]:
    """An array of numbers."""
    return struct.unpack(f"={len(data) // 4}I", data)


def via(data: bytes) -> str:
    """The address of a next hop of another IP version than the route (struct rtvia)."""
    return address(data[2:])


def hops(data: bytes) -> list[Message]:
    """A route's next hops (struct rtnexthop)."""
    found: list[Message] = []
    at = 0
    while at + 8 <= len(data):
        size, index = struct.unpack_from("=HxxI", data, at)
        if size < 8 or at + size > len(data):
            raise ValueError(f"a next hop of {size} bytes")
        known = {5: ("gateway", address), 18: ("gateway", via), 21: ("encap", encap)}
        found.append({"oif": index, **nested(known, data[at + 8 : at + size])})
        at += (size + 3) & ~3
    return found


def link_info(data: bytes) -> Message:
    """A device's kind and parameters, and its settings as a bridge's port."""
    parts = dict(attributes(data))
    kind = text(parts.get(1, b""))
    known = nested(PARAMETERS[kind], parts[2]) if kind in PARAMETERS and 2 in parts else {}
    port = nested(PORT, parts[5]) if text(parts.get(4, b"")) == "bridge" and 5 in parts else {}
    return {"kind": kind, "data": known, "port": port}


def per_device(data: bytes) -> Mapping[int, tuple[int, ...]]:
    """The settings of a device by IP version (IFLA_INET_CONF, IFLA_INET6_CONF)."""
    conf = ((4, 2, 1), (6, 10, 2))
    families = dict(attributes(data))
    parts = ((version, dict(attributes(families.get(family, b""))).get(kind)) for version, family, kind in conf)
    return {version: numbers(values) for version, values in parts if values}


VLAN_INFO, TUNNEL_INFO, RANGE_BEGIN, RANGE_END = 2, 3, 8, 16
"""IFLA_BRIDGE_VLAN_INFO, IFLA_BRIDGE_VLAN_TUNNEL_INFO, BRIDGE_VLAN_INFO_RANGE_… of linux/if_bridge.h."""
ENCAPS = {1: "mpls", 2: "ip", 3: "ila", 4: "ip6", 5: "seg6", 6: "bpf", 7: "seg6local", 8: "rpl"}
"""linux/lwtunnel.h in the words of ip-route(8)."""


def port_vlans(data: bytes) -> list[tuple[int, int, int | None]]:
    """The VLANs of a bridge's port, each with its flags and the number of a tunnel to which it is mapped (IFLA_AF_SPEC
    of AF_BRIDGE, struct bridge_vlan_info)."""
    parts = list(attributes(data))
    numbers = dict(_mapped(nested(TUNNEL, value) for kind, value in parts if kind == TUNNEL_INFO))
    found = (struct.unpack_from("=HH", value) for kind, value in parts if kind == VLAN_INFO)
    return [(vid, flags, numbers.get(vid)) for flags, vid in found]


def _mapped(found: Iterator[Message]) -> Iterator[tuple[int, int]]:
    """Yield the tunnel's number of each VLAN; of a range, both of which count up, only the ends are there."""
    first: Message = {}
    for one in found:
        begin = first if one["flags"] & RANGE_END and first else one
        yield from ((vid, begin["id"] + vid - begin["vid"]) for vid in range(begin["vid"], one["vid"] + 1))
        first = one if one["flags"] & RANGE_BEGIN else {}


def encap(data: bytes) -> str:
    """The header that a route adds (RTA_ENCAP_TYPE)."""
    (kind,) = struct.unpack_from("=H", data)
    return ENCAPS.get(kind, str(kind))


READERS: Mapping[str, Callable[[bytes], Any]] = {
    "u8": number("=B"),
    "u16": number("=H"),
    "u32": number("=I"),
    "i32": number("=i"),
    "be16": number("!H"),
    "be32": number("!I"),
    "be64": number("!Q"),
    "u16s": span("=HH"),
    "u32s": span("=II"),
    "text": text,
    "flag": lambda data: True,
    "switch": lambda data: data[:1] != b"\0",  # a number, or a flag without one
    "ip": address,
    "mac": mac,
    "bytes": bytes,
    "via": via,
    "hops": hops,
    "info": link_info,
    "settings": per_device,
    "vlans": port_vlans,
    "encap": encap,
    "metrics": lambda data: nested(METRICS, data),
    "entries": lambda data: int(struct.unpack_from("=I", data, 4)[0]),  # ndtc_entries in struct ndt_config
    "overflows": lambda data: int(struct.unpack_from("=Q", data, 80)[0]),  # ndts_table_fulls in struct ndt_stats
}


def table(listed: str) -> Table:
    """Return the table of a list such as ``1 mac mac, 4 mtu u32``: number, name and reader of each attribute."""
    rows = (row.split() for row in listed.split(","))
    return {int(number): (name, READERS[reader]) for number, name, reader in rows}


NFT_TABLES = 0xA00
FAR_ENDS = {"sit": "3 remote ip", "ip6tnl": "3 remote ip", "vti": "5 remote ip", "vti6": "5 remote ip"}
"""Of tunnels that are not followed, where their packets go (linux/if_tunnel.h)."""
PARAMETERS: Mapping[str, Table] = {
    kind: table(said)
    for kind, said in (*FAR_ENDS.items(), *((kind, link.attributes) for kind, link in KINDS.items()))
    if said
}
"""By kind of device, the fields of IFLA_INFO_DATA."""
PORT = table(
    "1 state u8, 4 hairpin u8, 5 guard u8, 8 learning u8, 9 flood u8, 27 mcast_flood u8, 30 bcast_flood u8,"
    "29 vlan_tunnel u8, 32 neigh_suppress u8, 33 isolated u8, 39 locked u8"
)
"""Fields of a bridge's port (IFLA_BRPORT_…), by the words of bridge(8)."""
METRICS: Table = table(
    "1 lock u32, 2 mtu u32, 3 window u32, 4 rtt u32, 5 rttvar u32, 6 ssthresh u32, 7 cwnd u32, 8 advmss u32,"
    "9 reordering u32, 10 hoplimit u32, 11 initcwnd u32, 12 features u32, 13 rto_min u32, 14 initrwnd u32"
)
"""A route's metrics (RTAX_… of linux/rtnetlink.h), by the words of ip-route(8); ``lock`` has the bits of those that
nothing learned replaces."""
TUNNEL = table("1 id u32, 2 vid u16, 3 flags u16")
"""The number of a tunnel to which a VLAN of a port is mapped (IFLA_BRIDGE_VLAN_TUNNEL_…)."""
LINK = Layout(
    16,
    "=BxHiII",
    ("family", "type", "index", "flags", "change"),
    table(
        "1 mac mac, 3 name text, 4 mtu u32, 5 link u32, 10 master u32, 18 info info, 26 settings settings,"
        "37 netnsid i32"
    ),
)
VLANS = LINK._replace(attributes=table("3 name text, 26 vlans vlans"))
"""A dump of links of AF_BRIDGE: the VLANs of bridges and their ports."""
ADDRESS = Layout(20, "=BBBBI", ("family", "prefixlen", "flags", "scope", "index"), table("1 peer ip, 2 local ip"))
ROUTE = Layout(
    24,
    "=BBBBBBBBI",
    ("family", "dst_len", "src_len", "tos", "table", "proto", "scope", "type", "flags"),
    table(
        "1 dst ip, 4 oif u32, 5 gateway ip, 6 priority u32, 7 src ip, 8 metrics metrics, 9 hops hops, 15 table u32,"
        "18 gateway via, 21 encap encap"
    ),
)
NEIGHBOUR = Layout(
    28,
    "=BxxxiHBB",
    ("family", "index", "state", "flags", "type"),
    table(
        "1 dst ip, 2 mac mac, 5 vlan u16, 6 port be16, 7 vni u32, 8 via u32, 9 master u32, 11 src_vni u32,"
        "12 protocol u8"
    ),
)
RULE = Layout(
    32,
    "=BBBBBxxBI",
    ("family", "dst_len", "src_len", "tos", "table", "action", "flags"),
    table(
        "1 to ip, 2 from ip, 3 iif text, 4 goto u32, 6 priority u32, 10 mark u32, 12 tun_id be64,"
        "14 suppress_prefixlength u32, 15 table u32, 16 mask u32, 17 oif text, 19 l3mdev u8, 20 uidrange u32s,"
        "21 protocol u8, 22 ipproto u8, 23 sport u16s, 24 dport u16s"
    ),
)
QDISC = Layout(36, "=BxxxiIII", ("family", "index", "handle", "parent", "info"), table("1 kind text, 2 options bytes"))
FILTER = QDISC._replace(kind=44)
NEIGHBOUR_TABLE = Layout(
    64, "=Bxxx", ("family",), table("1 name text, 4 most u32, 5 entries entries, 7 overflows overflows")
)
NAMESPACE = Layout(88, "=Bxxx", ("family",), table("1 number i32"))
NFT_TABLE = Layout(NFT_TABLES, "=BBH", ("family", "version", "id"), table("1 name text"))
NFT_CHAIN = NFT_TABLE._replace(kind=0xA03, attributes=table("1 name text, 5 policy be32"))
NFT_RULE = NFT_TABLE._replace(kind=0xA06)
