"""The ranking of causes: one entry for each fault, the surest first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.diagnosis.rank import CAUSES_MAX, ranked, with_drops
from reports.evidence import Cause
from reports.words import IT_MAY, MISSING, NOTHING
from topology.state import LinkState

LINK = Cause("link", "lc1", "lc1_sc2", "up", "down", "up!")
ADDRESS = Cause("address", "lc1", "lc1_sc2", "26.0.0.2/24", MISSING, "address!")
ROUTE = Cause("route", "lc1", "lc1_sc2", "28.0.0.0/24 via 26.0.0.1 dev lc1_sc2", MISSING, "route!")
OTHER = Cause("route", "lc1", "gretun-cont", "23.0.0.0/24 dev gretun-cont", MISSING, "other!")
FAR = Cause("vxlan", "con_ns3", "vxlan-cont", "vni 30", "vni 31", "again!")
FAR_HERE = replace(FAR, node="lc1")
MAYBE = Cause("sysctl", "lc1", None, "a=1", "a=2", "set!", sure=False)
MAYBE_FAR = replace(MAYBE, node="sc2")
NO_ROUTE = Cause("forwarding", "lc1", None, "the packet passed on", "no route to 28.0.0.2", "", source="kernel")
UNREACHABLE = Cause("lookup", "lc1", None, "a route", "Network is unreachable", "", source="kernel")
LEARNED = Cause("fdb", "lc1", "lc1_br1", "behind another port", "behind this port", "", source="kernel")
WAITING = Cause("address resolution", "cs1", "cs1_br1", "the next hop's MAC", "no answer", "", source="kernel")
LOST = Cause("address resolution", "sc2", "sc2_lc1", "the request", "nothing", "", source="traffic")
RULE = Cause("nft", "lc2", None, "accepted", "dropped by rule 4", "delete rule!", "list rule!", "kernel")
TABLE = Cause("nft", "lc2", None, NOTHING, "table ip f", "delete!")
BRIDGE = Cause("link", "con_ns1", "bridge1", "a bridge", MISSING, "bridge!")
PORT = Cause("bridge", "con_ns1", "bridge1_cs1", "bridge1", "no bridge", "master!")
BELOW = Cause("link", "con_ns1", "br1_lc1", "a veth", MISSING, "veth!")
ABOVE = replace(
    FAR,
    kind="link",
    node="con_ns1",
    declared="a vxlan",
    live=MISSING,
    about=LinkState("vxlan-cont", "vxlan", parameters=(("dev", "br1_lc1"),)),
)
LOWERED = Cause("mtu", "con_ns3", "vxlan-cont", "1450", "1440", "mtu!")
WRONG_LENGTH = Cause("address", "lc1", "lc1_sc2", NOTHING, "26.0.0.2/32", "del!")

CASES: dict[str, tuple[list[Cause], list[Cause]]] = {
    "nothing": ([], []),
    "twice the same": ([ROUTE, ROUTE], [ROUTE]),
    "a link and what it took along": ([LINK, ADDRESS, ROUTE], [replace(LINK, fix="up!; address!; route!")]),
    "an address and its route": ([ADDRESS, ROUTE], [replace(ADDRESS, fix="address!; route!")]),
    "another address instead": ([ADDRESS, WRONG_LENGTH], [replace(ADDRESS, fix="address!; del!")]),
    "an address too much": ([WRONG_LENGTH, ROUTE], [WRONG_LENGTH, ROUTE]),
    "a bridge and its ports": ([BRIDGE, PORT], [replace(BRIDGE, fix="bridge!; master!")]),
    "a device and the one above it": ([BELOW, ABOVE], [replace(BELOW, fix="veth!; again!")]),
    "a header and the MTU": ([FAR, LOWERED], [replace(FAR, fix="again!; mtu!")]),
    "two faults of one node": ([LINK, OTHER], [LINK, OTHER]),
    "two faults of two nodes": ([ROUTE, FAR], [ROUTE, FAR]),
    "what may be behind what surely is": ([MAYBE, FAR], [FAR]),
    "what may be, at the first suspect": ([MAYBE, MAYBE_FAR], [MAYBE]),
    "an ending, and what may be": ([MAYBE, NO_ROUTE], [NO_ROUTE]),
    "an ending confirms": ([ROUTE, NO_ROUTE], [replace(ROUTE, evidence="forwarding: no route to 28.0.0.2")]),
    "an ending at no device is one of routes": (
        [FAR_HERE, ROUTE, NO_ROUTE],
        [FAR_HERE, replace(ROUTE, evidence="forwarding: no route to 28.0.0.2")],
    ),
    "an ending that undoing a difference elsewhere leaves": ([FAR, NO_ROUTE], [FAR, NO_ROUTE]),
    "a kernel's answer elsewhere is an effect": ([FAR, UNREACHABLE], [FAR]),
    "what a bridge elsewhere learned is an effect": ([FAR, LEARNED], [FAR]),
    "who waits, beside what may be": ([WAITING, MAYBE], [MAYBE]),
    "who waits for what was lost": ([LOST, WAITING], [replace(LOST, evidence=f"{WAITING.kind}: {WAITING.live}")]),
    "who waits, and nothing else": ([WAITING], [WAITING]),
    "two endings at one node": (
        [NO_ROUTE, UNREACHABLE],
        [replace(NO_ROUTE, evidence="lookup: Network is unreachable")],
    ),
    "endings at two nodes": (
        [NO_ROUTE, replace(UNREACHABLE, node="sc2")],
        [NO_ROUTE, replace(UNREACHABLE, node="sc2")],
    ),
    "a rule within a table": (
        [RULE, TABLE],
        [replace(TABLE, evidence="nft: dropped by rule 4", show="list rule!")],
    ),
    "a rule beside another fault": ([ROUTE, RULE], [ROUTE, RULE]),
    "a rule explains an ending": (
        [replace(UNREACHABLE, node="lc2"), RULE],
        [replace(RULE, evidence="lookup: Network is unreachable")],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_fault_is_one_entry(name: str) -> None:
    """What follows from a fault and what confirms it is part of its entry; independent faults are all named."""
    found, entries = CASES[name]
    assert list(ranked(found)) == entries


def test_confirmed_suspicion_is_sure() -> None:
    """A difference that only may explain does so where another source found the same fault."""
    (entry,) = ranked([replace(TABLE, sure=False), RULE])
    assert entry.sure


SUSPECT = replace(RULE, interface="br1", sure=False)
DROPPED = Cause("nft", "lc2", "lc2_br1", "the packet passed on", "5 of 5 packets dropped", "", source="traffic")


@pytest.mark.parametrize(
    ("found", "entries"),
    [
        ([SUSPECT], [replace(SUSPECT, sure=True, evidence="nft: 5 of 5 packets dropped")]),
        (
            [replace(SUSPECT, live=f"{SUSPECT.live}{IT_MAY}'ct state')")],
            [replace(SUSPECT, sure=True, evidence="nft: 5 of 5 packets dropped")],
        ),
        ([SUSPECT, replace(SUSPECT, interface="br2")], [DROPPED]),
        ([replace(SUSPECT, node="lc1")], [DROPPED]),
        ([replace(SUSPECT, kind="tc")], [DROPPED]),
        ([], [DROPPED]),
    ],
)
def test_seen_drop_makes_its_only_suspect_sure(found: list[Cause], entries: list[Cause]) -> None:
    """Of several rules that may drop it none is chosen."""
    assert list(ranked(with_drops(found, [DROPPED]))) == entries


def test_list_is_bounded() -> None:
    """More causes than a person reads are cut."""
    assert len(ranked(replace(ROUTE, declared=f"{n}") for n in range(CAUSES_MAX + 1))) == CAUSES_MAX
