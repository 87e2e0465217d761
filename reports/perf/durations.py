"""Durations counted in bounded memory: a histogram whose percentiles are at most 0.8 % off, however many there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

SUB_BITS = 6
"""Buckets have 2**6 steps for each power of two, so a bucket's middle is at most 1/128 from any value in it."""
RELATIVE_ERROR = 1 / (1 << (SUB_BITS + 1))


@dataclass(frozen=True)
class Distribution:
    """Nanoseconds of ``count`` calls: maximum and sum exact, percentiles (nearest rank) within RELATIVE_ERROR."""

    count: int = 0
    p50_ns: float = 0.0
    p90_ns: float = 0.0
    p99_ns: float = 0.0
    max_ns: int = 0
    sum_ns: int = 0


@dataclass
class Durations:
    """A histogram of durations in nanoseconds: how many there are, by the middle of their bucket."""

    buckets: Counter[float] = field(default_factory=Counter)
    max_ns: int = 0
    sum_ns: int = 0

    def add(self, ns: int) -> None:
        """Count one duration: up to 127 ns in a bucket of its own, above that in one of 64 for each power of two."""
        shift = max(ns.bit_length() - 1 - SUB_BITS, 0)
        self.buckets[(ns >> shift << shift) + ((1 << shift) - 1) / 2] += 1
        self.sum_ns += ns
        self.max_ns = max(self.max_ns, ns)


def distribution(parts: Iterable[Durations]) -> Distribution:
    """Sum up several histograms as one."""
    merged: Counter[float] = Counter()
    most = total = 0
    for part in parts:
        merged.update(part.buckets)
        most, total = max(most, part.max_ns), total + part.sum_ns
    p50, p90, p99 = (min(_percentile(merged, percent), float(most)) for percent in (50, 90, 99))
    return Distribution(merged.total(), p50, p90, p99, most, total)


def _percentile(buckets: Counter[float], percent: int) -> float:
    """Return the middle of the bucket that holds the nearest rank; 0 where nothing was counted."""
    rank = -(-buckets.total() * percent // 100)
    for middle in sorted(buckets):
        rank -= buckets[middle]
        if rank <= 0:
            return middle
    return 0.0
