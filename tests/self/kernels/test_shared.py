"""Shared limits of a kernel's namespaces, as it states them, and those too small."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.self.kernels.agents import Scripted, sandboxed_agent
from tests.self.kernels.dumps import table_dump
from topology.errors import EvidenceIncomplete, NetlinkError
from topology.kernels.link import Reply
from topology.kernels.shared import NeighbourTable, check_no_overflow, neighbour_tables, shortages
from topology.plan import NO_ROOM, Room

LIMITS = "Limit           Soft Limit  Hard Limit  Units\nMax open files  100         {}          files\n"


def agent(dump: bytes = b"", files: str = "1000") -> Scripted:
    def reply(op: str, body: bytes, fields: Mapping[str, Any]) -> Reply:
        return Reply({}, dump) if op == "netlink" else Reply({"texts": [LIMITS.format(files)]}, b"")

    return Scripted(reply)


def test_tables_are_read_with_their_limits() -> None:
    """Both tables, once each however often they are said, and of the parameters of their devices nothing."""
    dump = table_dump(4, 1024, 7, 3) + table_dump(6, 512, 1, 0) + table_dump(6, 512, 2, 0)
    assert neighbour_tables(agent(dump)) == [NeighbourTable(4, 1024, 7, 3), NeighbourTable(6, 512, 2, 0)]


@pytest.mark.parametrize("size", [17, 30, 60, 100])
def test_a_dump_that_is_cut_off_is_refused(size: int) -> None:
    """Half a message is an error of the environment and no table without limits."""
    with pytest.raises(NetlinkError):
        neighbour_tables(agent(table_dump()[:size]))


def test_a_message_without_its_numbers_is_refused() -> None:
    """A table without its count of overflows is refused."""
    dump = table_dump().replace(b"\x5c\0\x07\0", b"\x5c\0\x09\0")
    with pytest.raises(NetlinkError, match="expected messages of the kernel"):
        neighbour_tables(agent(dump))


def test_a_real_kernel_says_both_in_every_namespace() -> None:
    """Also in a sandbox, where neither /proc/net/stat nor the sysctls have the tables."""
    with sandboxed_agent() as real:
        tables = neighbour_tables(real)
    assert {table.version for table in tables} >= {4}
    assert all(table.most >= table.entries for table in tables)


def test_each_shortage_names_setting_and_value() -> None:
    """One line each: the value needed, the value there is, the command that raises it."""
    short = agent(table_dump(4, 1024, 100) + table_dump(6, 1024, 0), files="500")
    found = shortages(short, Room(600, 2464, {4: 1025, 6: 1024}), 599)
    assert found == [
        "net.ipv4.neigh.default.gc_thresh3 - expected 1025 or more, shared by all namespaces - seen 1024"
        " - as root: sysctl -w net.ipv4.neigh.default.gc_thresh3=4096",
        "open files - expected 2464 or more - seen 500 - as root: ulimit -Hn 4928",
        "user.max_net_namespaces - expected 600 or more - seen 599 - as root: sysctl -w user.max_net_namespaces=1200",
    ]


def test_what_suffices_is_no_shortage() -> None:
    """A value that just suffices, no limit, and another machine's namespaces are no shortage."""
    dump = table_dump(4, 1024, 1000) + table_dump(6, 1024, 0)
    assert shortages(agent(dump), Room(250, 1000, {4: 1024}), 250) == []
    assert shortages(agent(dump, files="unlimited"), Room(250, 1 << 30, {4: 1}), None) == []


def test_who_needs_nothing_is_not_looked_at() -> None:
    """A kernel that is started for something else than a lab is not asked."""
    asked = agent()
    assert shortages(asked, NO_ROOM, 0) == []
    assert asked.asked == []


def test_an_overflow_in_between_is_reported_with_its_table() -> None:
    """Overflows from before the look do not count."""
    before = [NeighbourTable(4, 1024, 10, 5), NeighbourTable(6, 1024, 10, 0)]
    check_no_overflow(before, before)
    with pytest.raises(EvidenceIncomplete, match=r"table of IPv6 .+ seen 2 refused .+ 1024 of 1024 .+ net\.ipv6\."):
        check_no_overflow(before, [before[0], NeighbourTable(6, 1024, 1024, 2)])
