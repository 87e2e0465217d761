"""What could lead out of a node, read from a kernel's dumps: strange things are told, the kernel's own are not."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import pytest
from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from tests.self.kernels.test_netlink import answering
from topology.errors import NetlinkError
from topology.kernels.rtnl.exits import Exits, read_exits

NEWLINK, NEWROUTE, NEWRULE, ERROR, DONE = 16, 24, 32, 2, 3


def message(kind: int, payload: bytes) -> bytes:
    """A netlink message."""
    return struct.pack("=IHHII", 16 + len(payload), kind, 0, 0, 0) + payload


def packed(kind: int, made: Any, fields: Mapping[str, Any], attributes: list[tuple[str, Any]]) -> bytes:
    """A message as the kernel writes it."""
    made["header"]["type"], made["header"]["flags"] = kind, 2
    made["attrs"] = attributes
    for name, value in fields.items():
        made[name] = value
    made.encode()
    return bytes(made.data)


END = message(DONE, bytes(4))


def link(index: int, name: str, up: bool) -> bytes:
    return packed(NEWLINK, ifinfmsg(), {"index": index, "flags": int(up)}, [("IFLA_IFNAME", name)])


def rule(priority: int, table: int, fields: Mapping[str, Any] = {}, **more: Any) -> bytes:
    known = [("FRA_TABLE", table), *([("FRA_PRIORITY", priority)] if priority else []), *more.items()]
    return packed(NEWRULE, fibmsg(), {"family": 2, "table": table & 0xFF, "action": 1} | dict(fields), known)


def route(table: int, fields: Mapping[str, Any] = {}, **more: Any) -> bytes:
    known = [("RTA_TABLE", table), *more.items()]
    return packed(NEWROUTE, rtmsg(), {"family": 2, "table": table & 0xFF, "type": 1} | dict(fields), known)


LINKS = link(1, "lo", True) + link(2, "gre0", False) + link(100, "eth0", True)
RULES = rule(0, 255) + rule(32766, 254) + rule(32767, 253)
ROUTES = route(254, {"dst_len": 24}, RTA_DST="10.0.0.0", RTA_OIF=100) + route(255, {"dst_len": 32}, RTA_DST="10.0.0.1")


def exits(links: bytes = LINKS, rules: bytes = RULES, routes: bytes = ROUTES) -> Exits:
    """What is read of a node."""
    return read_exits("n", [links + END, rules + END, routes + END])


def test_a_new_namespace_has_no_exits() -> None:
    """Its devices are told, and which are up; its own rules and tables are nothing strange."""
    assert exits() == Exits(("lo", "gre0", "eth0"), ("lo", "eth0"), (), ())


def test_multicast_routing_has_rules_of_its_own() -> None:
    """They lead no packet of ours anywhere."""
    assert exits(rules=RULES + rule(32767, 253, {"family": 128})).rules == ()


@pytest.mark.parametrize(
    ("strange", "words"),
    [
        (rule(100, 100), "100: from all to all lookup 100"),
        (rule(5, 254), "5: from all to all lookup main"),
        (rule(32766, 254, {"src_len": 32}, FRA_SRC="10.0.0.9"), "32766: from 10.0.0.9 to all lookup main"),
        (rule(0, 255, {"dst_len": 24}, FRA_DST="10.9.0.0"), "0: from all to 10.9.0.0 lookup local"),
        (rule(32767, 253, FRA_IIFNAME="eth0"), "32767: from all to all lookup default"),
        (rule(7, 1000), "7: from all to all lookup 1000"),
    ],
)
def test_a_rule_that_is_not_the_kernels_is_told(strange: bytes, words: str) -> None:
    """By another priority, another table, or because it is for some packets only."""
    assert exits(rules=RULES + strange).rules == (words,)


@pytest.mark.parametrize(
    ("strange", "words"),
    [
        (route(100, RTA_GATEWAY="10.0.0.2", RTA_OIF=100), "default via 10.0.0.2 dev eth0 table 100"),
        (route(253, {"dst_len": 24}, RTA_DST="10.5.0.0", RTA_OIF=100), "10.5.0.0/24 dev eth0 table default"),
        (route(1000, {"type": 6}), "default dev no device table 1000"),
    ],
)
def test_a_route_of_another_table_is_told(strange: bytes, words: str) -> None:
    """Whatever its kind, with the table."""
    assert exits(routes=ROUTES + strange).routes == (words,)


def test_the_route_cache_is_no_table() -> None:
    """Cached routes come in the same dump."""
    assert exits(routes=ROUTES + route(100, {"flags": 0x200}, RTA_OIF=100)).routes == ()


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("dump", [b"", b"\0" * 20, message(ERROR, b"\xa1\xff\xff\xff"), LINKS], ids=str)
def test_a_dump_that_is_not_whole_is_no_evidence(place: int, dump: bytes) -> None:
    """Refused, broken off or nonsense: nothing is known then."""
    dumps = [LINKS + END, RULES + END, ROUTES + END]
    dumps[place] = dump
    with pytest.raises(NetlinkError):
        read_exits("n", dumps)


def test_nodes_are_asked_by_their_names_and_the_agents_own_by_none() -> None:
    """All in one request; also the namespace that the agent came from can have exits."""
    asked = answering(*(LINKS + END, RULES + rule(9, 9) + END, ROUTES + END) * 2)
    node, home = asked.exits(["n", None])
    assert node == home
    assert node.rules == ("9: from all to all lookup 9",)
