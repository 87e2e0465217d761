"""What a benchmark has found: figures with their goals, shown as a table and kept in ``bench.json``."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from fixtures.cli import DEFAULT_OUT
from fixtures.out import BENCH, MARKER
from reports.record.files import write_atomically


@dataclass(frozen=True)
class Goal:
    """What a figure must be: at most or at least so much."""

    bound: float
    at_least: bool = False

    def met_by(self, measured: float) -> bool:
        """Whether it is."""
        return measured >= self.bound if self.at_least else measured <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}"


@dataclass(frozen=True)
class Figure:
    """One measured number; None with the reason in ``note`` where it could not be measured.

    ``spread`` is the smallest and the largest of ``runs`` runs.
    """

    what: str
    measured: float | None
    unit: str
    goal: Goal | None = None
    spread: tuple[float, float] | None = None
    runs: int = 1
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is no goal, or nothing was measured."""
        return None if self.goal is None or self.measured is None else self.goal.met_by(self.measured)

    @property
    def entry(self) -> dict[str, Any]:
        """The figure as ``bench.json`` keeps it."""
        known = {name: getattr(self, name) for name in ("what", "measured", "unit", "spread", "runs", "note")}
        return {**known, "goal": str(self.goal) if self.goal else None, "met": self.met}

    @property
    def row(self) -> tuple[str, str, str, str, str]:
        """The figure as the table shows it."""
        unit = f" {self.unit}" if self.unit else ""
        seen = self.note if self.measured is None else f"{self.measured:.3g}{unit}"
        spread = f"{self.spread[0]:.3g} to {self.spread[1]:.3g}, {self.runs} runs" if self.spread else ""
        met = {None: "", True: "yes", False: "[red]no[/red]"}[self.met]
        return (self.what, f"{self.goal}{unit}" if self.goal else "", seen, spread, met)


def median(what: str, samples: Sequence[float], unit: str, goal: Goal | None = None) -> Figure:
    """The median of some runs, with their spread."""
    spread = (min(samples), max(samples))
    return Figure(what, statistics.median(samples), unit, goal, spread, len(samples))


def ratio(what: str, samples: Sequence[float], others: Sequence[float], goal: Goal | None = None) -> Figure:
    """How many times the others' median the median is; the spread is that of the rounds, each by itself."""
    each = [one / other for one, other in zip(samples, others, strict=True)]
    middle = statistics.median(samples) / statistics.median(others)
    return Figure(what, middle, "×", goal, (min(each), max(each)), len(each))


def publish(bench: str, figures: Sequence[Figure], samples: Mapping[str, Any], out: Path = DEFAULT_OUT) -> None:
    """Show a benchmark's figures, and put them, with what they were made of, in ``bench.json`` beside the others'."""
    out.mkdir(parents=True, exist_ok=True)
    (out / MARKER).touch()
    path = out / BENCH
    document = json.loads(path.read_text()) if path.exists() else {}
    machine = {"cpus": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version()}
    entries = [figure.entry for figure in figures]
    document[bench] = {"machine": machine, "figures": entries, "samples": samples}
    write_atomically(path, json.dumps(document, indent=1) + "\n")
    show(bench, figures)


def show(bench: str, figures: Sequence[Figure]) -> None:
    """The figures as a table on the terminal."""
    table = Table("figure", "goal", "measured", "spread", "met", title=bench, title_justify="left")
    for figure in figures:
        table.add_row(*figure.row)
    Console().print(table)
