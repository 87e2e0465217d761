"""Faults of the catalogue in a solution cost what they break, and leave nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.instruments.grading.faulty import Faulty
from reports.grading.record import Graded, Promise
from reports.grading.score import score
from tests.grading.kit import LEAF_SPINE, packed
from tests.grading.test_submissions import ALL, FIRST, RECIPE, ROWS
from topology.errors import KernelUnavailable, NotApplicable
from topology.formats.rubric import rubric_of_text
from topology.formats.submission import Packed, Submission

pytestmark = [pytest.mark.grading, pytest.mark.alone]

FULL = {"fabric": 20.0, "vxlan": 40.0, "bridge": 20.0, "apart": 20.0, "sizes": 5.0}
COSTS = {
    "vxlan-vni": {"vxlan": 20.0, "apart": 10.0, "sizes": 2.5},
    "delay": {},
    "vni-for-all": {"apart": 0.0},
    "link-down@CSA:eth0": {"bridge": 0.0},
}
"""What each leaves of items that lose any; the one that costs nothing shows that the one before is undone."""

EACH_CHANGE = 2


def test_faults_cost_what_they_break_and_are_undone() -> None:
    """Each alone: of rows of one type, of all rows together, of a single customer, or nothing that is promised."""
    costs = dict([*COSTS.items()][: None if ALL else EACH_CHANGE])
    submission, rubric = Submission("solution", Path("solution")), rubric_of_text(FIRST)
    built = [Promise("builds", None, "kept")]
    solution = Graded(1, "solution", "", "none", "", 0, ROWS, [], built)
    faulty = Faulty(submission, Packed(".tar.gz", packed({"build.sh": LEAF_SPINE})), ROWS, RECIPE)
    try:
        tried = list(faulty.tried(solution, [*costs, "route-missing@nowhere"]))
    except KernelUnavailable as error:
        raise NotApplicable(str(error)) from error
    assert tried.pop().why.startswith("unknown place of route-missing in the solution 'nowhere'; known: ")
    for (name, left), one in zip(costs.items(), tried, strict=True):
        assert one.graded, one
        found = {item.item.id: float(item.low) for item in score(one.graded, rubric).items}
        assert found == FULL | left, (name, one.graded.promises)
