"""Which devices a namespace has, and which of them end a veth pair whose other end is elsewhere (rtnetlink(7))."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.nsidmsg import nsidmsg

from topology.errors import NetlinkError
from topology.kernels.rtnl.dumps import RTM_GETLINK, UNREADABLE, check_whole, dump_request, parsed

RTM_GETNSID = 90
"""linux/rtnetlink.h"""
ACK_FLAGS = 0x5
"""NLM_F_REQUEST | NLM_F_ACK"""
IFF_UP = 1
TUNNELS = {"vxlan": "IFLA_VXLAN_PORT", "geneve": "IFLA_GENEVE_PORT"}
"""The kinds of links that listen at a UDP port, and the attribute that says at which."""


@dataclass(frozen=True)
class LinkEnd:
    """One device: its index, and of a veth whose peer is in another namespace the peer's index there.

    ``netnsid`` is this namespace's own number for that other one.
    """

    name: str
    index: int
    up: bool
    kind: str = ""
    peer: int | None = None
    netnsid: int | None = None
    port: int | None = None
    """Of a VXLAN or Geneve device the UDP port at which it listens."""


def tunnel_ports(ends: Mapping[str, Sequence[LinkEnd]]) -> Mapping[str, frozenset[int]]:
    """The UDP ports at which the devices of all nodes listen, by their kind."""
    devices = [end for known in ends.values() for end in known if end.port]
    return {kind: frozenset(int(end.port or 0) for end in devices if end.kind == kind) for kind in TUNNELS}


def ends_request() -> bytes:
    """The request whose answer ``read_ends`` reads."""
    return dump_request(RTM_GETLINK, ifinfmsg())


def read_ends(node: str, dump: bytes) -> Sequence[LinkEnd]:
    """Every device of a namespace; NetlinkError where the dump is broken off or is not what a kernel says."""
    check_whole(node, "links", dump)
    try:
        return [_end(message) for message in parsed(dump, "RTM_NEWLINK")]
    except UNREADABLE as error:
        raise NetlinkError(f"{node} - netlink dump - expected links - seen {type(error).__name__}: {error}") from error


def netnsid_request(descriptor: int) -> bytes:
    """Asks a namespace for its own number of another, whose descriptor the agent holds."""
    message = nsidmsg()
    message["header"]["type"], message["header"]["flags"] = RTM_GETNSID, ACK_FLAGS
    message["attrs"] = [("NETNSA_FD", descriptor)]
    message.encode()
    return bytes(message.data)


def read_netnsid(dump: bytes) -> int | None:
    """The number; None where the namespace has none for that other, or does not say."""
    try:
        found = [message.get("NETNSA_NSID") for message in parsed(dump, "RTM_NEWNSID")]
    except UNREADABLE as error:
        raise NetlinkError(f"netlink - namespace's number - expected one - seen {type(error).__name__}") from error
    # -1 is NETNSA_NSID_NOT_ASSIGNED (linux/net_namespace.h).
    return int(found[0]) if found and isinstance(found[0], int) and found[0] >= 0 else None


def _end(message: ifinfmsg) -> LinkEnd:
    info = message.get("IFLA_LINKINFO")
    kind = (info.get("IFLA_INFO_KIND") if info else None) or ""
    data = info.get("IFLA_INFO_DATA") if info and kind in TUNNELS else None
    netnsid = message.get("IFLA_LINK_NETNSID") if kind == "veth" else None
    return LinkEnd(
        name=str(message.get("IFLA_IFNAME")),
        index=int(message["index"]),
        up=bool(message["flags"] & IFF_UP),
        kind=kind,
        peer=int(message.get("IFLA_LINK")) if netnsid is not None else None,
        netnsid=int(netnsid) if netnsid is not None else None,
        port=int(data.get(TUNNELS[kind])) if data else None,
    )
