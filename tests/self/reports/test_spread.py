from __future__ import annotations

import pytest

from reports.checks.spread import (
    DIRECT,
    FlowSeen,
    Forks,
    all_arrive,
    chi_square_tail,
    each_stays,
    share_one_way,
    shares,
    spread_evenly,
)
from tests.self.builders import expect
from tests.self.shapes import SHAPES, shape
from topology.formats import load


def flows(**counts: int) -> list[FlowSeen]:
    """So many flows on each way, of three packets each."""
    ways = [way for way, count in counts.items() for _ in range(count)]
    return [FlowSeen(49152 + number, (way,) * 3) for number, way in enumerate(ways)]


LOST = FlowSeen(50000, ("sc1", None, "sc1"))
GONE = FlowSeen(50001, (None, None, None))
RESTLESS = FlowSeen(50002, ("sc1", "sc2", "sc1"))
STRAYED = FlowSeen(50003, ("sc1", "sc1", "sc1"), "lc1 - expected gre - seen bare")


@pytest.mark.parametrize(
    ("statistic", "freedom", "p"),
    [(3.841, 1, 0.05), (10.828, 1, 0.001), (5.991, 2, 0.05), (7.815, 3, 0.05), (16.266, 3, 0.001), (18.307, 10, 0.05)],
)
def test_tail_is_that_of_the_tables(statistic: float, freedom: int, p: float) -> None:
    """The critical values that every table of the chi-square distribution prints have their probabilities."""
    assert chi_square_tail(statistic, freedom) == pytest.approx(p, rel=2e-3)


@pytest.mark.parametrize("counts", [(32, 32), (40, 24), (45, 19), (46, 18), (54, 10), (63, 1)])
def test_shares_pass_as_far_as_a_fair_hash_gives_them(counts: tuple[int, int]) -> None:
    """Those that it gives less than once in 1000 times are reported."""
    found = spread_evenly(flows(sc1=counts[0], sc2=counts[1]), ["sc1", "sc2"])
    assert bool(found) == (counts[0] <= 45)
    assert f"seen {counts[0]} on sc1, {counts[1]} on sc2" in str(found)


def test_unused_way_fails() -> None:
    """A spine without flows is reported, however the others share."""
    found = spread_evenly(flows(sc1=32, sc2=32), ["sc1", "sc2", "sc3"])
    assert "expected on all of sc1, sc2, sc3 - seen 32 on sc1, 32 on sc2, 0 on sc3" in str(found)
    assert not found
    assert not spread_evenly([], ["sc1"])


def test_one_way_is_all_on_one() -> None:
    """All on one way pass; one flow elsewhere, or none at all, does not."""
    assert share_one_way(flows(sc2=64))
    assert not share_one_way(flows(sc2=63, sc1=1))
    assert not share_one_way([GONE])


@pytest.mark.parametrize(("flow", "words"), [(LOST, "1 lost (ports 50000)"), (GONE, "1 lost"), (STRAYED, "seen bare")])
def test_lost_or_strayed_packet_fails(flow: FlowSeen, words: str) -> None:
    """One packet that is lost, or takes no legal path, is enough."""
    found = all_arrive([*flows(sc1=3), flow])
    assert not found
    assert words in str(found)


def test_restless_flow_fails() -> None:
    """A changed way is reported; a flow that lost a packet has not changed it."""
    assert each_stays([*flows(sc1=3), LOST])
    assert "flow 50002 - expected one path for all its packets - seen sc1 then sc2" in str(each_stays([RESTLESS]))
    assert not each_stays([RESTLESS])


def test_shares_count_flows_not_packets() -> None:
    """Each flow counts once, by its first packet that arrived."""
    assert shares([*flows(sc1=2), LOST, GONE]) == {"sc1": 3}


@pytest.mark.parametrize(
    ("lab", "source", "target", "ways", "nodes"),
    [
        ("ecmp", "cs1", "cs2", ["sc1", "sc2"], ("sc1", "sc2")),
        ("two-ways-without-spines", "h1", "h2", ["x", "y"], ("x", "y")),
        ("links-side-by-side", "h1", "h2", ["a:p+b:p", "a:q+b:q"], ()),
        ("bare", "h1", "h2", [DIRECT], ()),
        ("ece792", "cs1", "cs5", [DIRECT], ()),
    ],
)
def test_ways_are_named_by_what_others_do_not_pass(
    lab: str, source: str, target: str, ways: list[str], nodes: tuple[str, ...]
) -> None:
    """Spines, or other nodes that only some ways pass, or the links where all pass the same nodes."""
    fabric = shape(lab) if lab in SHAPES else load(lab)
    found = Forks(expect(fabric, source, target, "udp"))
    assert (found.ways, found.nodes) == (ways, nodes)
    assert {found.name(hop.ref for hop in path.hops) for path in found.journey.paths} == set(ways)
