"""The history of figures: a line of JSON for each run, the trend of each figure on one machine and kernel. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass

from reports.perf.history import judged
from reports.record.exhibits import Point, Trend
from reports.record.model import Record

POINTS_MAX = 100
"""Runs of a trend that a record keeps, the last ones."""
RECENT = 10
"""Runs for which a change is named at the end of a run."""
LINE_MAX = 1 << 20
"""Characters of a line that is read."""


@dataclass(frozen=True)
class Entry:
    """The figures of one run: where they were measured, and each by its name."""

    started: str
    machine: str
    kernel: str
    lab: str
    figures: Mapping[str, float]


def entry_of(record: Record, machine: str) -> Entry | None:
    """The line of a run; None where it measured nothing that has a trend."""
    found = {f"{table.title}: {name}": value for table in record.measurements for name, value in table.figures.items()}
    lab = record.lab.name if record.lab else ""
    kernel = record.kernel
    words = f"{kernel.kind}, Linux {kernel.release}, {kernel.accelerator}" if kernel else "none"
    return Entry(record.started, machine, words, lab, found) if found else None


def line_of(entry: Entry) -> str:
    """An entry as a line of a history's file."""
    return json.dumps(asdict(entry), ensure_ascii=True, sort_keys=True) + "\n"


def month_of(entry: Entry) -> str:
    """The name of the file that an entry belongs to."""
    return f"{entry.started[:7]}.jsonl"


def entries(lines: Iterable[str]) -> Iterator[Entry | None]:
    """The entries of a file's lines; None for each that is none, as where a run was killed while it wrote."""
    for line in lines:
        if line.strip():
            yield _entry(line)


def _entry(line: str) -> Entry | None:
    try:
        found = Entry(**json.loads(line if len(line) <= LINE_MAX else ""))
        texts = (found.started, found.machine, found.kernel, found.lab)
        named = {str(name): float(value) for name, value in found.figures.items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    finite = all(abs(value) < float("inf") for value in named.values())
    return found if finite and all(isinstance(text, str) for text in texts) else None


def trends(known: Iterable[Entry]) -> list[Trend]:
    """The trend of each figure, in the order of time; another machine, kernel or lab has a line of its own.

    The line that has the last run comes first.
    """
    lines: dict[tuple[str, str, str, str], list[tuple[str, float]]] = {}
    for entry in sorted(known, key=lambda one: one.started):
        for name, value in entry.figures.items():
            lines.setdefault((name, entry.machine, entry.kernel, entry.lab), []).append((entry.started, float(value)))
    made = [Trend(*key, points=_points(runs)) for key, runs in lines.items()]
    return sorted(made, key=lambda one: one.points[-1].started, reverse=True)


def _points(runs: list[tuple[str, float]]) -> list[Point]:
    both = zip(runs, judged([value for _, value in runs]), strict=True)
    points = [
        Point(started, value, band and band[0], band and band[1], changed) for (started, value), (band, changed) in both
    ]
    return points[-POINTS_MAX:]


def trend_words(trend: Trend) -> str:
    """A trend's last change in words; empty where the last ten runs have none."""
    point = next((point for point in reversed(trend.points[-RECENT:]) if point.changed), None)
    if point is None or point.low is None or point.high is None:
        return ""
    return (
        f"{trend.figure} - changed at the run of {point.started} - expected {point.low:.3g} to {point.high:.3g}"
        f" - seen {point.value:.3g} ({trend.kernel}; {trend.machine})"
    )
