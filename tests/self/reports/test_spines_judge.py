"""Spines that flows use, VXLAN inside or beside GRE, and cables whose ends agree, from what was seen alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from reports.evidence import Journey
from reports.judge.cables import misplaced, torn
from reports.judge.spines import judge_in_gre, judge_spines, routers
from reports.judge.traffic import Traffic
from tests.self.builders import expect, journey, known_lab, reference, seen_path
from topology.model import Fabric, Link
from topology.refs import PortRef


def flows(fabric: Fabric, source: str, target: str) -> list[Journey]:
    """A packet on each legal path."""
    expected = expect(fabric, source, target, "udp")
    return [journey(expected, seen_path(fabric, path), "udp") for path in expected.paths]


def ecmp() -> list[Journey]:
    """Flows over both spines of a lab that has more than one way."""
    return flows(known_lab("ecmp"), "cs1", "cs2")


def cut(found: Sequence[Journey]) -> list[Journey]:
    """The same, the last one lost at its spine."""
    *others, last = found
    return [*others, replace(last, sightings=last.sightings[:4])]


def test_flows_over_every_spine_are_told_from_those_over_one() -> None:
    """All ways together use both spines; each way alone uses one, and a lost flow is none."""
    both = ecmp()
    assert judge_spines(both, 2)
    assert {node for way in both for node in routers(way)} >= {"sc1", "sc2"}
    pinned = judge_spines([both[0]] * 3, 2)
    assert not pinned
    assert "3 flows - expected over each of 2 spines - seen all over" in pinned.message
    assert "expected over each of 3 spines - seen " in judge_spines(both, 3).message
    assert "expected all to arrive - seen 1 lost, the first last at" in judge_spines(cut(both), 2).message


def test_rows_without_a_choice_of_spines_are_whole() -> None:
    """One spine is every spine; a path without a router has none."""
    assert judge_spines(flows(reference(), "cs1", "cs5"), 1)
    assert not judge_spines(flows(reference(), "cs1", "cs5"), 2)
    bridged = flows(known_lab("vlan-trunk"), "red1", "red2")
    flat = [replace(one, sightings=tuple(s for s in one.sightings if s.node != "s1")) for one in bridged]
    assert "seen all over no router" in judge_spines(flat, 1).message


@pytest.mark.parametrize(("lab", "ends"), [("ece792", ("cs1", "cs5")), ("two-tenants", ("red1", "red3"))])
def test_vxlan_inside_gre_is_told_from_vxlan_beside_it(lab: str, ends: tuple[str, str]) -> None:
    fabric, beside = known_lab(lab), lab != "ece792"
    legs = [*flows(fabric, *ends), *flows(fabric, *ends[::-1])]
    assert bool(judge_in_gre(legs, expected=beside)) is False
    assert judge_in_gre(legs, expected=not beside)
    words = "beside GRE - seen inside it" if not beside else "inside GRE - seen in no GRE"
    assert f"expected VXLAN {words} - evidence: " in judge_in_gre(legs, expected=beside).message


@pytest.mark.parametrize("expected", [False, True])
def test_no_vxlan_is_neither_inside_nor_beside(expected: bool) -> None:
    """Another tunnel is none."""
    assert "seen no VXLAN" in judge_in_gre(flows(reference(), "cs1", "cs3"), expected).message


def test_ends_of_a_cable_that_do_not_agree_are_named() -> None:
    """A frame that comes out changed, or was never sent into the other end; one that is lost is no contradiction."""
    fabric = reference()
    whole = flows(fabric, "cs1", "cs5")[0]
    assert list(torn([whole], fabric.links)) == []
    place = next(n for n, seen in enumerate(whole.sightings) if (seen.node, seen.direction) == ("sc2", "in"))
    came = whole.sightings[place]
    changed = replace(came, frame=came.frame[:-1] + b"\x00")
    for sightings in (
        (*whole.sightings[:place], changed, *whole.sightings[place + 1 :]),
        (*whole.sightings[: place - 1], *whole.sightings[place:]),
        (*whole.sightings[: place + 1], came, *whole.sightings[place + 1 :]),
    ):
        (said,) = torn([replace(whole, sightings=sightings)], fabric.links)
        assert said.startswith("sc2:sc2_lc1 in - expected what lc1:lc1_sc2 sent: ")
    lost = (*whole.sightings[:place], *whole.sightings[place + 1 :])
    assert list(torn([replace(whole, sightings=lost)], fabric.links)) == []


@pytest.mark.parametrize(
    ("cables", "named"),
    [
        ((("sc1:sc1_lc1", "lc2:lc2_sc1"), ("sc1:sc1_lc2", "lc1:lc1_sc1")), [("sc1_lc1", True), ("sc1_lc2", True)]),
        ((("lc1:lc1_sc2", "sc1:sc1_lc1"), ("lc1:lc1_sc1", "sc2:sc2_lc1")), [("lc1_sc1", True), ("lc1_sc2", False)]),
        ((("lc1:lc1_sc1", "sc1:sc1_lc1"),), []),
        ((), []),
    ],
    ids=["both at a spine", "both at a leaf", "as declared", "missing"],
)
def test_a_cable_that_leads_elsewhere_is_named_where_most_do(
    cables: Sequence[tuple[str, str]], named: list[tuple[str, bool]]
) -> None:
    """Each once, and surely where the packets pass; what is missing is no cable that leads elsewhere."""
    declared = known_lab("ecmp")
    ends = [(PortRef(*one.split(":")), PortRef(*other.split(":"))) for one, other in cables]
    moved = {end for cable in ends for end in cable}
    kept = [link for link in declared.links if moved.isdisjoint(link.ends)]
    live = replace(declared, links=(*kept, *(Link(*cable) for cable in ends)))
    expected = expect(declared, "cs1", "cs2")
    way = replace(expected, paths=tuple(path for path in expected.paths if "sc1" in {hop.node for hop in path.hops}))
    found = [(one.interface, one.sure) for one in misplaced(declared, live, Traffic.of(declared, [way]))]
    assert found == named
