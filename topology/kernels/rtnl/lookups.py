"""Questions to a node's kernel about one packet: where it would send it, and whom it knows there (rtnetlink(7)).

Nothing is changed: a route is looked up, tables of neighbours and bridges are read.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address

from topology.kernels.rtnl import messages as nl
from topology.refs import Address
from topology.state import Answer, Lookup

RTA_DST, RTA_SRC, RTA_IIF = 1, 2, 3
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
UNANSWERED = {0x01: "INCOMPLETE", 0x20: "FAILED"}
"""States of a neighbour whose MAC is asked for in vain (linux/neighbour.h)."""


def route_request(asked: Lookup, index: int) -> bytes:
    """The request for the route of a packet, which came by the device of this number (0 for the node's own)."""
    version = asked.dst.version
    ends = nl.packed_attribute(RTA_DST, asked.dst.packed) + nl.packed_attribute(RTA_SRC, asked.src.packed)
    more = ends + (nl.packed_attribute(RTA_IIF, struct.pack("=I", index)) if index else b"")
    bits, family = asked.dst.max_prefixlen, FAMILIES[version]
    return nl.ROUTE.request(more, nl.ACK_FLAGS, family=family, dst_len=bits, src_len=bits, tos=asked.tos)


def answered(asked: Lookup, names: Mapping[int, str], route: bytes, neighbours: bytes, forwarding: bytes) -> Answer:
    """The kernel's answer, from its three replies; NetlinkError where no kernel gives such."""
    with nl.readable(asked.node):
        if asked.mac and not asked.over:
            return Answer(ports=tuple(_ports(asked, names, forwarding)))
        codes = [
            -struct.unpack_from("=i", said)[0] for kind, _, _, said in nl.messages(route) if kind == nl.NLMSG_ERROR
        ]
        found = next(nl.parsed(nl.ROUTE, route), None)
        if found is None:
            return Answer(os.strerror(codes[0]) if codes and codes[0] else "")
        next_hop = ip_address(found.get("gateway", str(asked.dst)))
        device = names.get(found.get("oif", 0))
        unanswered, mtu = _unanswered(neighbours, names, device, next_hop), found.get("metrics", {}).get("mtu", 0)
        return Answer("", device, next_hop, unanswered, (), tuple(_remotes(asked, names, forwarding)), mtu)


def _unanswered(dump: bytes, names: Mapping[int, str], device: str | None, next_hop: Address) -> str:
    for known in nl.parsed(nl.NEIGHBOUR, dump):
        if names.get(known["index"]) == device and known.get("dst") == str(next_hop):
            return UNANSWERED.get(known["state"], "")
    return ""


def _remotes(asked: Lookup, names: Mapping[int, str], dump: bytes) -> Iterator[Address]:
    for known in nl.parsed(nl.NEIGHBOUR, dump):
        if (known.get("mac"), names.get(known["index"])) == (asked.mac, asked.over) and "dst" in known:
            yield ip_address(known["dst"])


def _ports(asked: Lookup, names: Mapping[int, str], dump: bytes) -> Sequence[str]:
    """The ports behind which the frame's MAC is in the bridge that it came into: other bridges may have the same MAC.

    A port's own MAC is in its bridge's table, unless another port of that bridge has it, too.
    """
    known = [one for one in nl.parsed(nl.NEIGHBOUR, dump) if "master" in one and one["index"] in names]
    bridges = {one["master"] for one in known if names[one["index"]] == asked.came_by}
    return [
        names[one["index"]]
        for one in known
        if one.get("mac") == asked.mac and (not bridges or one["master"] in bridges)
    ]
