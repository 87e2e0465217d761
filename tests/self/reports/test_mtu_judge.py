"""The verdict on what sizes cross: against what is computed, promised and allowed. More fails here than passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from reports.checks.mtu import LegMtu, PairMtu
from tests.self.found import AS_MEASURED, CAUSE, FRAGMENTS, ICMP, REFUSED, SILENCE, WHOLE, Zones, changed, way


def test_the_three_results_differ() -> None:
    """Up to 1426 bytes whole, up to 1450 at all, and above that an answer and then none."""
    found = way()
    assert (found.largest_whole, found.largest_whole_with_df, found.largest_with_df) == (1426, 1426, 1450)
    assert [(zone.first, zone.last, zone.what.fate) for zone in found.above] == [
        (1451, 1454, "icmp"),
        (1455, 1500, "silence"),
    ]
    assert [zone.what.fate for zone in found.zones] == ["whole", "fragments", "icmp", "silence", "refused"]


def test_what_was_measured_is_as_computed_promised_and_allowed() -> None:
    """The reference lab keeps what it declares."""
    for customers in (None, 1426, 1400, 84):
        found = way(customers=customers)
        assert all((found.whole_as_computed, found.promise_kept, found.above_as_allowed)), customers


COMPUTED: dict[str, tuple[LegMtu, str]] = {
    "one byte less with DF": (
        way(changed(AS_MEASURED, {1425: WHOLE, 1426: SILENCE})),
        "con_ns1 - cs1 -> cs5, largest packet without a fragment, with DF - expected 1426 (lc1:gretun-cont out carries "
        "1476 less 50 of tunnel headers) - seen 1425; the next size vanishes after con_ns1:bridge1_cs1 in",
    ),
    "one byte more": (way(changed(AS_MEASURED, {1427: WHOLE, 1428: FRAGMENTS})), "seen 1427"),
    "nothing whole": (way([(84, FRAGMENTS), (1500, SILENCE)]), "seen none; the next size arrives in fragments"),
    "everything whole": (way([(84, WHOLE), (1500, WHOLE), (1501, WHOLE)]), "seen 1501"),
    "refused too early": (way([(84, WHOLE), (1400, WHOLE), (1401, REFUSED)]), "the next size is refused by cs1"),
    "a hole below": (way(changed(AS_MEASURED, {700: SILENCE, 699: WHOLE})), "seen 699; the next size vanishes"),
}


def test_any_of_the_legal_paths_may_decide() -> None:
    """If two legal paths have different widths, the result of either is as computed, and no other."""
    narrow = way().computed[0]
    wide = replace(narrow, overhead=narrow.overhead - 10)
    both = (narrow, wide)
    by_the_wide = changed(AS_MEASURED, {1427: WHOLE, 1436: WHOLE, 1437: FRAGMENTS})
    plain = [(84, WHOLE), (1436, WHOLE), (1437, FRAGMENTS)]
    assert replace(way(), computed=both).whole_as_computed
    assert replace(way(by_the_wide, plain), computed=both).whole_as_computed
    between = changed(AS_MEASURED, {1427: WHOLE, 1430: WHOLE, 1431: FRAGMENTS})
    assert not replace(way(between), computed=both).whole_as_computed


BROKEN: dict[str, tuple[LegMtu, str]] = {
    "split with DF": (way(changed(AS_MEASURED, {1400: FRAGMENTS})), "1400 bytes with DF"),
    "lost": (way(changed(AS_MEASURED, {1426: SILENCE})), "expected it arrives whole up to 1426 - seen vanishes after"),
    "answered": (way(changed(AS_MEASURED, {1426: ICMP})), "seen is answered in the name of 20.0.0.3"),
    "less than declared": (way(changed(AS_MEASURED, {1000: SILENCE}), customers=1200), "whole up to 1200"),
}


ABOVE: dict[str, tuple[LegMtu, str]] = {
    "no fragments": (
        way(above=("icmp", "silence")),
        "lc1 - cs1 -> cs5, 1427 to 1450 bytes with DF - expected only icmp or silence",
    ),
    "no ICMP": (way(above=("fragments", "silence")), "con_ns1 - cs1 -> cs5, 1451 to 1454 bytes with DF"),
    "no silence": (
        way(above=("fragments", "icmp")),
        "1455 to 1500 bytes with DF - expected only fragments or icmp above 1426",
    ),
}
FAILING = {"whole_as_computed": COMPUTED, "promise_kept": BROKEN, "above_as_allowed": ABOVE}


@pytest.mark.parametrize(("claim", "name"), [(claim, name) for claim, cases in FAILING.items() for name in cases])
def test_size_that_is_not_as_it_must_be_fails(claim: str, name: str) -> None:
    """The first size or zone that is wrong is named, with the place and what became of it there."""
    found, words = FAILING[claim][name]
    assert not getattr(found, claim)
    assert words in repr(getattr(found, claim))


def test_packets_that_cross_whole_or_are_not_sent_are_always_allowed() -> None:
    """Above the customers' MTU nothing needs to go wrong."""
    zones: Zones = [(84, WHOLE), (1500, WHOLE), (1501, REFUSED)]
    assert way(zones, customers=1200, above=("icmp",)).above_as_allowed


CLAIMS: tuple[Callable[[LegMtu | PairMtu], object], ...] = (
    lambda found: found.whole_as_computed,
    lambda found: found.promise_kept,
    lambda found: found.above_as_allowed,
)


@pytest.mark.parametrize("claim", CLAIMS)
def test_guilty_node_comes_first_and_its_fix_last(claim: Callable[[LegMtu | PairMtu], object]) -> None:
    """If the live state says why, the message starts with the guilty node, and the finding has the cause."""
    zones = changed(AS_MEASURED, {1000: SILENCE, 1426: SILENCE})
    found = claim(way(zones, above=("icmp",), causes=(CAUSE,)))
    assert repr(found).startswith("lc1 - cs1 -> cs5, ")
    assert repr(found).endswith(CAUSE.fix)
    assert found.cause == CAUSE  # type: ignore[attr-defined]


@pytest.mark.parametrize("claim", CLAIMS)
def test_both_ways_count(claim: Callable[[LegMtu | PairMtu], object]) -> None:
    """A pair fails when either of its ways does."""
    bad = way(changed(AS_MEASURED, {1000: SILENCE, 1426: SILENCE}), above=("icmp",))
    for pair in (PairMtu(bad, way()), PairMtu(way(), bad)):
        assert not claim(pair)
    assert claim(PairMtu(way(), way()))


@pytest.mark.parametrize(("size", "lost"), [(1426, None), (1450, None), (1451, 1451), (1500, 1451)])
def test_smallest_lost_packet_explains_larger_ones(size: int, lost: int | None) -> None:
    """The smallest lost one of the sizes up to one is reported; fragments arrive."""
    found = way().crosses(size)
    assert (found[0] if found else None) == lost
