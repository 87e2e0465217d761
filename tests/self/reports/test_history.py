"""The history of figures, and the rule that tells a change from noise; simulated with fixed seeds."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from statistics import median

import pytest

from reports.history import POINTS_MAX, Entry, entries, entry_of, line_of, month_of, trend_words, trends
from reports.perf.history import BASE_MIN, judged, rank_error
from reports.record.exhibits import Figures
from reports.record.store import parse_record, record_bytes
from tests.self.reports.noises import SHAPES, STRENGTH
from tests.self.reports.records import record

DEVIATION = 0.03
CHANGED = 20
"""The run, counted from 1, at which 30 runs change."""
SEEDS = 60


def marked(values: Sequence[float]) -> list[int]:
    """The runs, counted from 1, that are marked as changed."""
    return [number for number, (_, changed) in enumerate(judged(values), 1) if changed]


def thirty(draw: Callable[[random.Random], float], seed: int, change: float = 0.9) -> list[float]:
    """Thirty runs of a ratio, of which the last eleven are at another level."""
    chance = random.Random(seed)
    return [0.8 * (1 + draw(chance)) * (change if number >= CHANGED else 1) for number in range(1, 31)]


def bounded(chance: random.Random) -> float:
    """At most 3 % off."""
    return chance.uniform(-DEVIATION, DEVIATION)


def normal(chance: random.Random) -> float:
    """Of a standard deviation of 3 %."""
    return chance.gauss(0, DEVIATION)


@pytest.mark.parametrize(("draw", "exactly"), [(bounded, 0.97), (normal, 0.8)])
@pytest.mark.parametrize("change", [0.9, 1.1])
def test_a_change_of_ten_percent_is_found(
    draw: Callable[[random.Random], float], exactly: float, change: float
) -> None:
    """In the 20th of 30 runs, and nothing else; of normal noise its place is off by a run or two at times."""
    found = [marked(thirty(draw, seed, change)) for seed in range(SEEDS)]
    assert all(marks for marks in found)
    assert sum(len(marks) == 1 and abs(marks[0] - CHANGED) <= 2 for marks in found) >= 0.96 * SEEDS
    assert sum(marks == [CHANGED] for marks in found) >= exactly * SEEDS


@pytest.mark.parametrize("draw", [bounded, normal])
def test_thirty_unchanged_runs_raise_no_alarm(draw: Callable[[random.Random], float]) -> None:
    """In hardly any of many histories."""
    assert sum(bool(marked(thirty(draw, seed, 1.0))) for seed in range(SEEDS)) <= 0.05 * SEEDS


@pytest.mark.parametrize("shape", SHAPES)
def test_unchanged_runs_raise_one_alarm_in_a_hundred_at_most(shape: str) -> None:
    """Of 1 000 runs, whatever the noise in a run: a figure is the median of the ratios of six rounds."""
    alarms = marked([of_a_run(SHAPES[shape](random.Random(f"{shape} {seed}"))) for seed in range(1_000)])
    assert len(alarms) <= 10


def of_a_run(noise: Iterator[float]) -> float:
    """The median of six ratios of two equal paths, as a run measures it."""
    drawn = [max(-300.0, min(300.0, one)) for one in islice(noise, 12)]
    return math.exp(median(one - other for one, other in zip(drawn[::2], drawn[1::2], strict=True)))


def test_a_value_beyond_any_noise_is_marked_at_once() -> None:
    """And one that returns to the old level marks nothing more."""
    steady = [1 + STRENGTH * (number % 3) for number in range(19)]
    assert marked([*steady, 1.3]) == [CHANGED]
    assert marked([*steady, 1.3, *steady[:10]]) == [CHANGED]
    assert marked([1.0, 5.0, 1.0]) == []


def test_what_was_marked_stays_when_runs_are_added() -> None:
    """Bands are of the runs before on the same level, and begin again behind a change."""
    values = thirty(bounded, 1)
    assert [marked(values[:end]) for end in range(24, 31)] == [[CHANGED]] * 7
    bands = [band for band, _ in judged(values)]
    assert [number for number, band in enumerate(bands, 1) if band is None] == [
        *range(1, BASE_MIN + 1), *range(CHANGED + 1, CHANGED + BASE_MIN)
    ]  # fmt: skip
    assert bands[CHANGED - 1] == (min(values[:19]), max(values[:19]))


def test_rank_error_is_the_exact_one() -> None:
    """All of three above all of six: two of the 84 ways to draw three of nine; equal values count against it."""
    assert rank_error([1, 2, 3, 4, 5, 6], [7, 8, 9]) == pytest.approx(2 / 84)
    assert rank_error([1, 2, 3, 4, 5, 6], [6, 8, 9]) == pytest.approx(4 / 84)
    assert rank_error([1, 1, 1], [1, 1, 1]) == 1


def run(started: str, value: float, machine: str = "cpu") -> Entry:
    return Entry(started, machine, "host", "ece792", {"vxlan to bare": value})


def test_another_machine_or_kernel_starts_a_new_line() -> None:
    """In the order of time, however files were read; the line of the last run comes first."""
    known = [run(f"2026-01-{day:02} 00:00:00 UTC", 0.8, "old" if day < 11 else "new") for day in range(20, 0, -1)]
    new, old = trends(known)
    assert (new.machine, old.machine, len(new.points), len(old.points)) == ("new", "old", 10, 10)
    assert [point.started for point in new.points] == sorted(point.started for point in new.points)
    assert len(trends([replace(one, kernel=f"{n % 4}") for n, one in enumerate(known)])) == 8
    (many,) = trends([run(f"{year} UTC", 1.0) for year in range(1000, 1200)])
    assert len(many.points) == POINTS_MAX


def test_a_change_is_named_for_some_runs() -> None:
    """With the range before and the value seen."""
    values = thirty(bounded, 1)
    (found,) = trends([run(f"2026-01-{day:02} 00:00:00 UTC", value) for day, value in enumerate(values[:25], 1)])
    assert trend_words(found).startswith("vxlan to bare - changed at the run of 2026-01-20 00:00:00 UTC - expected 0.7")
    (later,) = trends([run(f"2026-01-{day:02} 00:00:00 UTC", value) for day, value in enumerate(values, 1)])
    assert trend_words(later) == ""


def test_an_entry_is_written_and_read_back() -> None:
    """Into the month's file; a run that measured nothing has none."""
    table = Figures.table("UDP", (), (), figures={"vxlan to bare": 0.82})
    entry = entry_of(replace(record(), measurements=[table]), "cpu")
    assert entry is not None
    assert entry.figures == {"UDP: vxlan to bare": 0.82}
    assert month_of(entry) == "2026-01.jsonl"
    assert list(entries([line_of(entry), "\n"])) == [entry]
    assert entry_of(record(), "cpu") is None
    made = replace(record(), trends=trends([entry]))
    assert parse_record(record_bytes(made), "r.json") == made


GOOD = line_of(run("2026", 1.0))
DAMAGED = {
    "cut": GOOD[:-9],
    "not JSON": "{",
    "a list": "[]",
    "a number": "7",
    "other keys": '{"started": 1}',
    "text for a figure": GOOD.replace("1.0}", '"a"}'),
    "number for a text": GOOD.replace('"cpu"', "3"),
    "infinite": GOOD.replace("1.0}", "Infinity}"),
    "deep": "[" * 10**5,
}


@pytest.mark.parametrize("line", DAMAGED.values(), ids=DAMAGED)
def test_a_line_of_no_run_is_none(line: str) -> None:
    """As where a run was killed while it wrote, or a cache was mixed up."""
    assert list(entries([line])) == [None]
