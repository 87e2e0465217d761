"""Tests that workers have run are reported by their runs' records, and what these do not hold is errored."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

pytest.importorskip("distributed", reason="no dask.distributed in .venv: .ci/setup cluster")

from fixtures.anywhere import ROOT
from fixtures.cluster.matrix import TOGETHER, Matrix, parts_of, record_of, reports_of, told
from fixtures.cluster.task import Answer
from fixtures.run import Run
from fixtures.verdicts import reported
from reports.record.model import Record, Test, Verdict
from reports.record.store import read_record, record_bytes
from tests.lifecycle.kit.suite import shell
from topology.errors import Misuse

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
    "errored: exit code 4": Answer("done", b"no record: exit code 4"),
}


@pytest.mark.parametrize("words", LOST)
def test_run_without_a_record_passes_nothing(words: str) -> None:
    """Each of its tests is errored, with the reason."""
    found = verdicts(LOST[words])
    assert [verdict for verdict, _, _ in found] == [Verdict.ERRORED] * 3
    assert all(words in message for _, _, message in found)


def config(**given: object) -> pytest.Config:
    """A command line's options."""
    found = SimpleNamespace(getoption=lambda name, default=None: given.get(name.strip("-").replace("-", "_"), default))
    return cast(pytest.Config, found)


def test_parts_have_the_files_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever workers run; a known lab is none, whatever is called so there."""
    monkeypatch.chdir(tmp_path)
    for name in ("my.yaml", "rows", "ece792"):
        (tmp_path / name).write_text("")
    here = [f"--lab={tmp_path}/my.yaml", f"--expect={tmp_path}/rows", "--slow-factor=2.0", "--fresh"]
    assert told(config(lab="my.yaml", expect="rows", slow_factor=2.0, fresh=True)) == here
    assert told(config(lab="ece792", tenants="none.csv")) == ["--lab=ece792", "--tenants=none.csv"]


REFUSED = {"sizes": (200,), "endpoints": ("vm",), "trace_functions": ("f",), "keep": True, "numprocesses": 2}


@pytest.mark.parametrize("name", REFUSED)
def test_option_that_parts_would_lose_is_refused(name: str, tmp_path: Path) -> None:
    """Nothing that a command says is left out silently."""
    run = SimpleNamespace(config=config(cluster="local", **{name: REFUSED[name]}), out=tmp_path)
    with pytest.raises(Misuse, match=r"--cluster and .* exclude each other"):
        Matrix(cast(Run, run))


def test_options_that_say_nothing_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measurements are refused, before the results of an earlier run are removed."""
    monkeypatch.setenv("HOPCHECK_SEED", "1")
    found = Matrix(cast(Run, SimpleNamespace(config=config(cluster="local", trace_functions=()), out=tmp_path)))
    found.pytest_collection_finish(cast(pytest.Session, SimpleNamespace(items=ITEMS)))
    with pytest.raises(pytest.UsageError, match="-m perf"):
        found.pytest_collection_finish(cast(pytest.Session, SimpleNamespace(items=[*ITEMS, item("d", "perf")])))


RUN = f"{ROOT / 'hopcheck'} {ROOT / 'tests/self/cluster/test_option.py'} -k file_that_is_not_there --cluster=local:1"


@pytest.mark.parametrize("lab", ["my.yaml", "/proc/self/cwd/my.yaml"])
def test_tests_are_run_by_a_worker(lab: str, tmp_path: Path) -> None:
    """A lab beside the caller is found there; one that is not at a worker is the reason, in words, and no worker ends.

    The second path leads elsewhere in each process.
    """
    shutil.copy(ROOT / "tests" / "self" / "data" / "vxlan.yaml", tmp_path / "my.yaml")
    done = shell(tmp_path, f"{RUN} --lab={lab}")
    tests = read_record(tmp_path / "hopcheck-results" / "results.json").tests
    assert [test.id for test in tests] == ["tests/self/cluster/test_option.py::test_file_that_is_not_there_is_refused"]
    assert "is lost" not in done.stdout
    if lab == "my.yaml":
        assert (done.code, tests[0].verdict) == (0, Verdict.PASSED), done.stdout + done.stderr
    else:
        assert (done.code, tests[0].verdict) == (6, Verdict.ERRORED), done.stdout + done.stderr
        assert f"seen exit code 4: ERROR: the lab is refused {lab}: no such file" in tests[0].message


def test_whole_labs_are_alone_and_others_a_few_together() -> None:
    """So many that each guest has several runs, but none is long."""
    many = [item(f"{at}") for at in range(100)]
    assert [len(part) for part in parts_of([item("x", "labs"), item("y", "labs")], 1)] == [1, 1]
    assert {len(part) for part in parts_of(many, 1)[:-1]} == {TOGETHER}
    assert [len(part) for part in parts_of(many, 100)] == [1] * 100
    assert [one for part in parts_of(many, 2) for one in part] == many
