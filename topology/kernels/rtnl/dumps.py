"""The dumps that a node's state is read from: the requests, and whether an answer is all of it (rtnetlink(7))."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

from topology.errors import NetlinkError
from topology.kernels.rtnl.messages import (
    ACK_FLAGS,
    ADDRESS,
    DUMP_FLAGS,
    FILTER,
    LINK,
    NEIGHBOUR,
    NFT_CHAIN,
    NFT_RULE,
    NFT_TABLE,
    NLMSG_DONE,
    NLMSG_ERROR,
    QDISC,
    ROUTE,
    RULE,
    messages,
    packed_attribute,
    packed_message,
    parsed,
    readable,
)

NETLINK_ROUTE, NETLINK_NETFILTER = 0, 12
GET = 2
"""A dump is asked for by RTM_NEW… + 2, of nftables by NFT_MSG_NEW… + 1 (linux/rtnetlink.h, nf_tables.h)."""
IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS = 29, 8
MUST_ANSWER = ("links", "addresses", "routes")
"""Without the others a kernel can be built, and then has nothing of that kind (EOPNOTSUPP)."""
RTM_DELNEIGH, NDA_DST, NUD_NOARP, NUD_PERMANENT = 29, 1, 0x40, 0x80
"""linux/neighbour.h"""


class Request(NamedTuple):
    """One dump to ask for, through which of the kernel's netlink protocols."""

    what: str
    data: bytes
    protocol: int = NETLINK_ROUTE


LINKS = Request(
    "links", LINK.request(LINK.kind + GET, packed_attribute(IFLA_EXT_MASK, struct.pack("=I", RTEXT_FILTER_SKIP_STATS)))
)
NEIGHBOURS = Request("neighbours", NEIGHBOUR.request(NEIGHBOUR.kind + GET))
STATE_REQUESTS = (
    LINKS,
    Request("addresses", ADDRESS.request(ADDRESS.kind + GET)),
    Request("routes", ROUTE.request(ROUTE.kind + GET)),
    Request("rules", RULE.request(RULE.kind + GET)),
    NEIGHBOURS,
    Request("forwarding", NEIGHBOUR.request(NEIGHBOUR.kind + GET, family=socket.AF_BRIDGE)),
    Request("qdiscs", QDISC.request(QDISC.kind + GET)),
)
"""The requests for every node, each of all address families."""
FIREWALL_REQUESTS = tuple(
    Request(what, layout.request(layout.kind + 1), NETLINK_NETFILTER)
    for what, layout in (("tables", NFT_TABLE), ("chains", NFT_CHAIN), ("nft rules", NFT_RULE))
)


def filter_request(index: int, parent: int) -> Request:
    """The request for the filters at one place of one device."""
    return Request(
        "filters", packed_message(FILTER.kind + GET, DUMP_FLAGS, struct.pack(FILTER.head, 0, index, 0, parent, 0))
    )


def check_whole(node: str, what: str, answer: bytes) -> None:
    """Raise NetlinkError where a dump was refused or broken off; some may be unknown to a kernel."""
    found = list(messages(answer))
    kind, said = (found[-1][0], found[-1][3][:4]) if found else (0, b"")
    if kind == NLMSG_DONE and not any(said):
        return
    unknown = kind == NLMSG_ERROR and said == struct.pack("=i", -errno.EOPNOTSUPP)
    if not unknown or what in MUST_ANSWER:
        raise NetlinkError(f"{node} - {what} - expected all of them - seen the dump refused or broken off")


def forget_requests(dump: bytes) -> list[bytes]:
    """One request for each learned IP neighbour of a dump, to forget it (``ip neigh flush``)."""
    with readable("agent"):
        return list(_deletions(dump))


def _deletions(dump: bytes) -> Iterator[bytes]:
    for known in parsed(NEIGHBOUR, dump):
        learned = not known["state"] & (NUD_NOARP | NUD_PERMANENT)
        if learned and known["family"] in (socket.AF_INET, socket.AF_INET6) and "dst" in known:
            head = struct.pack(NEIGHBOUR.head, known["family"], known["index"], 0, known["flags"], 0)
            target = packed_attribute(NDA_DST, socket.inet_pton(known["family"], known["dst"]))
            yield packed_message(RTM_DELNEIGH, ACK_FLAGS, head + target, 1)


def check_forgotten(node: str, answer: bytes) -> None:
    """NetlinkError where a deletion was refused for another reason than that the neighbour has gone by itself."""
    codes = {-struct.unpack_from("=i", said)[0] for kind, _, _, said in messages(answer) if kind == NLMSG_ERROR}
    if refused := codes - {0, errno.ENOENT}:
        raise NetlinkError(f"{node} - neighbours - expected to be forgotten - seen error {min(refused)}", min(refused))
