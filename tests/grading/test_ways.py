"""Spines that rows use, and the part of the fabric that is built whatever the CSV, are judged on the wire."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from fixtures.instruments.grading.grader import Grader
from reports.grading.record import Graded, Row
from reports.grading.score import score
from tests.grading.kit import LEAF_SPINE, packed
from topology.formats.recipe import Recipe, Step
from topology.formats.rubric import rubric_of_text
from topology.formats.submission import Packed, Submission

pytestmark = [
    pytest.mark.grading,
    pytest.mark.alone,
    pytest.mark.skipif(os.environ.get("HOPCHECK_SUBMISSIONS") != "all", reason="builds twice"),
]
ROWS = [Row(1, "CS1X", "CS2X", "VXLAN"), Row(2, "CS1", "CS2", "VXLAN", fixed=True)]
RECIPE = Recipe(steps=(Step("sh build.sh {csv}", deadline=600),), fixed=(("CS1", "CS2", "VXLAN"),))
RUBRIC = rubric_of_text("""
points: 30
items:
  - {id: fabric, points: 10, needs: [builds, underlay]}
  - {id: spines, points: 10, rows: VXLAN, needs: [reaches, kind, every-spine]}
  - {id: base, points: 10, rows: VXLAN, fixed: true, needs: [reaches, kind, own-vni, beside-gre]}
  - {id: wrapped, points: 5, rows: VXLAN, needs: [inside-gre], extra: true}
""")
BOTH = "nexthop via 10.1.$l.2 nexthop via 10.2.$l.2"
CHANGES = {
    "row=0\n": f"""for l in 1 2; do
    ip -n l$l link set dev lo up
    ip -n l$l addr add 10.0.0.$l/32 dev lo
    ip -n l$l route add 10.0.0.$((3 - l)) {BOTH}
    ip netns exec l$l sysctl -qw net.ipv4.fib_multipath_hash_policy=1
    for s in 1 2; do ip -n s$s route add 10.0.0.$l via 10.$s.$l.1; done
done
row=0
""",
    "local 10.1.$i.1 remote 10.1.$((3 - i)).1": "local 10.0.0.$i remote 10.0.0.$((3 - i))",
    "while IFS=": "{ echo CS1,CS2,VXLAN; cat $1; } | while IFS=",
    "done < $1": "done",
}
"""The VTEPs are at loopback addresses, behind both spines; a row of VXLAN is there before those of the CSV."""


def graded(handed_in: bytes, rows: Sequence[Row]) -> Graded:
    """The record of a submission."""
    one = Submission("one", Path("one"))
    return Grader().grade(one, Packed(".tar.gz", handed_in), rows, RECIPE, RUBRIC, "")


def over_loopbacks(pinned: bool) -> bytes:
    """A submission that spreads its flows over both spines, or pins them to one."""
    text = LEAF_SPINE
    for right, other in CHANGES.items():
        assert right in text
        text = text.replace(right, other)
    return packed({"build.sh": text.replace(BOTH, "via 10.1.$l.2") if pinned else text})


@pytest.mark.parametrize("pinned", [False, True])
def test_rows_use_every_spine_or_are_named(pinned: bool) -> None:
    """Flows that are spread use both spines, those of a pinned overlay one; the fixed row has points of its own."""
    record = graded(over_loopbacks(pinned), ROWS)
    points = {item.item.id: float(item.low) for item in score(record, RUBRIC).items}
    assert points == {"fabric": 10, "spines": 0 if pinned else 10, "base": 10, "wrapped": 0}, record.promises
    said = [one.said for one in record.promises if one.name == "every-spine"]
    assert len(said) == len(ROWS)
    words = "expected over each of 2 spines - seen all over s1" if pinned else "64 flows over s1, s2"
    assert all(words in one for one in said), said


LOOP = """for x in 1 2; do
    cable l1 x$x l2 x$x
    for l in 1 2; do ip -n l$l link set dev x$x master br1; done
done
"""


def test_loop_is_named_as_the_cause_of_what_it_spoils() -> None:
    """Two cables side by side between the bridges of two leaves: nothing is delivered, and no person is needed."""
    found = graded(packed({"build.sh": LEAF_SPINE + LOOP}), ROWS[:1])
    assert {(one.outcome, *(cause.kind for cause in one.causes)) for one in found.promises if one.name != "builds"} == {
        ("broken", "loop")
    }, found.promises
    assert {cause.node for one in found.promises for cause in one.causes} <= {"l1", "l2"}
