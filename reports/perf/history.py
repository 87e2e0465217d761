"""Distinguishes changes of a figure from run to run from noise: the A/B rule for one value per run. Pure.

A run is compared with the runs before it on the same line. Its first look is at one value: it decides only what is
clear, as that of a comparison does. Later looks compare all values since a run with those before it by their ranks
(Mann and Whitney's test, exact: M. Hollander, D. Wolfe, E. Chicken, Nonparametric Statistical Methods, 3rd edition,
4.1), which assumes nothing of the noise but that runs do not depend on each other.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from math import comb
from statistics import median
from typing import TypeAlias

Band: TypeAlias = tuple[float, float]
BASE_MIN, BASE_MAX = 6, 20
"""Runs before a change that are needed to tell one, and that are looked at."""
SINCE_MIN, SINCE_MAX = 3, 12
"""Runs since a change that a later look compares."""
CLEAR_MIN = 12
"""Runs before a value that the first look needs."""
STRETCH = 1.0
"""The first look's band is the range of the runs before, extended by so many times its width on both sides."""
ERROR = 0.0003
"""Error probability of one later look; a run has up to ten, of which most see the same values."""


def judged(values: Sequence[float]) -> list[tuple[Band | None, bool]]:
    """For each value of a line the range of the runs before it, None where they are too few to tell, in order.

    True marks the first run of another level; what was marked stays so when values are added behind.
    """
    starts = [0, *_changes(values)]
    found: list[tuple[Band | None, bool]] = []
    for at in range(len(values)):
        start = max(one for one in starts if one < at or one == 0)
        base = values[start:at][-BASE_MAX:]
        found.append(((min(base), max(base)) if len(base) >= BASE_MIN else None, at in starts[1:]))
    return found


def _changes(values: Sequence[float]) -> list[int]:
    """The places of the runs at which another level begins."""
    starts = [0]
    for at in range(len(values)):
        change = at if _is_clear(values[starts[-1] : at], values[at]) else _later(values, starts[-1], at + 1)
        if change is not None:
            starts.append(change)
    return starts[1:]


def _is_clear(before: Sequence[float], value: float) -> bool:
    """True where one value alone is beyond any noise."""
    if len(before) < CLEAR_MIN:
        return False
    low, high = min(before[-BASE_MAX:]), max(before[-BASE_MAX:])
    return not low - STRETCH * (high - low) <= value <= high + STRETCH * (high - low)


def _later(values: Sequence[float], start: int, end: int) -> int | None:
    """The run at which another level begins; None where the values since no run surely differ from those before.

    Of all runs, the one that leaves the values on both sides nearest to their medians.
    """
    first = max(start + BASE_MIN, end - SINCE_MAX)
    looks = ((values[start:at][-BASE_MAX:], values[at:end]) for at in range(first, end - SINCE_MIN + 1))
    if not any(rank_error(before, since) <= ERROR for before, since in looks):
        return None
    begin = max(start, first - BASE_MAX)
    return min(range(first, end), key=lambda at: _spread(values[begin:at]) + _spread(values[at:end]))


def _spread(values: Sequence[float]) -> float:
    """How far values are from their median, in all."""
    centre = median(values)
    return sum(abs(value - centre) for value in values)


def rank_error(before: Sequence[float], since: Sequence[float]) -> float:
    """The probability of ranks that differ as much, up or down, where both are of one distribution; 1 at most.

    Equal values count against a difference.
    """
    ordered = sorted(before)
    above = sum(len(ordered) - bisect_left(ordered, value) for value in since)
    below = sum(bisect_right(ordered, value) for value in since)
    return min(1.0, 2 * _rank_tail(len(before), len(since))[min(above, below)])


@cache
def _rank_tail(m: int, n: int) -> tuple[float, ...]:
    """P(U <= u) for u = 0, 1, ...: U counts the pairs of one of m and one of n values in which the second is less."""
    ways = [1]
    for i in range(1, n + 1):
        grown = ways + [0] * (m + i)
        for at in range(len(ways) - 1, -1, -1):
            grown[at + m + i] -= ways[at]
        for at in range(i, len(grown)):
            grown[at] += grown[at - i]
        ways = grown
    total = comb(m + n, n)
    return tuple(below / total for below in accumulate(ways[: m * n + 1]))
