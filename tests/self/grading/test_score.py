"""Points: nothing unproven earns, causes are charged once, and whoever breaks something never gains by it."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import pytest

from reports.grading.record import Graded, Outcome, Promise, Row
from reports.grading.score import Override, Score, State, number, score
from reports.record.exhibits import Cause
from tests.self.draws import draws
from tests.self.grading.classes import BUILT, ROUTE, ROWS, VNI, Key, empty, everything, graded, rubric
from topology.formats.rubric import load_rubric

DEFAULT = load_rubric()
OTHER = replace(ROUTE, node="LC1")
SHARED = rubric(
    """
    id: fabric, points: 10, needs: [builds, underlay]
    id: vxlan, points: 50, rows: VXLAN, needs: [reaches, kind], after: fabric, after-share: 0.5
    id: apart, points: 40, rows: VXLAN, needs: [own-vni], after: vxlan, after-share: 0.5
    """
)
LOST: dict[Key, list[Cause]] = {("reaches", 2): [ROUTE]}


def points(found: Score) -> dict[str, str]:
    """Each item's points, in the words of the pages."""
    return {one.item.id: one.between() for one in found.items}


def test_items_are_about_the_rows_of_the_csv_or_the_fixed_ones() -> None:
    """A lost fixed row costs the item about the fixed part alone, and the other way round."""
    rows = [*ROWS, Row(6, "CS1", "CS5", "VXLAN", fixed=True)]
    both = rubric(
        "id: a, points: 60, rows: VXLAN, needs: reaches\nid: b, points: 40, rows: VXLAN, fixed: true, needs: reaches"
    )
    for lost, expected in ((6, {"a": "60", "b": "0"}), (2, {"a": "30", "b": "40"})):
        found = everything(rows)
        found[("reaches", lost)] = replace(found[("reaches", lost)], outcome="broken")
        assert points(score(graded(rows=rows, promises=list(found.values())), both)) == expected


def _of(promise: Promise) -> int:
    return promise.row.number if promise.row else 0


FULL = {"fabric": "20", "vxlan": "30", "gre": "20", "apart": "20", "again": "10", "mtu": "5"}
CASES: dict[str, tuple[Graded, dict[str, str], list[str]]] = {
    "right": (graded(), {}, []),
    "a row is not delivered": (graded(broken=LOST), {"vxlan": "15", "apart": "10", "mtu": "2.5"}, []),
    "a row has another kind": (graded(broken={("kind", 4): []}), {"gre": "0"}, []),
    "a row that no item asks for": (graded(broken={("reaches", 1): [], ("kind", 3): []}), {}, []),
    "one number for all rows": (graded(broken={("own-vni", 2): [VNI], ("own-vni", 5): [VNI]}), {"apart": "0"}, []),
    "what is of the whole is whole": (graded(broken={("underlay", 0): []}), {"fabric": "0"}, []),
    "errored": (graded(others={("kind", 2): "errored"}), {"vxlan": "15..30"}, ["errored"]),
    "errored twice": (
        graded(others={("kind", 2): "errored"}, first=list(everything().values())),
        {"vxlan": "15..30"},
        ["errored twice"],
    ),
    "errored, and broken anyway": (
        graded(broken={("reaches", 2): []}, others={("kind", 2): "errored"}),
        {"vxlan": "15", "apart": "10", "mtu": "2.5"},
        [],
    ),
    "what may have reached": (
        graded(others={("reaches", 2): "errored"}),
        {"vxlan": "15..30", "apart": "10..20", "mtu": "2.5..5"},
        ["errored"],
    ),
    "what does not apply proves nothing": (graded(others={("kind", 4): "does-not-apply"}), {"gre": "0"}, []),
    "not in the record": (
        graded(others={("other-csv", 0): None, ("largest-whole", 5): None}),
        {"again": "0..10", "mtu": "2.5..5"},
        ["needs a run: other-csv, largest-whole"],
    ),
    "no row of a type": (
        graded(rows=ROWS[:3], promises=[one for one in everything().values() if _of(one) < 4]),
        {"gre": "0..20"},
        ["needs a run: a row of type GRE"],
    ),
    "no row reaches": (
        graded(broken={("reaches", row.number): [] for row in ROWS}),
        {"vxlan": "0", "gre": "0", "apart": "0", "again": "0", "mtu": "0"},
        [],
    ),
    "whether any row reaches is open": (
        graded(
            broken={("reaches", row.number): [] for row in ROWS[1:]},
            others={("reaches", 1): "errored"},
        ),
        {"vxlan": "0", "gre": "0", "apart": "0", "again": "0..10", "mtu": "0"},
        ["errored"],
    ),
    "the build hit its deadline": (graded(ended="deadline"), {}, ["build hit its deadline"]),
    "the build flooded": (graded(ended="output"), {}, ["build hit its limit of output"]),
    "a second run hit its deadline": (
        graded(build=[replace(BUILT, ended="deadline", part="second-run")]),
        {},
        ["second-run hit its deadline"],
    ),
    "the machine was lost": (graded(ended="lost"), {}, ["build lost the machine"]),
    "nothing built": (empty(), dict.fromkeys(FULL, "0"), []),
}


