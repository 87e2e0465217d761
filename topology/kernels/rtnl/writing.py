"""The message of each operation of a plan, written by the tables that such messages are read by (rtnetlink(7)).

``tests/self/kernels/test_writing.py`` holds every byte against pyroute2, whose names the arguments have.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Mapping
from ipaddress import ip_address, ip_network
from typing import Any, TypeAlias

from topology.kernels.rtnl import messages as nl
from topology.links import KINDS

Packing: TypeAlias = Mapping[str, tuple[int, Callable[[Any], bytes]]]
"""By an argument's name its attribute's number and the writer of its value."""
FLAGS: Mapping[str, int] = {"set": nl.ACK_FLAGS, "add": nl.ACK_FLAGS | 0x600, "append": nl.ACK_FLAGS | 0xC00}
"""NLM_F_CREATE with NLM_F_EXCL or NLM_F_APPEND (linux/netlink.h)."""
PACKED: Mapping[str, Callable[[Any], bytes]] = {
    **{form: struct.Struct(layout).pack for form, layout in nl.NUMBERS.items()},
    "text": lambda text: text.encode() + b"\0",
    "ip": lambda address: ip_address(address).packed,
    "mac": lambda mac: bytes.fromhex(mac.replace(":", "")),
}
MULTIPATH, LINKINFO, INFO_KIND, INFO_DATA, VETH_PEER = 9, 18, 1, 2, 1
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
MAIN, STATIC, UNICAST = 254, 4, 1
"""RT_TABLE_MAIN, RTPROT_STATIC and RTN_UNICAST (linux/rtnetlink.h)."""
KEPT, SELF = 0xC0, 2
"""NUD_NOARP with NUD_PERMANENT, and NTF_SELF (linux/neighbour.h): an entry of the device's own table."""


def packing(listed: str, prefix: str = "") -> Packing:
    """Return the writers of a list as ``messages.table`` takes it; forms that are only read are left out."""
    rows = (row.split() for row in listed.split(",") if row)
    return {f"{prefix}{name}": (int(number), PACKED[form]) for number, name, form in rows if form in PACKED}


LINK = packing("1 address mac, 3 ifname text, 4 mtu u32, 5 link u32, 10 master u32, 28 net_ns_fd u32")
ADDRESS = packing("1 address ip, 2 local ip, 8 flags u32")
ROUTE = packing("1 dst ip, 4 oif u32, 5 gateway ip")
ENTRY = packing("1 dst ip, 2 lladdr mac, 8 nda_ifindex u32")
DATA: Mapping[str, Packing] = {
    kind: packing(link.attributes, f"{link.prefix or kind}_") for kind, link in KINDS.items()
}
"""By kind of device the parameters of IFLA_INFO_DATA."""


def written(api: str, verb: str, arguments: Mapping[str, Any], sequence: int = 0) -> bytes:
    """Return an operation's message; a namespace is its descriptor's number."""
    layout, payload = WRITERS[api](arguments)
    return nl.packed_message(layout.kind, FLAGS[verb], payload, sequence)


def _attributes(known: Packing, arguments: Mapping[str, Any]) -> bytes:
    values = ((known[name], value) for name, value in arguments.items() if name in known)
    return b"".join(nl.packed_attribute(number, pack(value)) for (number, pack), value in values)


def _link(said: Mapping[str, Any]) -> tuple[nl.Layout, bytes]:
    up = int(said.get("state") == "up")
    info = nl.packed_attribute(LINKINFO, _info(said)) if "kind" in said else b""
    return nl.LINK, nl.LINK.packed(index=said.get("index", 0), flags=up, change=up) + _attributes(LINK, said) + info


def _info(said: Mapping[str, Any]) -> bytes:
    """A device's kind and its parameters, of a veth those of its far end."""
    kind = said["kind"]
    data = _attributes(DATA.get(kind, {}), said)
    if "peer" in said:
        data = nl.packed_attribute(VETH_PEER, _link(said["peer"])[1])
    return nl.packed_attribute(INFO_KIND, PACKED["text"](kind)) + (
        nl.packed_attribute(INFO_DATA, data) if data else b""
    )


def _address(said: Mapping[str, Any]) -> tuple[nl.Layout, bytes]:
    version = ip_address(said["address"]).version
    local = {"local": said["address"]} if version == 4 else {}
    head = nl.ADDRESS.packed(family=FAMILIES[version], prefixlen=said["prefixlen"], index=said["index"])
    return nl.ADDRESS, head + _attributes(ADDRESS, {"address": said["address"], **local, **said})


def _route(said: Mapping[str, Any]) -> tuple[nl.Layout, bytes]:
    target = ip_network(said["dst"])
    own = {"family": said["family"], "dst_len": target.prefixlen, "scope": said.get("scope", 0)}
    head = nl.ROUTE.packed(**own, table=MAIN, proto=STATIC, type=UNICAST, flags=said.get("flags", 0))
    to = {"dst": target.network_address} if target.prefixlen else {}
    hops = nl.packed_attribute(MULTIPATH, b"".join(map(_hop, said["multipath"]))) if "multipath" in said else b""
    ways = {name: said[name] for name in ("gateway", "oif") if name in said}
    return nl.ROUTE, head + _attributes(ROUTE, {**to, **ways}) + hops


def _hop(said: Mapping[str, Any]) -> bytes:
    """One next hop of several (struct rtnexthop)."""
    gateway = _attributes(ROUTE, {"gateway": said["gateway"]} if "gateway" in said else {})
    return struct.pack("=HBBI", 8 + len(gateway), said.get("flags", 0), 0, said["oif"]) + gateway


def _entry(said: Mapping[str, Any]) -> tuple[nl.Layout, bytes]:
    head = nl.NEIGHBOUR.packed(family=socket.AF_BRIDGE, index=said["ifindex"], state=KEPT, flags=SELF)
    return nl.NEIGHBOUR, head + _attributes(ENTRY, said)


WRITERS: Mapping[str, Callable[[Mapping[str, Any]], tuple[nl.Layout, bytes]]] = {
    "link": _link,
    "addr": _address,
    "route": _route,
    "fdb": _entry,
}
