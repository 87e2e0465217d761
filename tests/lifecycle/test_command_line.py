"""Commands that end before a fabric is up: their exit codes, what they print, and what they leave."""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from fixtures.anywhere import ROOT
from tests.lifecycle.kit.suite import SuiteRun, run_suite, shell

pytestmark = pytest.mark.lifecycle
LAB = ("--lab", "tests/self/data/vxlan.yaml")
PYTEST = f"{sys.executable} -m pytest -p no:cacheprovider"
PLUGINS = ("-p", "no:hypothesispytest", "-p", "no:xdist")


def junit(run: SuiteRun, out: Path) -> dict[str, int]:
    """The counts of junit.xml."""
    suite = ET.parse(out / "junit.xml").getroot()[0]
    return {name: int(suite.attrib[name]) for name in ("errors", "failures", "skipped", "tests")}


def test_a_kernel_that_cannot_start_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without QEMU the promises are errored, never failed: exit 6, the reason in full once, errors in JUnit."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    out = tmp_path / "out"
    run = run_suite(ROOT, (*PLUGINS, *LAB, "--kernel", "guest", "tests/underlay/test_state.py"), out)
    assert run.code == 6, run.output
    assert run.results["complete"] is True
    assert run.results["kernel"] is None
    assert run.results["summary"] | {"passed": 0, "failed": 0} == run.results["summary"]
    errored = run.with_verdict("errored")
    assert errored
    assert "apt-get install qemu-system-x86" in errored[0]["message"]
    counts = junit(run, out)
    assert (counts["failures"], counts["errors"], counts["tests"]) == (
        0,
        len(errored),
        len(run.results["tests"]),
    )
    assert run.output.count("apt-get install qemu-system-x86") <= 1 + len(errored)
    assert run.left == {}


def test_refused_selection_is_one_line_with_workers_too(tmp_path: Path) -> None:
    """Nothing is started or written."""
    done = shell(ROOT, f"{PYTEST} --out={tmp_path} -m overlays -n1")
    assert done.code == pytest.ExitCode.USAGE_ERROR
    assert re.search("^ERROR: -m 'overlays': unknown marker", done.stderr, re.MULTILINE), done.stderr
    assert "INTERNALERROR" not in done.stdout + done.stderr
    assert not (tmp_path / "results.json").exists()


def test_lab_that_has_nothing_for_the_selected_tests_exits_7(tmp_path: Path) -> None:
    """One line says how many tests are left out and what the lab lacks; no kernel starts, and nothing is skipped."""
    arguments = ("-n", "1", *LAB, "-m", "ecmp", "tests/ecmp")
    done = run_suite(ROOT, arguments, tmp_path / "out")
    assert done.code == 7, done.output
    spread = "no flows declared to spread over equal-cost paths"
    survive = "no flows declared to survive the loss of a path"
    assert done.output.count(f"not collected for this lab: 5 tests ({spread}: 3, {survive}: 2)") == 1
    assert done.results.get("kernel") is None
    assert (done.results["complete"], done.results["tests"]) == (True, [])
    assert done.results["not_collected"] == {spread: 3, survive: 2}


def test_promises_of_a_selection_are_printed_and_nothing_is_written(tmp_path: Path) -> None:
    """The command exits with 0, prints the promises instead of the tree of tests, and leaves no results."""
    out = tmp_path / "out"
    done = shell(ROOT, f"{PYTEST} tests/underlay --promises --out={out}")
    assert done.code == 0, done.stdout + done.stderr
    assert "\nunderlay\n  " in done.stdout
    assert "<Function" not in done.stdout
    assert not out.exists()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A caller's folder with a lab, and with files that would take over a run that looked at them."""
    (tmp_path / "my.yaml").write_text((ROOT / "topology" / "labs" / "ece792.yaml").read_text())
    for name in ("json.py", "conftest.py", "test_mine.py"):
        (tmp_path / name).write_text("raise SystemExit('taken over')\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --taken-over\n")
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\naddopts = '--taken-over'\n")
    return tmp_path


def test_paths_are_the_callers(folder: Path) -> None:
    """A path is looked up and written in the caller's folder, and nothing is left beside."""
    before = {*folder.iterdir()}
    done = shell(folder, f"{ROOT / 'hopcheck'} --lab my.yaml --export=out.dot")
    assert done.code == 0, done.stdout + done.stderr
    assert {*folder.iterdir()} - before == {folder / "out.dot"}