@pytest.mark.parametrize("name", CASES)
def test_points(name: str) -> None:
    """By the assignment's rubric, each case loses exactly what it does not prove."""
    record, expected, person = CASES[name]
    found = score(record, DEFAULT)
    assert points(found) == FULL | expected
    assert found.person == person


def test_shares_add_up_without_rounding() -> None:
    """A third of the points three times is all of them."""
    rows = [Row(number, f"A{number}", f"B{number}", "GRE") for number in (1, 2, 3)]
    found = score(graded(rows=rows, promises=list(everything(rows).values())), DEFAULT)
    assert found.items[2].low == 20
    assert found.items[2].state == "full"


EFFECTS: dict[str, tuple[dict[Key, list[Cause]], dict[str, str]]] = {
    "another cause": ({**LOST, ("own-vni", 2): [VNI]}, {"vxlan": "25", "apart": "20"}),
    "the same cause": ({**LOST, ("own-vni", 2): [ROUTE]}, {"vxlan": "25", "apart": "30"}),
    "no cause": ({("reaches", 2): [], ("own-vni", 2): []}, {"vxlan": "25", "apart": "20"}),
    "one more cause": ({**LOST, ("own-vni", 2): [ROUTE, VNI]}, {"vxlan": "25", "apart": "20"}),
    "a cause of the item before the one before": (
        {("underlay", 0): [ROUTE], ("own-vni", 2): [ROUTE], ("own-vni", 5): [ROUTE]},
        {"fabric": "0", "apart": "10"},
    ),
    "no more than was lost": (
        {("underlay", 0): [ROUTE], ("reaches", 2): [ROUTE], ("reaches", 5): [ROUTE]},
        {"fabric": "0", "vxlan": "10", "apart": "0"},
    ),
}


@pytest.mark.parametrize("name", EFFECTS)
def test_effects_earn_a_share_of_what_their_cause_was_charged(name: str) -> None:
    """Only where every cause is one that an item before was charged with, and never more than that item lost."""
    broken, expected = EFFECTS[name]
    assert points(score(graded(broken=broken), SHARED)) == {"fabric": "10", "vxlan": "50", "apart": "40"} | expected


def test_effect_is_listed_under_what_it_follows_from() -> None:
    """Also where it earns nothing."""
    found = score(graded(broken={**LOST, ("own-vni", 2): [ROUTE]}), DEFAULT)
    parts = found.items[3].parts
    assert [(part.state, part.under) for part in parts] == [(State.BROKEN, "vxlan"), (State.KEPT, "")]


def worse(record: Graded, rng: random.Random) -> Graded:
    """A record in which some promises are worse than in another, by whatever causes; broken ones may change theirs."""
    promises = list(record.promises)
    for place in rng.sample(range(len(promises)), rng.randint(1, 4)):
        held = promises[place].outcome == "kept"
        worst: list[Outcome] = ["broken", "does-not-apply"]
        outcome = rng.choice([*worst, "errored"] if held else worst)
        causes = rng.choice([[], [ROUTE], [VNI], [ROUTE, VNI], [OTHER]])
        promises[place] = replace(promises[place], outcome=outcome, causes=causes)
    return replace(record, promises=promises)


def test_breaking_anything_never_raises_a_score() -> None:
    """Whatever gets worse, and whatever is named as the cause: neither bound of any item rises."""
    rng = random.Random(13)
    for _ in range(draws(25)):
        record = graded()
        for _ in range(4):
            before, record = record, worse(record, rng)
            old, new = score(before, DEFAULT), score(record, DEFAULT)
            for one, other in zip(old.items, new.items, strict=True):
                assert other.low <= one.low
                assert other.high <= one.high


def test_breaking_what_held_never_raises_a_score_where_effects_earn() -> None:
    """A row that was right, or the whole, broken on purpose costs at least what its effects earn."""
    rng = random.Random(14)
    pools = [[ROUTE], [VNI], [ROUTE, VNI], [OTHER], []]
    for _ in range(draws(50)):
        record = graded()
        for target in rng.sample([0, 2, 5], 3):
            before = record
            cause, names = rng.choice(pools), ("builds", "underlay") if target == 0 else ("reaches", "kind", "own-vni")
            hit = names[rng.randrange(len(names)) :]
            promises = [
                _broken(one, cause) if _of(one) == target and one.name in hit else one for one in record.promises
            ]
            record = replace(record, promises=promises)
            assert score(record, SHARED).low <= score(before, SHARED).low


def _broken(promise: Promise, causes: list[Cause]) -> Promise:
    return replace(promise, outcome="broken", causes=causes)


def test_override_is_applied_last() -> None:
    """It settles its item, and says that a person has looked at the build; other open items stay open."""
    record = graded(others={("kind", 2): "errored", ("kind", 4): "errored"}, ended="deadline")
    given = Override("s0001", "VXLAN", Fraction(27), "seen in the lab", "Ada")
    found = score(record, DEFAULT, [given])
    assert points(found) == FULL | {"vxlan": "27", "gre": "0..20"}
    assert found.person == ["errored"]
    assert number(found.low) == "82"
    assert number(found.high) == "102"
