"""Labs in other shapes than leaf and spine, proven as a user proves them: nothing in them is a surprise to a suite."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lifecycle.kit.suite import SuiteRun
from tests.self.shapes import TEXTS, documented

pytestmark = pytest.mark.lifecycle


def test_example_of_the_lab_files_page_is_proven(suite: Callable[..., SuiteRun], tmp_path: Path) -> None:
    """The two leaves of docs/lab-file.md, which no spine joins, hold all that they promise."""
    lab = tmp_path / "tiny.yaml"
    lab.write_text(documented())
    run = suite("-m", "overlay or isolation", "--lab", str(lab))
    assert run.code == 0, run.output
    assert "not collected for this lab: " in run.output
    assert {test["verdict"] for test in run.results["tests"]} <= {"passed", "not applicable"}
    assert run.left == {}


@pytest.mark.parametrize("name", ["three-on-one-switch", "two-ways-without-spines", "bare"])
def test_lab_without_spines_is_proven(name: str, suite: Callable[..., SuiteRun], tmp_path: Path) -> None:
    """A lab without spines holds all that it declares, on this machine's kernel."""
    lab = tmp_path / "lab.yaml"
    lab.write_text(TEXTS[name])
    run = suite("-m", "overlay or isolation or mtu or ecmp", "--lab", str(lab), "--kernel", "host")
    assert run.code == 0, run.output
    assert {test["verdict"] for test in run.results["tests"]} <= {"passed", "not applicable"}
    assert run.left == {}
