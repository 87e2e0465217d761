"""Tests that workers have run are reported by their runs' records, and what these do not hold is errored."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

pytest.importorskip("distributed", reason="no dask.distributed in .venv: .ci/setup cluster")

from fixtures.cluster.matrix import TOGETHER, parts_of, record_of, reports_of
from fixtures.cluster.task import Answer
from fixtures.verdicts import reported
from reports.record.model import Record, Test, Verdict
from reports.record.store import record_bytes

pytestmark = pytest.mark.lifecycle


def item(name: str, *markers: str) -> pytest.Item:
    """As much of a test as is asked for."""
    found = SimpleNamespace(nodeid=f"tests/faults/t.py::{name}", path=Path("t.py"), location=("t.py", 1, name))
    found.get_closest_marker, found.fixturenames = lambda wanted: wanted in markers or None, ["copies"]
    return cast(pytest.Item, found)


ITEMS = [item(name) for name in ("a", "b", "c")]
TESTS = [Test(ITEMS[0].nodeid, "A promise.", Verdict.PASSED, 1.5), Test(ITEMS[1].nodeid, "", Verdict.NOT_PROVEN, 0.5)]
RECORD = Record(2, True, "", None, None, TESTS, [], [], [], [], None, {}, {})


def verdicts(answer: Answer) -> list[Any]:
    """The verdict of each test, its outcome for pytest, and its message."""
    found = [(reported(report), report) for report in reports_of(ITEMS, record_of(answer))]
    return [(known[0].verdict, report.outcome, known[0].message) for known, report in found if known]


def test_record_decides_and_what_it_lacks_is_errored() -> None:
    """A test that ran has its verdict and message; one of which nothing is known has not passed."""
    assert verdicts(Answer("done", record_bytes(RECORD))) == [
        (Verdict.PASSED, "passed", ""),
        (Verdict.NOT_PROVEN, "skipped", ""),
        (Verdict.ERRORED, "failed", "errored: the run on a worker has no result of this test"),
    ]


LOST = {
    "took two workers down": Answer("lost", b"took two workers down"),
    "no end within 3 s": Answer("deadline", b"no end within 3 s"),
    "a worker's record: no JSON": Answer("done", b"{"),
}


@pytest.mark.parametrize("words", LOST)
def test_run_without_a_record_passes_nothing(words: str) -> None:
    """Each of its tests is errored, with the reason."""
    found = verdicts(LOST[words])
    assert [verdict for verdict, _, _ in found] == [Verdict.ERRORED] * 3
    assert all(words in message for _, _, message in found)


def test_whole_labs_are_alone_and_others_a_few_together() -> None:
    """So many that each guest has several runs, but none is long."""
    many = [item(f"{at}") for at in range(100)]
    assert [len(part) for part in parts_of([item("x", "labs"), item("y", "labs")], 1)] == [1, 1]
    assert {len(part) for part in parts_of(many, 1)[:-1]} == {TOGETHER}
    assert [len(part) for part in parts_of(many, 100)] == [1] * 100
    assert [one for part in parts_of(many, 2) for one in part] == many
