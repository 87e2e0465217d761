"""The dumps that a node's state is read from: what is asked, and whether an answer is all of it (rtnetlink(7))."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pyroute2.netlink.nfnetlink.nftsocket import nft_chain_msg, nft_rule_msg, nft_table_msg
from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.marshal import MarshalRtnl
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg
from pyroute2.netlink.rtnl.tcmsg import tcmsg

from topology.errors import NetlinkError
from topology.kernels.rtnl.messages import NLMSG_DONE, NLMSG_ERROR, messages

DUMP_FLAGS = 0x301
"""NLM_F_REQUEST | NLM_F_DUMP"""
RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE = 18, 22, 26
RTM_GETNEIGH, RTM_GETRULE, RTM_GETQDISC, RTM_GETTFILTER = 30, 34, 38, 46
"""linux/rtnetlink.h"""
RTEXT_FILTER_SKIP_STATS = 8
"""linux/rtnetlink.h: a link without its counters."""
NETLINK_ROUTE, NETLINK_NETFILTER = 0, 12
NFT_MSG_NEWTABLE, NFT_MSG_GETTABLE = 0xA00, 0xA01
NFT_MSG_NEWCHAIN, NFT_MSG_GETCHAIN, NFT_MSG_NEWRULE, NFT_MSG_GETRULE = 0xA03, 0xA04, 0xA06, 0xA07
"""linux/netfilter/nfnetlink.h and nf_tables.h: the subsystem's number above the message's."""
MUST_ANSWER = ("links", "addresses", "routes")
"""Without the others a kernel can be built, and then has nothing of that kind (EOPNOTSUPP)."""
UNREADABLE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, struct.error)
"""Errors of pyroute2 and ipaddress for an answer of a hostile agent that no kernel gives."""


@dataclass(frozen=True)
class Request:
    """One dump to ask for, through which of the kernel's netlink protocols."""

    what: str
    data: bytes
    protocol: int = NETLINK_ROUTE


def dump_request(kind: int, message: Any, family: int = socket.AF_UNSPEC, **fields: Any) -> bytes:
    """A dump of all address families by default: left alone, a route's message asks for IPv4."""
    message["header"]["type"], message["header"]["flags"] = kind, DUMP_FLAGS
    for name, value in {message.fields[0][0]: family, **fields}.items():
        message[name] = value
    message.encode()
    return bytes(message.data)


@cache
def state_requests() -> tuple[Request, ...]:
    """What is asked of every node."""
    no_counters = [("IFLA_EXT_MASK", RTEXT_FILTER_SKIP_STATS)]
    return (
        Request("links", dump_request(RTM_GETLINK, ifinfmsg(), attrs=no_counters)),
        Request("addresses", dump_request(RTM_GETADDR, ifaddrmsg())),
        Request("routes", dump_request(RTM_GETROUTE, rtmsg())),
        Request("rules", dump_request(RTM_GETRULE, fibmsg())),
        Request("neighbours", dump_request(RTM_GETNEIGH, ndmsg())),
        Request("forwarding", dump_request(RTM_GETNEIGH, ndmsg(), family=socket.AF_BRIDGE)),
        Request("qdiscs", dump_request(RTM_GETQDISC, tcmsg())),
    )


def filter_request(index: int, parent: int) -> Request:
    """The filters at one place of one device."""
    return Request("filters", dump_request(RTM_GETTFILTER, tcmsg(), index=index, parent=parent))


def firewall_requests() -> tuple[Request, ...]:
    """The tables of nftables, with their chains and rules."""
    asked = (
        ("tables", NFT_MSG_GETTABLE, nft_table_msg()),
        ("chains", NFT_MSG_GETCHAIN, nft_chain_msg()),
        ("nft rules", NFT_MSG_GETRULE, nft_rule_msg()),
    )
    return tuple(Request(what, dump_request(kind, message), NETLINK_NETFILTER) for what, kind, message in asked)


def check_whole(node: str, what: str, answer: bytes, optional: bool = False) -> None:
    """Raise NetlinkError where a dump was refused or broken off; an ``optional`` one may be unknown to the kernel."""
    found = list(messages(answer))
    kind, said = (found[-1][0], found[-1][3][:4]) if found else (0, b"")
    if kind == NLMSG_DONE and not any(said):
        return
    unknown = kind == NLMSG_ERROR and said == struct.pack("=i", -errno.EOPNOTSUPP)
    if unknown and optional:
        return
    raise NetlinkError(f"{node} - {what} - expected all of them - seen the dump refused or broken off")


def parsed(dump: bytes, event: str) -> Iterator[Any]:
    """The messages of one event in a dump, such as RTM_NEWLINK; each is read when it is asked."""
    return (message for message in MarshalRtnl().parse(dump) if message.get("event") == event)


def tables(answer: bytes) -> Iterator[Mapping[str, Any]]:
    """The tables in an answer of nftables."""
    for kind, flags, sequence, payload in messages(answer):
        if kind == NFT_MSG_NEWTABLE:
            header = struct.pack("=IHHII", 16 + len(payload), kind, flags, sequence, 0)
            message = nft_table_msg(header + payload)
            message.decode()
            yield message
