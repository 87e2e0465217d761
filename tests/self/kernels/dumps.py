"""Netlink dumps of a node: made message by message, and recorded from two kernels."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg
from pyroute2.netlink.rtnl.tcmsg import tcmsg

from topology.kernels.rtnl.dumps import STATE_REQUESTS
from topology.kernels.rtnl.readout import read_state
from topology.state import NodeState

NEWLINK, NEWADDR, NEWROUTE, NEWNEIGH, NEWRULE, NEWQDISC, NEWTFILTER = 16, 20, 24, 28, 32, 36, 44
ERROR, DONE = 2, 3
RECORDED = Path(__file__).parents[1] / "data" / "dumps.json"
"""A node of the reference lab in the guest (6.1) and one of the VXLAN lab on a host (6.18): as built, after traffic,
and after a change of each kind. Answers are compressed, as Base64."""

Attributes = list[tuple[str, Any]]


def message(kind: int, payload: bytes, sequence: int = 0, flags: int = 0) -> bytes:
    """A netlink message."""
    return struct.pack("=IHHII", 16 + len(payload), kind, flags, sequence, 0) + payload


END = message(DONE, bytes(4))
UNKNOWN = message(ERROR, struct.pack("=i", -95) + bytes(16))
"""EOPNOTSUPP: this kernel was built without it."""


def packed(kind: int, made: Any, fields: Mapping[str, Any], attributes: Attributes) -> bytes:
    """A message as the kernel writes it."""
    made["header"]["type"], made["header"]["flags"] = kind, 2
    made["attrs"] = attributes
    for name, value in fields.items():
        made[name] = value
    made.encode()
    return bytes(made.data)


def link(index: int, name: str, attributes: Attributes | None = None, flags: int = 1, kind: int = 1) -> bytes:
    """A device."""
    named: Attributes = [("IFLA_IFNAME", name)]
    return packed(NEWLINK, ifinfmsg(), {"index": index, "flags": flags, "ifi_type": kind}, named + (attributes or []))


def rule(family: int, attributes: Attributes, **fields: int) -> bytes:
    """A policy rule; to the main table where no other action is given."""
    known = {"family": family, "table": 254, "action": 1, "src_len": 0, "dst_len": 0, "tos": 0, "flags": 0}
    return packed(NEWRULE, fibmsg(), known | fields, attributes)


def neighbour(family: int, index: int, state: int, attributes: Attributes, flags: int = 0) -> bytes:
    """A neighbour, or with family 7 (AF_BRIDGE) a forwarding entry."""
    fields = {"family": family, "ifindex": index, "state": state, "flags": flags, "ndm_type": 0}
    return packed(NEWNEIGH, ndmsg(), fields, attributes)


def traffic(kind: int, name: str, index: int, handle: int, parent: int, info: int = 0) -> bytes:
    """A qdisc or a filter, without options."""
    fields = {"index": index, "handle": handle, "parent": parent, "info": info}
    return packed(kind, tcmsg(), {"family": 0, **fields}, [("TCA_KIND", name)])


@cache
def dumps() -> tuple[bytes, ...]:
    """The answers to ``state_requests`` of a node with a VXLAN device in a bridge."""
    info = [
        ("IFLA_VXLAN_ID", 30),
        ("IFLA_VXLAN_LOCAL", "10.0.0.1"),
        ("IFLA_VXLAN_PORT", 4900),
        ("IFLA_VXLAN_LINK", 2),
    ]
    data = {"attrs": [("IFLA_INFO_KIND", "vxlan"), ("IFLA_INFO_DATA", {"attrs": info})]}
    links = [
        link(2, "eth", [("IFLA_MTU", 1500), ("IFLA_ADDRESS", "02:00:00:00:00:01")]),
        link(3, "br", [("IFLA_LINKINFO", {"attrs": [("IFLA_INFO_KIND", "bridge")]})]),
        link(4, "vx", [("IFLA_MASTER", 3), ("IFLA_LINKINFO", data)]),
    ]
    address = packed(NEWADDR, ifaddrmsg(), {"family": 2, "prefixlen": 24, "index": 2}, [("IFA_LOCAL", "10.0.0.1")])
    way = [("RTA_DST", "10.1.0.0"), ("RTA_GATEWAY", "10.0.0.2"), ("RTA_OIF", 2)]
    route = packed(NEWROUTE, rtmsg(), {"family": 2, "dst_len": 24, "table": 254, "type": 1}, way)
    known = neighbour(2, 2, 0x80, [("NDA_DST", "10.0.0.9"), ("NDA_LLADDR", "02:00:00:00:00:09")])
    static = neighbour(7, 2, 0x40, [("NDA_LLADDR", "02:00:00:00:00:08"), ("NDA_MASTER", 3)])
    parts = (
        b"".join(links),
        address,
        route,
        rule(2, [("FRA_PRIORITY", 7)]),
        known,
        static,
        traffic(NEWQDISC, "htb", 2, 0x10000, 0xFFFFFFFF),
    )
    return tuple(part + END for part in parts)


def state_of(*changed: tuple[str, bytes], further: Mapping[str, list[bytes]] | None = None) -> NodeState:
    """The state of that node with some of its dumps replaced, by what they tell."""
    first = dict(zip((request.what for request in STATE_REQUESTS), dumps(), strict=True)) | dict(changed)
    return read_state("n", {**{what: [answer] for what, answer in first.items()}, **(further or {})}, {})


@cache
def _records() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(RECORDED.read_text())
    return found


def recorded(name: str) -> NodeState:
    """A recorded node's state, such as ``6.1.0 as built``."""
    known = _records()[name]
    texts = {**{what: [text] for what, text in known["answers"].items()}, **known["further"]}
    answers = {what: [zlib.decompress(base64.b64decode(one)) for one in all_] for what, all_ in texts.items()}
    return read_state(known["node"], answers, known["sysctls"])


def table_dump(version: int = 4, most: int = 1024, entries: int = 7, overflows: int = 0) -> bytes:
    """A neighbour table as a kernel says it, then the parameters of one of its devices, which are no table."""

    def attribute(kind: int, data: bytes) -> bytes:
        return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)

    name = attribute(1, {4: b"arp_cache\0", 6: b"ndisc_cache\0"}[version])
    stats = struct.pack("=11Q", *range(10), overflows)
    config = struct.pack("=HHI6I", 4, 336, entries, *range(6))
    whole = name + attribute(4, struct.pack("=I", most)) + attribute(5, config) + attribute(7, stats)
    head = struct.pack("=B3x", {4: 2, 6: 10}[version])
    return b"".join(struct.pack("=IHHII", 20 + len(said), 64, 2, 0, 0) + head + said for said in (whole, name))
