"""Measurements and sizes as shapes: scales, ticks, lines with their intervals, bars. Pure arithmetic for templates.

Written here rather than taken from matplotlib (docs/dependencies.md): text stays text, colours follow light and dark,
and the same record gives the same page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, log10

from reports.record.exhibits import Plot, Series, Sizes, Zone
from reports.words import grouped

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 320, 66, 46, 14, 130
"""Pixels of a plot and of its margins."""
SERIES_MAX = 6
ENDS = {"from": "low", "to": "high"}
"""The two ends of a series' interval, by their heads in a table."""
LINE, WAY = 26.0, 58.0
"""Pixels of a line of a waterfall, and of a way's sizes."""
MARKS = ("M0 -4a4 4 0 1 0 .01 0z", "M-3.6 -3.6h7.2v7.2h-7.2z", "M0 -4.6l4.6 8.2h-9.2z", "M0 -5l5 5l-5 5l-5 -5z")
FATES = {
    "whole": "whole",
    "fragments": "in fragments",
    "icmp": "answered",
    "silence": "vanishes",
    "refused": "not sent",
}


@dataclass(frozen=True)
class Tick:
    """A place on an axis, in pixels, and what is written there."""

    at: float
    words: str
    down: int = 0
    """Further down, where it would lie on the one before."""


@dataclass(frozen=True)
class Curve:
    """A series: its line, the marks of its values, their intervals, and where its name stands."""

    number: int
    name: str
    path: str
    marks: list[tuple[float, float, str]]
    intervals: str
    mark: str
    label_y: float


@dataclass(frozen=True)
class Chart:
    """Axes with curves."""

    title: str
    across: str
    up: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    curves: list[Curve]


