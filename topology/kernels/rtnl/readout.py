"""What the kernel's dumps say of a node, as a NodeState (rtnetlink(7))."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.marshal import MarshalRtnl
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from topology.errors import NetlinkError
from topology.kernels.rtnl.messages import NLMSG_DONE, messages
from topology.model import Interface
from topology.plan import INHERIT_TOS
from topology.state import FALLBACK_DEVICES, LinkState, NodeState, RouteState

DUMP_FLAGS = 0x301
"""NLM_F_REQUEST | NLM_F_DUMP"""
RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE = 18, 22, 26
RT_TABLE_MAIN, RTN_UNICAST, RTM_F_CLONED = 254, 1, 0x200
"""linux/rtnetlink.h; cloned routes are the cache of a dump, not the table."""
IFF_UP = 1
UNREADABLE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, struct.error)
"""What pyroute2 and ipaddress raise when a hostile agent's answer is not what a kernel says."""


def _dump(kind: int, message_class: Any) -> bytes:
    message = message_class()
    message["header"]["type"], message["header"]["flags"] = kind, DUMP_FLAGS
    message["family"] = socket.AF_UNSPEC
    message.encode()
    return bytes(message.data)


def read_state(node: str, dumps: Sequence[bytes]) -> NodeState:
    """A node's state; NetlinkError where a dump was refused, broken off or is not what a kernel says."""
    for dump in dumps:
        found = list(messages(dump))
        if not found or found[-1][0] != NLMSG_DONE or any(found[-1][3][:4]):
            raise NetlinkError(f"{node} - netlink dump - expected all of it - seen it refused or broken off")
    try:
        return _node_state(node, *dumps)
    except UNREADABLE as error:
        seen = f"{type(error).__name__}: {str(error)[:200]}"
        raise NetlinkError(f"{node} - netlink dump - expected links, addresses, routes - seen {seen}") from error


def _node_state(node: str, links: bytes, addresses: bytes, routes: bytes) -> NodeState:
    found = [m for m in MarshalRtnl().parse(links) if m.get("event") == "RTM_NEWLINK"]
    names = {m["index"]: m.get("IFLA_IFNAME") for m in found}
    states = (_link_state(m, names) for m in found)
    return NodeState(
        node,
        {state.name: state for state in states if state.name not in FALLBACK_DEVICES},
        frozenset(_addresses(addresses, names)),
        frozenset(_routes(routes, names)),
    )


def _link_state(message: Any, names: Mapping[int, str]) -> LinkState:
    info = message.get("IFLA_LINKINFO")
    kind = info.get("IFLA_INFO_KIND") if info else None
    data = info.get("IFLA_INFO_DATA") if info else None
    return LinkState(
        name=message.get("IFLA_IFNAME"),
        kind=kind or "physical",
        up=bool(message["flags"] & IFF_UP),
        mac=message.get("IFLA_ADDRESS"),
        mtu=message.get("IFLA_MTU"),
        master=names.get(message.get("IFLA_MASTER")),
        parameters=tuple(sorted(_parameters(kind, data, names))) if data else (),
    )


def _parameters(kind: str | None, data: Any, names: Mapping[int, str]) -> Iterator[tuple[str, str]]:
    if kind == "vxlan":
        yield "vni", str(data.get("IFLA_VXLAN_ID"))
        yield "local", str(data.get("IFLA_VXLAN_LOCAL") or data.get("IFLA_VXLAN_LOCAL6"))
        yield "remote", str(data.get("IFLA_VXLAN_GROUP") or data.get("IFLA_VXLAN_GROUP6"))
        yield "dstport", str(data.get("IFLA_VXLAN_PORT"))
        yield "dev", names.get(data.get("IFLA_VXLAN_LINK"), "none")
    if kind in ("gre", "ip6gre"):
        prefix = f"IFLA_{kind.upper()}_"
        flags = int(data.get(prefix + "IFLAGS") or 0)
        yield "local", str(data.get(prefix + "LOCAL"))
        yield "remote", str(data.get(prefix + "REMOTE"))
        yield "ttl", str(data.get(prefix + "TTL") or "inherit")
        if tos := data.get(prefix + "TOS"):
            yield "tos", "inherit" if tos == INHERIT_TOS else str(tos)
        yield "key", str(data.get(prefix + "IKEY")) if flags & 0x2000 else "none"


def _addresses(data: bytes, names: Mapping[int, str]) -> Iterator[tuple[str, Interface]]:
    for message in MarshalRtnl().parse(data):
        if message.get("event") != "RTM_NEWADDR" or message["index"] not in names:
            continue
        address = message.get("IFA_LOCAL") or message.get("IFA_ADDRESS")
        interface = ip_interface(f"{address}/{message['prefixlen']}")
        own = names[message["index"]] not in FALLBACK_DEVICES - {"lo"}
        if own and not (interface.ip.is_link_local or interface.ip.is_loopback):
            yield names[message["index"]], interface


def _routes(data: bytes, names: Mapping[int, str]) -> Iterator[RouteState]:
    for message in MarshalRtnl().parse(data):
        if message.get("event") != "RTM_NEWROUTE" or message["type"] != RTN_UNICAST:
            continue
        if message["table"] != RT_TABLE_MAIN or message["flags"] & RTM_F_CLONED:
            continue
        anywhere = "0.0.0.0" if message["family"] == 2 else "::"
        prefix = ip_network(f"{message.get('RTA_DST') or anywhere}/{message['dst_len']}")
        if prefix.is_link_local:
            continue
        for hop in message.get("RTA_MULTIPATH") or (message,):
            via = hop.get("RTA_GATEWAY")
            dev = names.get(hop.get("oif") or message.get("RTA_OIF"))
            yield RouteState(prefix, ip_address(via) if via else None, dev)


_DUMPS = ((RTM_GETLINK, ifinfmsg), (RTM_GETADDR, ifaddrmsg), (RTM_GETROUTE, rtmsg))


def dump_requests() -> list[bytes]:
    """The requests whose answers ``read_state`` reads, in its order."""
    return [_dump(kind, message) for kind, message in _DUMPS]
