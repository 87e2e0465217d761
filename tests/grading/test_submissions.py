"""Submissions of our own are graded: what is right earns its points, each mistake costs its own and is named."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures.instruments.grading.grader import Grader
from reports.grading.record import Graded, Row
from reports.grading.score import score
from tests.grading.kit import LEAF_SPINE, packed
from topology.errors import KernelUnavailable, NotApplicable
from topology.formats.recipe import Recipe, Step
from topology.formats.rubric import Rubric, rubric_of_text
from topology.formats.submission import Packed, Submission

pytestmark = [pytest.mark.grading, pytest.mark.alone]

ALL = os.environ.get("HOPCHECK_SUBMISSIONS") == "all"
"""Every submission; else those of each change."""
ROWS = [Row(1, "CS1X", "CS2X", "VXLAN"), Row(2, "CSA", "CSB", "Bridge"), Row(3, "CS3X", "CS4X", "VXLAN")]
RECIPE = Recipe(steps=(Step("sh build.sh {csv}", deadline=300),), cleanup="ip -all netns del")
FIRST = """
points: 100
items:
  - {id: fabric, points: 20, needs: [builds, underlay]}
  - {id: vxlan, points: 40, rows: VXLAN, needs: [reaches, kind, both-ways]}
  - {id: bridge, points: 20, rows: Bridge, needs: [reaches, kind, both-ways]}
  - {id: apart, points: 20, rows: VXLAN, needs: [own-vni, no-leak], after: vxlan}
  - {id: sizes, points: 5, rows: VXLAN, needs: [largest-whole], extra: true}
"""
AGAIN = """
points: 10
items:
  - {id: again, points: 10, needs: [second-run, other-csv, cleans-up]}
"""


@dataclass(frozen=True)
class Mistake:
    """What a submission has instead of what is right, the points of its items, and the places that its first
    cause may name."""

    right: str
    wrong: str
    points: dict[str, float]
    places: frozenset[tuple[str, str | None]]


MASTER = "ip -n $leaf link set dev vx$row master br$row up"
MISTAKES = {
    "VTEP outside its bridge": Mistake(
        MASTER,
        f"[ $row$leaf = 3l2 ] && ip -n $leaf link set dev vx$row up || {MASTER}",
        {"fabric": 20, "vxlan": 20, "bridge": 20, "apart": 10, "sizes": 2.5},
        frozenset({("l2", "vx3")}),
    ),
    "spine without a route back": Mistake(
        "ip -n s$s addr add 10.$s.$l.2/24 dev l$l",
        "[ $l$s = 21 ] && continue; ip -n s$s addr add 10.$s.$l.2/24 dev l$l",
        {"fabric": 0, "vxlan": 0, "bridge": 20, "apart": 0, "sizes": 0},
        frozenset({("s1", "l2"), ("l2", "s1")}),
    ),
    "another VNI at one leaf": Mistake(
        "id $((100 + row))",
        "id $((100 + row + (row == 1 && i == 2)))",
        {"fabric": 20, "vxlan": 20, "bridge": 20, "apart": 10, "sizes": 2.5},
        frozenset({("l1", "vx1"), ("l2", "vx1")}),
    ),
}
EACH_CHANGE = ("VTEP outside its bridge",)


def graded(files: dict[str, str], rubric: Rubric) -> Graded:
    """Grade a submission with these files; NotApplicable where this machine can run no guest."""
    try:
        return Grader().grade(
            Submission("one", Path("one")), Packed(".tar.gz", packed(files)), ROWS, RECIPE, rubric, ""
        )
    except KernelUnavailable as error:
        raise NotApplicable(str(error)) from error


def points(record: Graded, rubric: Rubric) -> dict[str, float]:
    """The points of each item."""
    return {item.item.id: float(item.low) for item in score(record, rubric).items}


def test_right_submission_gets_full_marks() -> None:
    """Every promise that is asked for is kept, and the extra ones go beyond."""
    rubric = rubric_of_text(FIRST)
    record = graded({"build.sh": LEAF_SPINE}, rubric)
    assert points(record, rubric) == {"fabric": 20, "vxlan": 40, "bridge": 20, "apart": 20, "sizes": 5}, record


@pytest.mark.parametrize("name", MISTAKES if ALL else EACH_CHANGE)
def test_mistake_costs_its_items_and_is_named(name: str) -> None:
    """The rows that it breaks lose their points, no other ones, and the reason is the node and interface of it."""
    mistake, rubric = MISTAKES[name], rubric_of_text(FIRST)
    assert mistake.right in LEAF_SPINE
    record = graded({"build.sh": LEAF_SPINE.replace(mistake.right, mistake.wrong)}, rubric)
    broken = [promise for promise in record.promises if promise.outcome == "broken"]
    assert points(record, rubric) == mistake.points, broken
    named = {(promise.causes[0].node, promise.causes[0].interface) for promise in broken if promise.causes}
    assert named, broken
    assert named <= mistake.places, broken


def test_nothing_built_gets_nothing() -> None:
    """A submission without a build has no points, and says what is missing."""
    rubric = rubric_of_text(FIRST)
    record = graded({"README": "later"}, rubric)
    assert set(points(record, rubric).values()) == {0}
    assert {promise.outcome for promise in record.promises} == {"broken"}


@pytest.mark.skipif(not ALL, reason="builds three times")
def test_second_run_other_names_and_clean_up() -> None:
    """Nothing is spoiled by a second run, other names are built, and the clean-up leaves nothing."""
    rubric = rubric_of_text(AGAIN)
    record = graded({"build.sh": LEAF_SPINE.replace("ip netns add $n;", "ip netns add $n || exit 0;")}, rubric)
    assert points(record, rubric) == {"again": 10}, record.promises
