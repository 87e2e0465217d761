"""Which devices a namespace has, and which of them end a veth pair whose other end is elsewhere (rtnetlink(7))."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.marshal import MarshalRtnl

from topology.errors import NetlinkError
from topology.kernels.rtnl.messages import NLMSG_DONE, messages

DUMP_FLAGS = 0x301
"""NLM_F_REQUEST | NLM_F_DUMP"""
RTM_GETLINK, AF_BRIDGE_NOT = 18, 0
"""linux/rtnetlink.h; the family 0 asks for all links."""
IFF_UP = 1
UNREADABLE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, struct.error)


@dataclass(frozen=True)
class End:
    """One device: its index, and of a veth whose peer is in another namespace the peer's index there."""

    name: str
    index: int
    up: bool
    kind: str = ""
    peer: int | None = None
    port: int | None = None
    """Of a VXLAN device the UDP port at which it listens."""


def ends_request() -> bytes:
    """The request whose answer ``read_ends`` reads."""
    message = ifinfmsg()
    message["header"]["type"], message["header"]["flags"] = RTM_GETLINK, DUMP_FLAGS
    message["family"] = AF_BRIDGE_NOT
    message.encode()
    return bytes(message.data)


def read_ends(node: str, dump: bytes) -> Sequence[End]:
    """Every device of a namespace; NetlinkError where the dump is broken off or is not what a kernel says."""
    try:
        known = list(messages(dump))
        whole = bool(known) and known[-1][0] == NLMSG_DONE
        found = [_end(m) for m in MarshalRtnl().parse(dump) if m.get("event") == "RTM_NEWLINK"]
    except UNREADABLE as error:
        raise NetlinkError(f"{node} - netlink dump - expected links - seen {type(error).__name__}: {error}") from error
    if not whole:
        raise NetlinkError(f"{node} - netlink dump - expected all of it - seen it refused or broken off")
    return found


def _end(message: ifinfmsg) -> End:
    info = message.get("IFLA_LINKINFO")
    kind = (info.get("IFLA_INFO_KIND") if info else None) or ""
    data = info.get("IFLA_INFO_DATA") if info and kind == "vxlan" else None
    elsewhere = kind == "veth" and message.get("IFLA_LINK_NETNSID") is not None
    return End(
        name=str(message.get("IFLA_IFNAME")),
        index=int(message["index"]),
        up=bool(message["flags"] & IFF_UP),
        kind=kind,
        peer=int(message.get("IFLA_LINK")) if elsewhere else None,
        port=int(data.get("IFLA_VXLAN_PORT")) if data else None,
    )
