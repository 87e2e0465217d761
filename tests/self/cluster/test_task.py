"""Jobs and answers travel as bytes; what comes back is believed by its digest alone, and read as hostile data."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.cluster.grading_job import Job, grade, packed_job, unpacked_job
from fixtures.cluster.task import SIZE_MAX, Answer, Task, in_order, unpacked
from fixtures.instruments.grading import grader
from reports.grading.record import Graded, parse_graded
from reports.record.store import RecordRefused, record_bytes
from tests.self.grading.classes import graded
from topology.errors import EnvironmentBroken
from topology.formats.recipe import Recipe, Step
from topology.formats.submission import Packed, Submission

RECORD = record_bytes(graded("a"))
ANSWER = Answer("done", RECORD).packed()
RECIPE = Recipe(
    (Step("./build.sh {csv}", "src", 90),),
    needs=("docker",),
    prelude=Path("/class/base.yaml"),
    management=("docker0", ip_network("10.0.0.0/8")),
    fixed=(("CS1", "CS2", "GRE"),),
)


def test_answer_comes_back_as_it_was() -> None:
    assert unpacked(ANSWER) == Answer("done", RECORD)
    assert parse_graded(unpacked(ANSWER).content, "one") == graded("a")


DAMAGED = {
    "cut": ANSWER[:-1],
    "longer": ANSWER + b" ",
    "a letter changed": ANSWER.replace(b"CS1", b"CS2", 1),
    "another end": ANSWER.replace(b"done", b"gone", 1),
    "no head": RECORD,
    "empty": b"",
    "text": "done",
    "too large": b"done " + bytes(SIZE_MAX),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_answer_that_was_changed_is_refused(name: str) -> None:
    with pytest.raises(EnvironmentBroken, match="answer of a worker - expected"):
        unpacked(DAMAGED[name])


@given(st.binary(max_size=200), st.integers(0, len(RECORD)), st.integers(0, 200))
def test_any_bytes_are_a_sound_record_or_refused(noise: bytes, at: int, gone: int) -> None:
    """A worker that lies can make a record, but nothing else of what it sends."""
    with contextlib.suppress(RecordRefused):
        assert parse_graded(RECORD[:at] + noise + RECORD[at + gone :], "one").schema == 1


def test_job_comes_to_the_worker_as_it_was() -> None:
    """Content may be any bytes; a name that UTF-8 has no form for is shown as a record shows it."""
    job = Job("key", graded("a").rows, RECIPE, "nodes: []", "items: []", ".tar", "lab.yaml", ["a\udcff"], True)
    content = b"\0\n{" * 3
    assert unpacked_job(packed_job(job, content)) == (replace(job, left_out=["a?"]), content)


@pytest.mark.parametrize("name", ["prelude", "base.yaml", ""])
def test_prelude_lies_beside_a_submission_of_any_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are there when the job is graded."""
    found = list[str]()

    def look(submission: Submission, _packed: Packed, _rows: object, recipe: Recipe, *_: object) -> Graded:
        assert recipe.prelude is not None
        found.extend((submission.path.read_text(), recipe.prelude.read_text(), recipe.prelude.name))
        return graded("a")

    monkeypatch.setattr(grader, "Grader", lambda **_: SimpleNamespace(grade=look, check_machine=lambda: None))
    rubric = "points: 1\nitems: [{id: rows, points: 1, rows: VXLAN, needs: [reaches]}]\n"
    grade(packed_job(Job("key", [], RECIPE, "nodes: []", rubric, ".tar", name), b"content"))
    assert found == ["content", "nodes: []", "base.yaml"]


def test_longest_known_are_first_and_unknown_ones_in_the_middle() -> None:
    tasks = [Task(name, name, "", b"", 1, seconds) for name, seconds in (("a", 5), ("b", None), ("c", 90), ("d", 40))]
    assert [(task.key, task.seconds) for task in in_order(tasks)] == [("c", 90), ("b", 40), ("d", 40), ("a", 5)]
    assert [task.seconds for task in in_order([tasks[1]])] == [0]
