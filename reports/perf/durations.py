"""Durations of calls, summed up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain


@dataclass(frozen=True)
class Distribution:
    """Nanoseconds of ``count`` calls: percentiles (nearest rank), maximum and sum."""

    count: int = 0
    p50_ns: int = 0
    p90_ns: int = 0
    p99_ns: int = 0
    max_ns: int = 0
    sum_ns: int = 0


def distribution(parts: Iterable[Iterable[int]]) -> Distribution:
    """Sum up the durations of several groups of calls as one."""
    durations = sorted(chain.from_iterable(parts))
    if not durations:
        return Distribution()
    ranks = (-(-len(durations) * percent // 100) for percent in (50, 90, 99))
    p50, p90, p99 = (durations[rank - 1] for rank in ranks)
    return Distribution(len(durations), p50, p90, p99, durations[-1], sum(durations))
