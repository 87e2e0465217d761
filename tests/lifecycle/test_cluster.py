"""A class on a cluster ends as one without it, whatever is lost on the way; Dask's own processes, no guest."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("distributed", reason="no dask.distributed in .venv: .ci/setup cluster")

import dask
from distributed import Client, Security

from fixtures.cluster.cluster import Cluster
from fixtures.cluster.grading import graded_on
from fixtures.cluster.start import SETTINGS, local_cluster
from fixtures.cluster.task import Task
from fixtures.cluster.worker import carry_out
from fixtures.grading import Order, grade_class, score_class
from reports.grading.record import Graded, Row
from tests.self.grading.classes import ROWS, graded
from topology.formats.recipe import Recipe
from topology.formats.rubric import Rubric, load_rubric
from topology.formats.submission import Packed, Submission, find_submissions

pytestmark = pytest.mark.lifecycle
FAKE = "tests.lifecycle.kit.fake_grading"
FILES = ("class.csv", "scores.json", "index.html", "students/a.html", "gradescope/c.json", "instructor/b.html")
IMAGE = "none"


RECORD = replace(graded("", others={("kind", 4): "errored"}), rows=ROWS, seconds=60.0)
"""That of every submission."""


def submission(log: Path, name: str, does: str = "answers", times: int = 99, seconds: float = 0.0) -> bytes:
    """A submission that does something so many times, then answers; each time it is noted in a file."""
    told = {"log": str(log), "name": name, "does": does, "times": times, "seconds": seconds}
    return json.dumps({**told, "record": RECORD}, default=vars).encode()


def tried(log: Path) -> list[str]:
    """The names of those that were tried, in the order of the tries."""
    return log.read_text().split() if log.exists() else []


class Serial:
    """Grades by the same record, one after the other."""

    image = IMAGE

    def grade(
        self, submission: Submission, packed: Packed, rows: Sequence[Row], recipe: Recipe, rubric: Rubric, key: str
    ) -> Graded:
        """The record of every submission."""
        return replace(RECORD, key=key, name=submission.name)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """Two workers, processes of their own, which are started again when they are lost."""
    with dask.config.set(SETTINGS), local_cluster(2) as found:
        yield found


@pytest.fixture
def said() -> list[str]:
    """What is told of the cluster."""
    return []


@pytest.fixture
def workers(client: Client, said: list[str]) -> Iterator[Cluster]:
    """Both workers, there."""
    client.wait_for_workers(2, timeout=60)
    found = Cluster(client, said.append)
    yield found
    found.close()


def ordered(tmp_path: Path, **does: dict[str, Any]) -> Order:
    """A class, each submission doing as told."""
    (tmp_path / "in").mkdir(exist_ok=True)
    for name, told in does.items():
        (tmp_path / "in" / f"{name}.zip").write_bytes(submission(tmp_path / "log", name, **told))
    return Order(find_submissions(sorted((tmp_path / "in").iterdir())), ROWS, Recipe(), load_rubric(), tmp_path / "out")


def graded_by(workers: Cluster, order: Order, said: list[str]) -> int:
    """Grade a class on a cluster; its exit code."""
    return score_class(order, graded_on(workers, order, IMAGE, module=FAKE), said.append, workers.guests)


def test_class_is_as_without_a_cluster(workers: Cluster, said: list[str], tmp_path: Path) -> None:
    """The files are the same, the index fills on the way, and what is graded is not graded again."""
    order = ordered(tmp_path, a={}, b={}, c={})
    serial = replace(order, folder=tmp_path / "serial")
    assert graded_by(workers, order, said) == grade_class(serial, Serial(), lambda _: None) == 6
    assert "1 of 3 graded" in said[0]
    for name in FILES:
        assert (order.folder / name).read_bytes() == (serial.folder / name).read_bytes().replace(b"serial", b"out")
    assert graded_by(workers, order, said) == 6
    assert sorted(tried(tmp_path / "log")) == ["a", "b", "c"]


def test_nobody_without_the_keys_gets_in(client: Client) -> None:
    """Other users of this machine reach the scheduler's port, and nothing behind it."""
    with pytest.raises(OSError, match="certificate"):
        Client(client.scheduler.address, security=Security.temporary(), timeout=3)


