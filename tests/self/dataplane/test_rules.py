"""Policy rules decide by which table a packet goes, as in the kernel (net/core/fib_rules.c)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from tests.self.dataplane.changes import changed
from tests.self.dataplane.test_endings import Change, both, entry
from topology.dataplane.rules import Asked, look_up
from topology.state import Entry, RouteState

MAIN, OTHER = "gretun-cont", "lc1_sc2"
TABLE_7 = entry("ip route", f"30.0.0.0/24 via 26.0.0.1 dev {OTHER} table 7")
ASKED = Asked(ip_address("20.0.0.2"), ip_address("30.0.0.1"), came_by="lc1-bridge1")
RULES: dict[str, tuple[Sequence[str], str]] = {
    "a mark that no probe has": (["from all fwmark 0x1/0xffffffff lookup 7"], MAIN),
    "a mark that no probe has, written short": (["from all fwmark 0x1 lookup 7"], MAIN),
    "any other mark": (["not from all fwmark 0x1/0xffffffff lookup 7"], OTHER),
    "not from the source": (["not from 20.0.0.0/24 lookup 7"], MAIN),
    "not from another source": (["not from 40.0.0.0/24 lookup 7"], OTHER),
    "a table without the route": (["from all lookup 8"], MAIN),
    "what is not followed, its table without the route": (["from all tos 0x10 lookup 8"], MAIN),
    "what is not followed": (["from all tos 0x10 lookup 7"], ""),
    "not for the source, whatever else": (["from 40.0.0.0/24 tos 0x10 lookup 7"], MAIN),
    "packets of the node itself": (["from all iif lo lookup 7"], MAIN),
    "a route of the main table suppressed": (
        ["from all lookup main suppress_prefixlength 24", "from all lookup 7"],
        OTHER,
    ),
    "a longer route kept": (["from all lookup main suppress_prefixlength 23", "from all lookup 7"], MAIN),
    "the default route suppressed": (["from all lookup main suppress_prefixlength 0", "from all lookup 7"], MAIN),
    "a jump over a rule": (["from all goto 12", "from all lookup 7", "from all nop"], MAIN),
    "a jump to nowhere": (["from all goto 99", "from all lookup 7"], OTHER),
    "a jump for others": (["from 40.0.0.0/24 goto 12", "from all lookup 7", "from all nop"], OTHER),
    "a jump that is not followed": (["from all tos 0x10 goto 12", "from all lookup 7", "from all nop"], ""),
}


def found(*changes: Change) -> tuple[list[str], str]:
    """The devices by which a packet leaves lc1, and why it does not."""
    egresses, end = look_up(changed({"lc1": both(*changes)})["lc1"], ASKED)
    return [egress.dev for egress in egresses], str(end or "")


@pytest.mark.parametrize("name", RULES)
def test_rules_are_asked_in_their_order(name: str) -> None:
    """A rule that is not for the packet, or whose table has no route for it, leaves it to the next one."""
    rules, out = RULES[name]
    devices, end = found(TABLE_7, *(entry("ip rule", f"pref {10 + n} {words}") for n, words in enumerate(rules)))
    assert devices == ([out] if out else [])
    assert ("is not followed" in end) == (not out)


def test_mark_is_not_followed_where_filters_may_set_it() -> None:
    """A node with filters may mark packets."""
    marked = entry("ip rule", "pref 9 from all fwmark 0x1/0xffffffff lookup 7")
    assert found(TABLE_7, marked)[0] == [MAIN]
    devices, end = found(TABLE_7, marked, entry("nft", "table ip mangle"))
    assert not devices
    assert end == "lc1: what the rule 'pref 9 from all fwmark 0x1/0xffffffff lookup 7' does is not followed"


def table_9(dev: str, metric: int, encap: str = "") -> Change:
    """A route to the other host in a table of its own, as it is read."""
    read = RouteState(ip_network("30.0.0.0/24"), ip_address("26.0.0.1"), dev, metric=metric, encap=encap)
    words = f"{read} table 9"
    return lambda state: replace(state, entries=state.entries | {Entry("ip route", dev, words, words, read=read)})


def test_routes_of_a_table_are_those_of_the_least_metric() -> None:
    """All next hops of one metric are taken, as in the main table; a header that a route adds is seen."""
    rule = entry("ip rule", "pref 9 from all lookup 9")
    best = table_9("lc1_sc1", 10), table_9("lc1_sc2", 10)
    assert sorted(found(rule, *best, table_9("gretun-cont", 20))[0]) == ["lc1_sc1", "lc1_sc2"]
    assert found(rule, table_9("lc1_sc1", 10, "mpls 100"))[1].endswith("encap mpls 100")
