"""Benchmarks give figures with their goals, kept beside those of others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.figures import Figure, Goal, median, publish, ratio
from fixtures.out import BENCH, empty_out


@pytest.mark.parametrize(
    ("goal", "measured", "met"),
    [
        (Goal(1.3), 1.3, True),
        (Goal(1.3), 1.31, False),
        (Goal(4, at_least=True), 4, True),
        (Goal(4, at_least=True), 3.9, False),
        (Goal(4, at_least=True), None, None),
        (None, 5, None),
    ],
)
def test_a_goal_is_met_or_missed(goal: Goal | None, measured: float | None, met: bool | None) -> None:
    """A figure on its goal is good; without a goal or a measurement there is nothing to meet."""
    assert Figure("x", measured, "s", goal).met is met


def test_a_median_shows_its_spread() -> None:
    """One slow run moves the spread, not the figure."""
    found = median("x", [1, 2, 30], "s")
    assert (found.measured, found.spread, found.runs) == (2, (1, 30), 3)


def test_a_ratio_is_that_of_the_medians() -> None:
    """The spread of a ratio is that of the rounds, each against its own neighbour."""
    found = ratio("x", [2, 4, 6], [1, 4, 2])
    assert (found.measured, found.spread) == (2, (1, 3))


def test_benchmarks_keep_each_others_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each benchmark replaces its own figures and leaves the others'; the table says what was missed."""
    publish("one", [Figure("a", 1, "s")], {}, tmp_path)
    publish(
        "two", [Figure("b", 2, "s", Goal(1)), Figure("c", None, "s", note="skipped: no such")], {"b": [2]}, tmp_path
    )
    publish("one", [Figure("a", 3, "s")], {}, tmp_path)
    kept = json.loads((tmp_path / BENCH).read_text())
    assert kept["one"]["figures"][0]["measured"] == 3
    assert [figure["met"] for figure in kept["two"]["figures"]] == [False, None]
    assert kept["two"]["samples"] == {"b": [2]}
    printed = capsys.readouterr().out
    assert "no" in printed
    assert "skipped: no such" in printed


def test_a_run_leaves_the_benchmarks_figures(tmp_path: Path) -> None:
    """The folder where benchmarks have written is a run's, which removes everything else of the run before."""
    publish("one", [Figure("a", 1, "s")], {}, tmp_path)
    (tmp_path / "results.json").touch()
    empty_out(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {".hopcheck-out", BENCH}