LOST = {
    "kills its worker": ("kills", "is lost, with b: elsewhere, once"),
    "fails": ("fails", "no space left on device"),
}


@pytest.mark.parametrize("name", LOST)
def test_lost_worker_costs_nothing(name: str, workers: Cluster, said: list[str], tmp_path: Path) -> None:
    """What it was at is carried out once more elsewhere, and shown; nobody else is."""
    does, words = LOST[name]
    graded_by(workers, ordered(tmp_path, a={}, b={"does": does, "times": 1}, c={}), said)
    assert any(words in line for line in said), said
    assert sorted(tried(tmp_path / "log")) == ["a", "b", "b", "c"]
    assert "took two" not in (tmp_path / "out" / "class.csv").read_text()


def test_submission_that_takes_two_workers_down_is_for_a_person(
    workers: Cluster, said: list[str], tmp_path: Path
) -> None:
    """It is not tried a third time, also by the next command, and the others are graded."""
    order = ordered(tmp_path, a={}, b={"does": "kills"}, c={})
    assert graded_by(workers, order, said) == 6
    assert "took two workers down" in (order.folder / "instructor" / "b.html").read_text()
    assert "took two" not in (order.folder / "records" / "a.json").read_text()
    graded_by(workers, order, said)
    assert sorted(tried(tmp_path / "log")) == ["a", "b", "b", "c"]


def test_what_breaks_at_a_worker_is_the_reason_of_its_task_alone(client: Client, tmp_path: Path) -> None:
    """As where a worker lacks a module: the others are carried out."""

    def carry(module: str, job: bytes, deadline_s: float) -> bytes:
        if module == "none":
            raise ModuleNotFoundError("No module named 'none'")
        return carry_out(module, job, deadline_s)

    head = b'{"key":"k","rows":[],"recipe":{},"prelude":"","rubric":"","form":".zip","file":""}\n'
    jobs = [(name, head + submission(tmp_path / "log", name)) for name in ("none", FAKE)]
    workers = Cluster(client, lambda _: None, carry)
    found = {task.name: answer for task, answer in workers.run([Task(n, n, n, job, 60.0) for n, job in jobs])}
    workers.close()
    assert (found["none"].ended, found["none"].said) == ("lost", "ModuleNotFoundError: No module named 'none'")
    assert found[FAKE].ended == "done"


def test_job_ends_at_its_deadline(workers: Cluster, tmp_path: Path) -> None:
    """The deadline is the worker's, which takes the next job."""
    job = b'{"key":"k","rows":[],"recipe":{},"prelude":"","rubric":"","form":".zip","file":""}\n'
    tasks = [Task("one-1", "one", FAKE, job + submission(tmp_path / "log", "one", "hangs"), 3.0)]
    ((_, answer),) = workers.run(tasks)
    assert (answer.ended, answer.said) == ("deadline", "no end within 3 s")


def test_stopped_class_goes_on(workers: Cluster, said: list[str], tmp_path: Path) -> None:
    """What was graded before a stop is kept, and the rest alone is carried out."""
    order = ordered(tmp_path, a={}, b={}, c={}, d={})
    stopped = graded_on(workers, order, IMAGE, module=FAKE)
    first, _ = next(stopped)
    stopped.close()  # type: ignore[attr-defined]
    before = len(tried(tmp_path / "log"))
    kept = (order.folder / "records" / f"{first.name}.json").read_bytes()
    assert graded_by(workers, order, said) == 6
    assert tried(tmp_path / "log")[before:].count(first.name) == 0
    assert (order.folder / "records" / f"{first.name}.json").read_bytes() == kept
