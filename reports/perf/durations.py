"""Durations of calls, summed up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

PARTS = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
"""The parts of all calls at which a distribution is kept for its picture."""


@dataclass(frozen=True)
class Distribution:
    """Nanoseconds of ``count`` calls: percentiles (nearest rank), maximum and sum; ``parts_ns`` are those at PARTS."""

    count: int = 0
    p50_ns: int = 0
    p90_ns: int = 0
    p99_ns: int = 0
    max_ns: int = 0
    sum_ns: int = 0
    parts_ns: tuple[int, ...] = ()


def distribution(parts: Iterable[Iterable[int]]) -> Distribution:
    """Sum up the durations of several groups of calls as one."""
    durations = sorted(chain.from_iterable(parts))
    if not durations:
        return Distribution()
    p50, p90, p99 = (_at(durations, part) for part in (0.5, 0.9, 0.99))
    kept = tuple(_at(durations, part) for part in PARTS)
    return Distribution(len(durations), p50, p90, p99, durations[-1], sum(durations), kept)


def _at(durations: Sequence[int], part: float) -> int:
    """The nearest rank, counted in hundredths, since 0.99 is no binary fraction."""
    return durations[-(-len(durations) * round(part * 100) // 100) - 1]
