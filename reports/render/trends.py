"""The trend of a figure from run to run as shapes: the runs, their noise band, and the changes beyond it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from reports.record.exhibits import Trend
from reports.render.plots import Scale, Tick, short

WIDTH, HEIGHT, LEFT, RIGHT, MARGIN = 560, 150, 62, 16, 18
"""Pixels of a trend and of its margins."""


@dataclass(frozen=True)
class Run:
    """A run's value: its place, its words, and whether it lies beyond the noise band."""

    x: float
    y: float
    words: str
    changed: bool


@dataclass(frozen=True)
class Trended:
    """A trend: its name and place, the band as closed paths, the line through the runs, and the runs."""

    figure: str
    where: str
    band: str
    line: str
    runs: list[Run]
    ticks: list[Tick]
    first: str
    last: str


def trended(trend: Trend) -> Trended | None:
    """The shapes of a trend; None for one of a single run, which has nothing to show."""
    points = trend.points
    if len(points) < 2:
        return None
    values = [value for one in points for value in (one.value, one.low, one.high) if value is not None]
    low, high = min(values), max(values)
    room = (high - low) * 0.1 or abs(high) * 0.1 or 1.0
    x = Scale(0, len(points) - 1, LEFT, WIDTH - RIGHT, False)
    y = Scale(low - room, high + room, HEIGHT - MARGIN, MARGIN, False)
    runs = [Run(x(at), y(one.value), f"{one.started}: {one.value:.4g}", one.changed) for at, one in enumerate(points)]
    return Trended(
        figure=trend.figure,
        where=", ".join(filter(None, (trend.lab, trend.kernel, trend.machine))),
        band="".join(_bands(trend, x, y)),
        line="M" + "L".join(f"{run.x:g} {run.y:g}" for run in runs),
        runs=runs,
        ticks=[Tick(y(value), short(value)) for value in dict.fromkeys((low, high))],
        first=points[0].started,
        last=points[-1].started,
    )


def _bands(trend: Trend, x: Scale, y: Scale) -> Iterator[str]:
    """A closed path for each stretch of runs that have a band: there is none at first, and behind a change."""
    for known, stretch in groupby(enumerate(trend.points), lambda one: one[1].low is not None):
        if known:
            edges = [(x(at), y(point.high or 0), y(point.low or 0)) for at, point in stretch]
            over, under = [f"{at:g} {top:g}" for at, top, _ in edges], [f"{at:g} {low:g}" for at, _, low in edges]
            yield f"M{'L'.join([*over, *reversed(under)])}z"
