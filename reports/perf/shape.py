"""Dependence of a cost or rate on a size: rank correlation, slope, bend, and the test of a claim.

Every estimate has an interval that misses the truth in about one of a hundred samples.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from topology.errors import Misuse

ERROR = 0.01
FEWEST = 4
"""Points below which neither estimate has an interval."""
Holds = Literal["supported", "contradicted", "not decidable"]


@dataclass(frozen=True)
class Estimate:
    """A figure and its interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3g} ({self.low:.3g} to {self.high:.3g})"


@dataclass(frozen=True)
class Scaling:
    """A rate over sizes on two logarithmic scales: slope 1 is twice the rate for twice the size.

    ``linear_until`` is the last size of the line that begins at the smallest, None where one line holds for all;
    ``before`` and ``beyond`` are the slopes up to it and from it on.
    """

    slope: Estimate
    linear_until: float | None
    before: Estimate
    beyond: Estimate | None


def rank_correlation(xs: Sequence[float], ys: Sequence[float]) -> Estimate:
    """Spearman's rank correlation; the interval is by D. Bonett and T. Wright, Psychometrika 65 (2000), 23-28.

    It is 0 where one side does not vary. The interval of a perfect order is that of half a step less, a step being the
    smallest possible change: it would have no width. Raises Misuse for fewer than 4 points.
    """
    n = _points(xs, ys)
    try:
        value = max(-1.0, min(1.0, statistics.correlation(_ranks(xs), _ranks(ys))))
    except statistics.StatisticsError:
        value = 0.0
    edge = 1 - 6 / (n * (n * n - 1))
    inner = max(-edge, min(edge, value))
    half = _quantile(ERROR) * math.sqrt((1 + inner * inner / 2) / (n - 3))
    low, high = math.tanh(math.atanh(inner) - half), math.tanh(math.atanh(inner) + half)
    return Estimate(value, min(low, value), max(high, value))


def _ranks(values: Sequence[float]) -> list[float]:
    """Each value's rank from 1; equal values share the middle of theirs."""
    return [(sum(one < value for one in values) + sum(one <= value for one in values) + 1) / 2 for value in values]


def slope(sizes: Sequence[float], rates: Sequence[float], error: float = ERROR) -> Estimate:
    """The slope of log(rate) over log(size): the median of all pairs' slopes; several runs of one size are as many.

    The interval is P. Sen's (Journal of the American Statistical Association 63, 1968, 1379-1389); ``error`` is how
    often it may miss. Raises Misuse for fewer than 4 points, fewer than two sizes, and for what has no logarithm.
    """
    _points(sizes, rates)
    if not all(0 < each < math.inf for each in (*sizes, *rates)):
        raise Misuse("slope - expected finite sizes and rates above 0 - seen others")
    points = [(math.log(size), math.log(rate)) for size, rate in zip(sizes, rates, strict=True)]
    steps = sorted((y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2) if x1 != x2)
    if not steps:
        raise Misuse("slope - expected at least two sizes - seen one")
    reach = _quantile(error) * math.sqrt(_concordance_variance(sizes))
    first = max(0, math.floor((len(steps) - reach) / 2) - 1)
    return Estimate(statistics.median(steps), steps[first], steps[len(steps) - 1 - first])


def _quantile(error: float) -> float:
    """Standard deviations that a normal value is off at most, but for an error on both sides."""
    return statistics.NormalDist().inv_cdf(1 - error / 2)


def _concordance_variance(sizes: Sequence[float]) -> float:
    """The variance of Kendall's sum where sizes repeat (Sen, 1968, section 2)."""
    n = len(sizes)
    repeated = [sizes.count(size) for size in set(sizes)]
    return (n * (n - 1) * (2 * n + 5) - sum(t * (t - 1) * (2 * t + 5) for t in repeated)) / 18


def scaling(sizes: Sequence[float], rates: Sequence[float]) -> Scaling:
    """The slope, and where it changes: the size at which two lines fit best, if the intervals of their slopes are
    disjoint.

    Every size between the first and the last is tried, so each trial's error is as much smaller.
    """
    whole = slope(sizes, rates)
    bends = sorted(set(sizes))[1:-1]
    points = sorted(zip(sizes, rates, strict=True))
    found: list[tuple[float, Scaling]] = []
    for bend in bends:
        left, right = [p for p in points if p[0] <= bend], [p for p in points if p[0] >= bend]
        if min(len(left), len(right)) < FEWEST:
            continue
        before, beyond = (
            slope([x for x, _ in part], [y for _, y in part], ERROR / len(bends)) for part in (left, right)
        )
        if before.low > beyond.high or beyond.low > before.high:
            misfit = _misfit(left, before.value) + _misfit([p for p in right if p[0] > bend], beyond.value)
            found.append((misfit, Scaling(whole, bend, before, beyond)))
    return min(found, key=lambda one: one[0])[1] if found else Scaling(whole, None, whole, None)


def _misfit(points: Sequence[tuple[float, float]], steepness: float) -> float:
    """Sum of the residuals from the best line of this slope."""
    rests = [math.log(rate) - steepness * math.log(size) for size, rate in points]
    middle = statistics.median(rests)
    return sum(abs(rest - middle) for rest in rests)


def claim_holds(claimed: float, tolerance: float, low: float, high: float) -> Holds:
    """Return whether a ratio is as claimed within a tolerance: its interval lies within, outside, or across."""
    least, most = claimed * (1 - tolerance), claimed * (1 + tolerance)
    if least <= low and high <= most:
        return "supported"
    return "contradicted" if high < least or most < low else "not decidable"


def _points(xs: Sequence[float], ys: Sequence[float]) -> int:
    if len(xs) != len(ys) or len(xs) < FEWEST:
        raise Misuse(f"points - expected at least {FEWEST} pairs - seen {len(xs)} and {len(ys)}")
    return len(xs)
