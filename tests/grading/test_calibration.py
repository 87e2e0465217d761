"""Faults of the catalogue in a solution cost what they break, and leave nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.instruments.grading.faulty import Faulty
from reports.grading.record import Graded, Promise
from reports.grading.score import score
from tests.grading.kit import ALL, packed
from tests.grading.known import KNOWN, files
from topology.errors import KernelUnavailable, NotApplicable
from topology.formats.submission import Packed, Submission

pytestmark = [pytest.mark.grading, pytest.mark.alone]

FULL = {"fabric": 20.0, "rows": 60.0, "apart": 20.0, "sizes": 5.0}
"""Of the submission with two rows of type VXLAN and one of type Bridge."""
OF_ROWS = ("rows", "apart", "sizes")
COSTS: dict[str, tuple[int, tuple[str, ...]]] = {
    "vxlan-vni": (1, OF_ROWS),
    "delay": (0, OF_ROWS),
    "link-down@A2X:eth0": (1, OF_ROWS),
    "vni-for-all": (2, ("apart",)),
    "port-locked@l1:A1X": (1, OF_ROWS),
    "host-mtu@A1X:eth0": (1, ("sizes",)),
}
"""How many of the three rows each breaks, and in which items; the one that is free shows that others are undone."""
EACH_CHANGE = 2


def test_faults_cost_what_they_break_and_are_undone() -> None:
    """Each alone: a row of either type, what keeps two rows apart, or nothing that is promised."""
    costs = dict([*COSTS.items()][: None if ALL else EACH_CHANGE])
    known, submission = KNOWN["two-spines"], Submission("solution", Path("solution"))
    solution = Graded(1, "solution", "", "none", "", 0, known.named, [], [Promise("builds", None, "kept")])
    content = Packed(".tar.gz", packed(files("two-spines")))
    faulty = Faulty(submission, content, known.named, known.recipe)
    try:
        tried = list(faulty.tried(solution, [*costs, "route-missing@nowhere"]))
    except KernelUnavailable as error:
        raise NotApplicable(str(error)) from error
    assert tried.pop().why.startswith("unknown place of route-missing in the solution 'nowhere'; known: ")
    for (name, (lost, items)), one in zip(costs.items(), tried, strict=True):
        assert one.graded, one
        found = {item.item.id: float(item.low) for item in score(one.graded, known.rubric).items}
        expected = {item: points * (1 - lost / 3 if item in items else 1) for item, points in FULL.items()}
        assert found == pytest.approx(expected), (name, one.graded.promises)
