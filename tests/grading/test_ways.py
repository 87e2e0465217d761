"""Spines that rows use, the part of the fabric that is built whatever the CSV, and loops are judged on the wire."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.grading.record import Graded, Row
from reports.grading.score import score
from tests.grading.kit import ALL, Known, graded
from tests.grading.known import KNOWN, files
from topology.formats.rubric import Rubric, rubric_of_text
from topology.promises import TenantType

pytestmark = [
    pytest.mark.grading,
    pytest.mark.alone,
    pytest.mark.skipif(not ALL, reason="builds three fabrics"),
]
RUBRIC = rubric_of_text("""
points: 30
items:
  - {id: fabric, points: 10, needs: [builds, underlay]}
  - {id: spines, points: 10, rows: VXLAN, needs: [reaches, kind, every-spine]}
  - {id: base, points: 10, rows: VXLAN, fixed: true, needs: [reaches, kind, own-vni, beside-gre]}
  - {id: wrapped, points: 5, rows: VXLAN, needs: [inside-gre], extra: true}
""")
FIXED: tuple[str, str, TenantType] = ("CS1", "CS2", "VXLAN")
BOTH, ONE = "nexthop via 10.0.0$l.0 nexthop via 10.0.1$l.0", "via 10.0.0$l.0"
LOOP = """for x in 1 2; do
    cable l1 x$x l2 x$x
    for l in 1 2; do ip -n l$l link set dev x$x master br1; done
done
"""


class WithFixed(Known):
    """A submission that is also asked for a row that its CSV does not have."""

    @property
    def named(self) -> list[Row]:
        """The rows."""
        rows = super().named
        return [*rows, Row(len(rows) + 1, *FIXED, fixed=True)]


def changed(name: str, *changes: tuple[str, str]) -> dict[str, str]:
    """The files of a submission, of which ``build.sh`` is changed."""
    own = files(name)
    for right, other in changes:
        assert right in own["build.sh"]
        own["build.sh"] = own["build.sh"].replace(right, other)
    return own


@pytest.mark.parametrize("pinned", [False, True])
def test_rows_use_every_spine_or_are_named(pinned: bool) -> None:
    """Flows that are spread use both spines, those of a pinned overlay one; the fixed row has points of its own."""
    recipe = replace(KNOWN["ecmp-loopbacks"].recipe, fixed=(FIXED,))
    built = (("while IFS=", f"{{ echo {','.join(FIXED)}; cat $1; }} | while IFS="), ("done < $1", "done"))
    own = changed("ecmp-loopbacks", *built, *([(BOTH, ONE)] if pinned else []))
    record = graded(WithFixed("VXLAN", recipe), own, RUBRIC)
    points = points_of(record, RUBRIC)
    assert points == {"fabric": 10, "spines": 0 if pinned else 10, "base": 10, "wrapped": 0}, record.promises
    said = [one.said for one in record.promises if one.name == "every-spine"]
    assert len(said) == 2
    words = "expected over each of 2 spines - seen all over spine0" if pinned else "64 flows over spine0, spine1"
    assert all(words in one for one in said), said


def points_of(record: Graded, rubric: Rubric) -> dict[str, float]:
    """The points of each item."""
    return {item.item.id: float(item.low) for item in score(record, rubric).items}


def test_loop_is_named_as_the_cause_of_what_it_spoils() -> None:
    """Two cables side by side between the bridges of two leaves: nothing is delivered, and no person is needed."""
    known = replace(KNOWN["two-spines"], rows="VXLAN")
    own = files("two-spines")
    record = graded(known, own | {"build.sh": own["build.sh"] + LOOP})
    spoilt = [one for one in record.promises if one.name != "builds"]
    assert {(one.outcome, *(cause.kind for cause in one.causes)) for one in spoilt} == {("broken", "loop")}, spoilt
    assert {cause.node for one in spoilt for cause in one.causes} <= {"l1", "l2"}
