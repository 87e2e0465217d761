"""Durations counted in bounded memory: a histogram whose percentiles are at most 0.8 % off, however many there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

SUB_BITS = 6
"""Buckets have 2**6 steps for each power of two, so a bucket's middle is at most 1/128 from any value in it."""
LONGEST_NS = (1 << 44) - 1
"""Almost five hours; a longer duration is counted as this long, but the maximum and the sum stay exact."""
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
    """A histogram of durations in nanoseconds; its size is bounded by the number of buckets (2 496)."""

    buckets: Counter[int] = field(default_factory=Counter)
    max_ns: int = 0
    sum_ns: int = 0

    def add(self, ns: int) -> None:
        """Count one duration."""
        self.buckets[bucket_of(ns)] += 1
        self.sum_ns += ns
        self.max_ns = max(self.max_ns, ns)


def distribution(parts: Iterable[Durations]) -> Distribution:
    """Sum up several histograms as one."""
    merged: Counter[int] = Counter()
    most = total = 0
    for part in parts:
        merged.update(part.buckets)
        most, total = max(most, part.max_ns), total + part.sum_ns
    count = merged.total()
    p50, p90, p99 = (min(_percentile(merged, count, percent), float(most)) for percent in (50, 90, 99))
    return Distribution(count, p50, p90, p99, most, total)


def _percentile(buckets: Counter[int], count: int, percent: int) -> float:
    """Return the middle of the bucket that holds the nearest rank; 0 where nothing was counted."""
    rank = -(-count * percent // 100)
    for bucket in sorted(buckets):
        rank -= buckets[bucket]
        if rank <= 0:
            return middle_of(bucket)
    return 0.0


def bucket_of(ns: int) -> int:
    """Return a duration's bucket: its own up to 127 ns, above that one of 64 for each power of two."""
    clipped = min(ns, LONGEST_NS)
    shift = max(clipped.bit_length() - 1 - SUB_BITS, 0)
    return (shift << SUB_BITS) + (clipped >> shift)


def middle_of(bucket: int) -> float:
    """Return the duration in nanoseconds that stands for a bucket."""
    shift = max((bucket >> SUB_BITS) - 1, 0)
    return float((bucket - (shift << SUB_BITS)) << shift) + ((1 << shift) - 1) / 2
