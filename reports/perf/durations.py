"""Durations counted in bounded memory: a histogram whose percentiles are at most 0.8 % off, however many there are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
SUB_BITS = 6
"""Buckets have 2**6 steps for each power of two, so a bucket's middle is at most 1/128 from any value in it."""
LONGEST_NS = (1 << 44) - 1
"""Almost five hours; whatever is longer is counted as this long, and its maximum kept."""
BUCKETS = (44 - SUB_BITS + 1) << SUB_BITS
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

    @property
    def mean_ns(self) -> float:
        """0 where nothing was counted."""
        return self.sum_ns / self.count if self.count else 0.0


def bucket_of(ns: Ints) -> Ints:
    """The bucket of each duration: up to 127 ns its own, above that 64 for each power of two."""
    clipped = np.minimum(ns, LONGEST_NS)
    shift = np.maximum(np.frexp(clipped.astype(np.float64))[1].astype(np.int64) - 1 - SUB_BITS, 0)
    found: Ints = (shift << SUB_BITS) + (clipped >> shift)
    return found


def middle_of(bucket: int) -> float:
    """The duration that stands for a bucket."""
    shift = max((bucket >> SUB_BITS) - 1, 0)
    return float((bucket - (shift << SUB_BITS)) << shift) + ((1 << shift) - 1) / 2


class Histograms:
    """As many histograms as there are groups, told apart by number."""

    def __init__(self) -> None:
        self._counts = np.zeros((0, BUCKETS), np.int64)
        self._sums = np.zeros(0, np.int64)
        self._most = np.zeros(0, np.int64)

    def add(self, groups: Ints, ns: Ints) -> None:
        """Count each duration in its group."""
        if not len(groups):
            return
        self._grow(int(groups.max()) + 1)
        np.add.at(self._counts.reshape(-1), groups * BUCKETS + bucket_of(ns), 1)
        np.add.at(self._sums, groups, ns)
        np.maximum.at(self._most, groups, ns)

    def distribution(self, groups: list[int]) -> Distribution:
        """What all of these groups hold together."""
        known = [group for group in groups if group < len(self._sums)]
        if not known:
            return Distribution()
        counts = self._counts[known].sum(axis=0)
        total = int(counts.sum())
        if not total:
            return Distribution()
        upto = np.cumsum(counts)
        most = int(self._most[known].max())

        def percentile(percent: int) -> float:
            rank = -(-total * percent // 100)
            return min(middle_of(int(np.searchsorted(upto, rank))), float(most))

        return Distribution(total, percentile(50), percentile(90), percentile(99), most, int(self._sums[known].sum()))

    def _grow(self, size: int) -> None:
        have = len(self._sums)
        if size > have:
            more = max(size, 2 * have, 16) - have
            self._counts = np.concatenate([self._counts, np.zeros((more, BUCKETS), np.int64)])
            self._sums = np.concatenate([self._sums, np.zeros(more, np.int64)])
            self._most = np.concatenate([self._most, np.zeros(more, np.int64)])
