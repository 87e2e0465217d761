"""Benchmarks give figures with their goals, kept beside those of others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.build import ip_script
from benchmarks.figures import Figure, Goal, median, publish, ratio
from fixtures.out import BENCH, empty_out
from topology.leafspine import leafspine
from topology.plan import make_plan


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


def test_ip_is_given_the_whole_plan(tmp_path: Path) -> None:
    """The plan's own commands are timed with ip(8): all of them, each in its namespace, in order."""
    plan = make_plan(leafspine("leafspine-2x1"))
    done: list[str] = []
    for line in ip_script(leafspine("leafspine-2x1"), tmp_path).read_text().splitlines():
        *words, last = line.split()
        if words[-1] == "-batch":
            before = " ".join(words[:-1])
            done += [f"{before} {command}" for command in Path(last).read_text().splitlines()]
        else:
            node, settings = words[3], [*words[6:], last]
            done += [f"ip netns exec {node} sysctl -eqw {setting}" for setting in settings]
    links = [f"ip {start} netns {op.node} type {end}" for op in plan.phases[0] for start, end in [_halves(op.command)]]
    others = [command for command in plan.commands if command not in {op.command for op in plan.phases[0]}]
    assert sorted(done) == sorted([*links, *others])


def _halves(command: str) -> tuple[str, str]:
    start, end = command.split(" type ", 1)
    return start.split(" ", 3)[3], end