@dataclass(frozen=True)
class Scale:
    """From values to pixels, by their logarithms or as they are."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool

    def __call__(self, value: float) -> float:
        """The pixel of a value; one outside the scale stands at its edge."""
        low, high, at = (log10(v) if self.logarithmic else v for v in (self.low, self.high, max(value, self.low)))
        part = (min(at, high) - low) / ((high - low) or 1)
        return round(self.start + part * (self.end - self.start), 1)

    def ticks(self, steps: Iterable[float]) -> list[Tick]:
        """Ticks at the steps that are on the scale."""
        return [Tick(self(step), short(step)) for step in steps if self.low <= step <= self.high]


def short(value: float) -> str:
    """A number in few letters: ``1.5k``, ``20``, ``0.05``."""
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.3g}{letter}"
    return f"{value:.3g}"


@dataclass(frozen=True)
class Numbers:
    """The data of a plot as a table; columns that no series has are left out."""

    head: list[str]
    rows: list[list[str]]


def numbers(plot: Plot) -> Numbers:
    """The table of a plot: for each place of each series its value, and the interval where one was measured."""
    across, up = (plot.up, plot.across) if plot.kind == "steps" else (plot.across, plot.up)
    head = ["series", *(("place", across) if plot.kind == "waterfall" else (across, up))]
    kept = [name for name in ("from", "to") if any(getattr(one, ENDS[name]) for one in plot.series)]
    rows = []
    for one in plot.series:
        columns = [one.value, *(getattr(one, ENDS[name]) for name in kept)]
        for number, at in enumerate(one.at):
            cells = (exact(column[number]) if number < len(column) else "" for column in columns)
            rows.append([one.name, at if isinstance(at, str) else exact(at), *cells])
    return Numbers([*head, *kept], rows)


def exact(value: float) -> str:
    """A number in four significant digits, never with an exponent: ``12330000``, ``7.671``."""
    return f"{float(f'{value:.4g}'):.10f}".rstrip("0").rstrip(".")


def _decades(low: float, high: float) -> list[float]:
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    steps = (1, 2, 5) if len(powers) < 5 else (1,)
    return [step * 10.0**power for power in powers for step in steps]


def chart(plot: Plot) -> Chart | None:
    """The axes and curves of a plot of numbers; None where it has nothing that can be drawn."""
    swapped = plot.kind == "steps"
    series = [one for one in plot.series[:SERIES_MAX] if one.at and len(one.at) == len(one.value)]
    points = [list(_points(one, swapped)) for one in series]
    xs = [x for some in points for x, *_ in some if x > 0]
    ys = [y for some in points for _, y, low, high in some for y in (y, low, high)]
    if not xs or not ys:
        return None
    x = Scale(min(xs) / 1.15, max(xs) * 1.15, LEFT, WIDTH - RIGHT, True)
    y = _upright(plot, [value for value in ys if value > 0] or [1.0])
    known = sorted(set(xs))
    few = len(known) <= 8 and not swapped
    x_ticks = [Tick(x(size), f"{size:g}") for size in known] if few else x.ticks(_decades(x.low, x.high))
    steps = _decades(y.low, y.high) if y.logarithmic else [y.high * part / 4 for part in range(5)]
    curves = [_curve(n, one, some, x, y) for n, (one, some) in enumerate(zip(series, points, strict=True))]
    return Chart(plot.title, plot.across, plot.up, x_ticks, y.ticks(steps), _apart(curves))


def _upright(plot: Plot, values: Sequence[float]) -> Scale:
    if plot.kind == "log-log":
        return Scale(min(values) / 1.3, max(values) * 1.3, HEIGHT - BOTTOM, TOP, True)
    most = max(values)
    top = 1.0 if plot.kind == "steps" else min(step for step in _decades(most, most * 10) if step >= most)
    return Scale(0, top, HEIGHT - BOTTOM, TOP, False)


def _points(series: Series, swapped: bool) -> Iterator[tuple[float, float, float, float]]:
    """The points of a series with their intervals; ``swapped``, its values lie across and its places upright."""
    for n, (at, value) in enumerate(zip(series.at, series.value, strict=True)):
        place = float(at) if isinstance(at, (int, float)) else float(n + 1)
        low = series.low[n] if n < len(series.low) else value
        high = series.high[n] if n < len(series.high) else value
        yield (value, place, place, place) if swapped else (place, value, low, high)


def _curve(
    number: int, series: Series, points: Sequence[tuple[float, float, float, float]], x: Scale, y: Scale
) -> Curve:
    places = [(x(across), y(up), f"{series.name}: {short(across)}, {short(up)}") for across, up, *_ in points]
    path = "M" + "L".join(f"{across:g} {up:g}" for across, up, _ in places)
    bars = (f"M{x(across):g} {y(low):g}V{y(high):g}" for across, _, low, high in points if low != high)
    return Curve(number, series.name, path, places, "".join(bars), MARKS[number % len(MARKS)], places[-1][1])


def _apart(curves: Sequence[Curve]) -> list[Curve]:
    """The curves with names that do not lie on one another."""
    found: list[Curve] = []
    last = -1e9
    for curve in sorted(curves, key=lambda one: one.label_y):
        last = max(curve.label_y, last + 15)
        found.append(replace(curve, label_y=last))
    return found


@dataclass(frozen=True)
class Bar:
    """A part of a row: where it begins and how wide it is, its kind, the words in it and those on hovering."""

    x: float
    width: float
    kind: str
    words: str
    title: str


@dataclass(frozen=True)
class Row:
    """A line of bars with its name; ``limits`` are named below it."""

    name: str
    y: float
    bars: list[Bar]
    limits: list[Tick]
    note: str = ""


@dataclass(frozen=True)
class Rows:
    """Lines of bars, and the height of all."""

    height: float
    rows: list[Row]


def waterfall(plot: Plot) -> Rows:
    """A line for each place: what passed since the one before begins where that one ended; the first of its notes."""
    series = plot.series[0]
    whole = sum(series.value) or 1.0
    scale = Scale(0, whole, 210, 800, False)
    rows, passed = [], 0.0
    for n, (place, value) in enumerate(zip(series.at, series.value, strict=True)):
        note = series.notes[n] if n < len(series.notes) else ""
        high = f", p90 {series.high[n]:.1f}" if n < len(series.high) else ""
        start, end = scale(passed), scale(passed + value)
        title = f"{place}: {value:.1f} {plot.across}{high}"
        bar = Bar(start, max(end - start, 1.5), "step", f"{value:.1f}", title)
        shown = ", ".join(note.split(", ")[: 3 if start < 500 else 1])
        rows.append(Row(str(place), n * LINE, [bar], [], shown))
        passed += value
    return Rows(len(rows) * LINE + 6, rows)


def mtu_rows(found: Sequence[Sizes]) -> Rows | None:
    """The fate of packets by their size, a line for ways that are alike; the scale begins below the first limit."""
    zones = [[zone for zone in sizes.zones if zone.last >= zone.first] for sizes in found]
    limits = [zone.last for some in zones for zone in some[:-1]]
    if not limits:
        return None
    high = max(zone.last for some in zones for zone in some)
    low = max(0, min(limits) - max(40, (high - min(limits)) // 2))
    scale = Scale(low, high + 1, 190, 990, False)
    alike = grouped(range(len(found)), lambda at: tuple((zone.first, zone.last, zone.fate) for zone in zones[at]))
    rows: list[Row] = []
    for same in alike.values():
        some, name = zones[same[0]], _ways([found[at] for at in same])
        rows.append(Row(name, len(rows) * WAY, list(_bars(some, scale)), list(_limits(some, scale))))
    return Rows(len(rows) * WAY + 8, rows)


def _ways(found: Sequence[Sizes]) -> str:
    """The directions with the same sizes, the first by name."""
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"{found[0].source} → {found[0].target}{more}"


def _bars(zones: Iterable[Zone], scale: Scale) -> Iterator[Bar]:
    for zone in zones:
        start, end = scale(zone.first), scale(zone.last + 1)
        words = FATES[zone.fate] if end - start > 9 * len(FATES[zone.fate]) else ""
        yield Bar(start, max(end - start, 2.0), zone.fate, words, f"{zone.first} to {zone.last} bytes: {zone.words}")


def _limits(zones: Sequence[Zone], scale: Scale) -> Iterator[Tick]:
    """The largest size of each fate but the last."""
    last, down = -1e9, 0
    for zone in zones[:-1]:
        at = scale(zone.last + 1)
        down = 12 - down if at - last < 34 else 0
        yield Tick(at, str(zone.last), down)
        last = at
