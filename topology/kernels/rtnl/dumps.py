"""The dumps that a node's state is read from: the requests, and whether an answer is all of it (rtnetlink(7))."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

from topology.errors import NetlinkError
from topology.kernels.rtnl import messages as nl

NETLINK_ROUTE, NETLINK_NETFILTER = 0, 12
IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN, RTEXT_FILTER_SKIP_STATS = 29, 2, 8
IFLA_LINKINFO, IFLA_INFO_KIND = 18, 1
CREATE_FLAGS = 0x600
"""NLM_F_CREATE and NLM_F_EXCL."""
MUST_ANSWER = ("links", "addresses", "routes")
"""Without the others a kernel can be built, and then has nothing of that kind (EOPNOTSUPP)."""
RTM_DELNEIGH, NDA_DST, NUD_NOARP, NUD_PERMANENT, NTF_EXT_LEARNED = 29, 1, 0x40, 0x80, 0x10
"""linux/neighbour.h"""


class Request(NamedTuple):
    """One dump to ask for, through which of the kernel's netlink protocols."""

    what: str
    data: bytes
    protocol: int = NETLINK_ROUTE


LINKS = Request(
    "links", nl.LINK.request(nl.packed_attribute(IFLA_EXT_MASK, struct.pack("=I", RTEXT_FILTER_SKIP_STATS)))
)
VLANS = Request(
    "vlans",
    nl.VLANS.request(
        nl.packed_attribute(IFLA_EXT_MASK, struct.pack("=I", RTEXT_FILTER_BRVLAN)), family=socket.AF_BRIDGE
    ),
)
"""For a node of which a bridge filters VLANs."""
NEIGHBOURS = Request("neighbours", nl.NEIGHBOUR.request())
FORWARDING = Request("forwarding", nl.NEIGHBOUR.request(family=socket.AF_BRIDGE))
STATE_REQUESTS = (
    LINKS,
    Request("addresses", nl.ADDRESS.request()),
    Request("routes", nl.ROUTE.request()),
    Request("rules", nl.RULE.request()),
    NEIGHBOURS,
    FORWARDING,
    Request("qdiscs", nl.QDISC.request()),
)
"""The requests for every node, each of all address families."""
FIREWALL_REQUESTS = tuple(
    Request(what, layout.request(), NETLINK_NETFILTER)
    for what, layout in (("tables", nl.NFT_TABLE), ("chains", nl.NFT_CHAIN), ("nft rules", nl.NFT_RULE))
)


def check_whole(node: str, what: str, answer: bytes) -> None:
    """Raise NetlinkError where a dump was refused or broken off; some may be unknown to a kernel."""
    found = list(nl.messages(answer))
    kind, said = (found[-1][0], found[-1][3][:4]) if found else (0, b"")
    if kind == nl.NLMSG_DONE and not any(said):
        return
    unknown = kind == nl.NLMSG_ERROR and said == struct.pack("=i", -errno.EOPNOTSUPP)
    if not unknown or what in MUST_ANSWER:
        raise NetlinkError(f"{node} - {what} - expected all of them - seen the dump refused or broken off")


def bare_link(kind: str) -> bytes:
    """The request for a device of a kind, by its kind alone (IFLA_LINKINFO, IFLA_INFO_KIND)."""
    info = nl.packed_attribute(IFLA_LINKINFO, nl.packed_attribute(IFLA_INFO_KIND, kind.encode()))
    return nl.packed_message(nl.LINK.kind, nl.ACK_FLAGS | CREATE_FLAGS, bytes(struct.calcsize(nl.LINK.head)) + info)


def forget_requests(dump: bytes) -> list[bytes]:
    """One request for each learned IP neighbour of a dump, to forget it (``ip neigh flush``)."""
    with nl.readable("agent"):
        return list(_deletions(dump))


def _deletions(dump: bytes) -> Iterator[bytes]:
    for known in nl.parsed(nl.NEIGHBOUR, dump):
        learned = not (known["state"] & (NUD_NOARP | NUD_PERMANENT) or known["flags"] & NTF_EXT_LEARNED)
        if learned and known["family"] in (socket.AF_INET, socket.AF_INET6) and "dst" in known:
            head = struct.pack(nl.NEIGHBOUR.head, known["family"], known["index"], 0, known["flags"], 0)
            target = nl.packed_attribute(NDA_DST, socket.inet_pton(known["family"], known["dst"]))
            yield nl.packed_message(RTM_DELNEIGH, nl.ACK_FLAGS, head + target, 1)


def check_forgotten(node: str, answer: bytes) -> None:
    """Raise NetlinkError if a deletion was refused for another reason than that the neighbour has expired."""
    codes = {-struct.unpack_from("=i", said)[0] for kind, _, _, said in nl.messages(answer) if kind == nl.NLMSG_ERROR}
    if refused := codes - {0, errno.ENOENT}:
        raise NetlinkError(f"{node} - neighbours - expected to be forgotten - seen error {min(refused)}", min(refused))
