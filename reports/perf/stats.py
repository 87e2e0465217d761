"""Distribution-free statistics, exact for small samples: what SciPy has of them, without its 100 MB.

The signed ranks are Wilcoxon's (Biometrics Bulletin 1, 1945), the interval from the averages of pairs is Tukey's
(M. Hollander, D. Wolfe, E. Chicken, Nonparametric Statistical Methods, 3rd edition, 3.1 to 3.3).
"""

from __future__ import annotations

import statistics
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from itertools import combinations_with_replacement


@cache
def signed_rank_tail(n: int) -> tuple[float, ...]:
    """P(T <= t) for t = 0, 1, ...: T is the sum of the ranks of 1 to n that got a plus by the toss of a fair coin."""
    ways = [1]
    for rank in range(1, n + 1):
        longer = ways + [0] * rank
        for total, count in enumerate(ways):
            longer[total + rank] += count
        ways = longer
    tail, below = [], 0
    for count in ways:
        below += count
        tail.append(below / 2**n)
    return tuple(tail)


def centre_interval(values: Sequence[float], error: float) -> tuple[float, float] | None:
    """Bounds of the centre of a symmetric distribution, wrong in at most ``error`` of all samples.

    None where there are too few values for so small an error. Both bounds are averages of two of the values (or a value
    itself), and each is wrong in half of the error.
    """
    n = len(values)
    inside = bisect_right(signed_rank_tail(n), error / 2)
    if not inside:
        return None
    averages = sorted((a + b) / 2 for a, b in combinations_with_replacement(values, 2))
    return averages[inside - 1], averages[len(averages) - inside]


def ranks(values: Sequence[float]) -> list[float]:
    """Each value's rank from 1; equal values share the middle of theirs."""
    order = sorted(values)
    first = {value: at for at, value in reversed(list(enumerate(order, 1)))}
    last = {value: at for at, value in enumerate(order, 1)}
    return [(first[value] + last[value]) / 2 for value in values]


def correlation(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Pearson's; 0 where one of both does not vary at all."""
    if len(set(xs)) < 2 or len(set(ys)) < 2:
        return 0.0
    return max(-1.0, min(1.0, statistics.correlation(xs, ys)))
