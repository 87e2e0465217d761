"""What could lead out of a node beside its devices and its main table: devices that are up, rules, other tables.

Read from the kernel's dumps (rtnetlink(7)); what every namespace has from the start is left out.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from topology.errors import NetlinkError
from topology.kernels.rtnl.dumps import (
    RTM_GETLINK,
    RTM_GETROUTE,
    RTM_GETRULE,
    UNREADABLE,
    check_whole,
    dump_request,
    parsed,
)
from topology.kernels.rtnl.lean import lean

IFF_UP, RTM_F_CLONED = 1, 0x200
"""linux/if.h and rtnetlink.h; cloned routes are the cache of a dump, not a table."""
TABLES = {253: "default", 254: "main", 255: "local"}
"""linux/rtnetlink.h"""
KERNELS_RULES = {(0, 255), (32766, 254), (32767, 253)}
"""Priority and table of the rules that a namespace starts with (``fib_default_rules_init``, net/ipv4/fib_rules.c)."""
KERNELS_TABLES = frozenset((254, 255))
FAMILIES = (socket.AF_INET, socket.AF_INET6)
SELECTORS = ("FRA_IIFNAME", "FRA_OIFNAME", "FRA_FWMARK", "FRA_L3MDEV")


@dataclass(frozen=True)
class Exits:
    """Every device, and those that are up; rules and routes in words, those left out that the kernel makes itself."""

    devices: tuple[str, ...]
    up: tuple[str, ...]
    rules: tuple[str, ...]
    routes: tuple[str, ...]


def exit_requests() -> list[bytes]:
    """The requests whose answers ``read_exits`` reads, in its order."""
    dumps = ((RTM_GETLINK, ifinfmsg), (RTM_GETRULE, fibmsg), (RTM_GETROUTE, rtmsg))
    return [dump_request(kind, message()) for kind, message in dumps]


def read_exits(node: str, dumps: Sequence[bytes]) -> Exits:
    """What a node's dumps say; NetlinkError where one was refused, broken off or is not what a kernel says."""
    try:
        kinds = ("RTM_NEWLINK", "RTM_NEWRULE", "RTM_NEWROUTE")
        said = zip(("links", "rules", "routes"), dumps, kinds, strict=True)
        links, rules, routes = (_parsed(node, what, dump, kind) for what, dump, kind in said)
        names = {link["index"]: str(link.get("IFLA_IFNAME")) for link in links}
        up = tuple(names[link["index"]] for link in links if link["flags"] & IFF_UP)
        return Exits(tuple(names.values()), up, tuple(_rules(rules)), tuple(_routes(routes, names)))
    except UNREADABLE as error:
        seen = f"{type(error).__name__}: {str(error)[:200]}"
        raise NetlinkError(f"{node} - netlink dump - expected links, rules, routes - seen {seen}") from error


def _parsed(node: str, what: str, dump: bytes, kind: str) -> list[Any]:
    check_whole(node, what, dump)
    return list(parsed(lean(what, dump), kind))


def _rules(dump: Sequence[Any]) -> Iterator[str]:
    for rule in dump:
        if rule["family"] not in FAMILIES:
            continue
        table, priority = rule.get("FRA_TABLE") or rule["table"], rule.get("FRA_PRIORITY") or 0
        narrowed = rule["src_len"] or rule["dst_len"] or any(rule.get(name) for name in SELECTORS)
        if narrowed or (priority, table) not in KERNELS_RULES:
            ends = f"from {rule.get('FRA_SRC') or 'all'} to {rule.get('FRA_DST') or 'all'}"
            yield f"{priority}: {ends} lookup {TABLES.get(table, table)}"


def _routes(dump: Sequence[Any], names: Mapping[int, str]) -> Iterator[str]:
    for route in dump:
        table = route.get("RTA_TABLE") or route.get("table")
        if table in KERNELS_TABLES or route["flags"] & RTM_F_CLONED:
            continue
        target = f"{route.get('RTA_DST')}/{route['dst_len']}" if route.get("RTA_DST") else "default"
        device = names.get(route.get("RTA_OIF"), "no device")
        via = f" via {route.get('RTA_GATEWAY')}" if route.get("RTA_GATEWAY") else ""
        yield f"{target}{via} dev {device} table {TABLES.get(table, table)}"
