"""The A/B rule: the ratio of two paths with an interval, judged against a threshold (errors: docs/measurement.md).

A figure is judged only as a ratio to the reference's figure of the same round, because load on the machine slows both.
A round runs every path once, in random order; each order is used as often as its reverse. The ratios give an interval
after 6, 12 and 20 rounds. While it straddles the threshold, more rounds are run; after 20 the result is unstable.
"""

from __future__ import annotations

import math
import random
import statistics
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, combinations_with_replacement
from typing import Literal, TypeAlias

from reports.evidence import Finding
from topology.errors import Misuse, Undecided

LOOKS = (6, 12, 20)
"""The numbers of rounds after which the interval is compared with the threshold."""
ERRORS = {12: 0.001, 20: 0.0015}
"""The error probability of the interval at a look, by Wilcoxon's signed ranks.

Six ratios cannot give an interval with an error below 1/32: theirs is their range, extended by STRETCH times its width
on both sides.
"""
STRETCH = 1.0
Answer = Literal["passed", "failed", "unstable"]
Rounds: TypeAlias = Callable[[int, int], tuple[Sequence[float], Sequence[float]]]
"""Runs the rounds from one number to another; returns the path's figures and the reference's, one for each round."""


@dataclass(frozen=True)
class Threshold:
    """The bound of a ratio to the reference: at least or at most ``value``; ``unit`` is its wording."""

    value: float
    bound: Literal["at least", "at most"] = "at least"
    unit: str = "of the bare path's"

    def __str__(self) -> str:
        return f"{self.bound} {self.value:g} {self.unit}"


@dataclass(frozen=True)
class Comparison:
    """The ratios of a path to the reference, one for each round, with their median and an interval of their centre."""

    ratios: tuple[float, ...]
    median: float
    low: float
    high: float

    @property
    def smallest_effect(self) -> float:
        """The smallest relative change that these rounds could have detected, from 0 to 1: the interval's width.

        An effect of this size moves the interval off the threshold even if the estimate is wrong by half of it.
        """
        return 1 - self.low / self.high

    def __str__(self) -> str:
        sure = f"{self.low:.3g} to {self.high:.3g}, {len(self.ratios)} rounds"
        return f"{self.median:.3g} ({sure}; an effect of {self.smallest_effect:.1%} could have been detected)"


@dataclass(frozen=True)
class Judged:
    """A comparison with a threshold; ``unstable`` if the interval straddles it after all rounds."""

    comparison: Comparison
    threshold: Threshold
    verdict: Answer

    def holds(self, where: str) -> Finding:
        """Return whether the threshold is met; raises Undecided for an unstable result."""
        if self.verdict == "unstable":
            raise Undecided(self.message(where))
        return Finding(self.verdict == "passed", self.message(where))

    def message(self, where: str) -> str:
        """Return the message of the verdict."""
        return f"{where} - throughput - expected {self.threshold} - seen {self.comparison} - {self.verdict}"


def rounds(names: Sequence[str], seed: str, done: int = 0, until: int = LOOKS[0]) -> list[tuple[str, ...]]:
    """Return the order of runs in each round from ``done`` to ``until``: random, each as often as its reverse."""
    chance = random.Random(f"{seed}/{done}")
    orders: list[tuple[str, ...]] = []
    while len(orders) < until - done:
        order = tuple(chance.sample(names, len(names)))
        orders += [order, order[::-1]]
    del orders[until - done :]
    chance.shuffle(orders)
    return orders


def compare(figures: Sequence[float], reference: Sequence[float]) -> Comparison:
    """Compare a path's figures with the reference's of the same rounds.

    Raises Misuse for fewer than 6 rounds and for figures that are not above 0.
    """
    if len(figures) != len(reference) or len(figures) < LOOKS[0]:
        raise Misuse(f"ratios - expected at least {LOOKS[0]} pairs - seen {len(figures)} to {len(reference)}")
    if not all(0 < figure < math.inf for figure in (*figures, *reference)):
        raise Misuse("ratios - expected finite figures above 0 - seen others")
    logs = [math.log(ours) - math.log(theirs) for ours, theirs in zip(figures, reference, strict=True)]
    median = statistics.median(logs)
    low, high = _interval(logs)
    return Comparison(tuple(map(_ratio, logs)), *map(_ratio, (median, min(low, median), max(high, median))))


def _ratio(log: float) -> float:
    """Return the ratio of a logarithm, clamped to the range of a float."""
    return math.exp(max(-700.0, min(700.0, log)))


def _interval(logs: Sequence[float]) -> tuple[float, float]:
    """Return bounds of the centre: by Wilcoxon if there are enough values for the error, else the stretched range."""
    found = centre_interval(logs, ERRORS.get(len(logs), min(ERRORS.values())))
    if found:
        return found
    low, high = min(logs), max(logs)
    return low - STRETCH * (high - low), high + STRETCH * (high - low)


def centre_interval(values: Sequence[float], error: float) -> tuple[float, float] | None:
    """Bounds of the centre of a symmetric distribution, wrong in at most ``error`` of all samples.

    The bounds are averages of two values (Tukey's interval: M. Hollander, D. Wolfe, E. Chicken, Nonparametric
    Statistical Methods, 3rd edition, 3.1 to 3.3). None where there are too few values for so small an error.
    """
    inside = bisect_right(signed_rank_tail(len(values)), error / 2)
    if not inside:
        return None
    averages = sorted((a + b) / 2 for a, b in combinations_with_replacement(values, 2))
    return averages[inside - 1], averages[len(averages) - inside]


@cache
def signed_rank_tail(n: int) -> tuple[float, ...]:
    """P(T <= t) for t = 0, 1, ...: T is the sum of the ranks of 1 to n that got a plus by the toss of a fair coin."""
    ways = [1]
    for rank in range(1, n + 1):
        zeros = [0] * rank
        ways = [without + using for without, using in zip(ways + zeros, zeros + ways, strict=True)]
    return tuple(below / 2**n for below in accumulate(ways))


def decide(comparison: Comparison, threshold: Threshold) -> Answer:
    """Return the verdict of an interval: unstable if it contains or touches the threshold."""
    above, below = comparison.low > threshold.value, comparison.high < threshold.value
    if not above and not below:
        return "unstable"
    return "passed" if above == (threshold.bound == "at least") else "failed"


def measure(
    more: Rounds, threshold: Threshold, figures: Sequence[float] = (), reference: Sequence[float] = ()
) -> Judged:
    """Judge a path after 6, 12 and 20 rounds, and stop as soon as the interval is on one side of the threshold.

    ``figures`` and ``reference`` are those of rounds that are already done; ``more(done, until)`` runs the rounds from
    ``done`` to ``until`` and returns both sides' figures. Its exceptions are passed on.
    """
    for look in LOOKS:
        if len(figures) < look:
            ours, theirs = more(len(figures), look)
            figures, reference = [*figures, *ours], [*reference, *theirs]
        found = compare(figures, reference)
        judged = Judged(found, threshold, decide(found, threshold))
        if judged.verdict != "unstable":
            break
    return judged
