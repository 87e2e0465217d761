"""The A/B rule: which of two paths is faster, by how much, and how sure that is; docs/measurement.md has its errors.

A figure is never judged by itself but as a ratio to the reference's of the same round: what slows the whole machine
slows both. A round runs every path once, in an order drawn by chance, and as often in one order as in its reverse.
After 6, 12 and 20 rounds the ratios give an interval; who is undecided then goes on, and is unstable in the end.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from reports.evidence import Finding
from reports.perf.stats import centre_interval
from topology.errors import Misuse, Undecided

LOOKS = (6, 12, 20)
"""Rounds after which it is looked whether that is decided."""
ERRORS = {12: 0.001, 20: 0.0015}
"""How often an interval at a look may miss the centre, by Wilcoxon's signed ranks.

Six ratios can give no interval with an error below 1/32: theirs spans all of them and, beyond both ends, as much again.
"""
STRETCH = 1.0
Answer = Literal["passed", "failed", "unstable"]


@dataclass(frozen=True)
class Threshold:
    """What a ratio to the reference must be: at least, or at most, so much ``unit``."""

    value: float
    bound: Literal["at least", "at most"] = "at least"
    unit: str = "of the bare path's"

    def __post_init__(self) -> None:
        if not 0 < self.value < math.inf:
            raise Misuse(f"threshold - expected a ratio above 0 - seen {self.value}")

    def __str__(self) -> str:
        return f"{self.bound} {self.value:g} {self.unit}"


@dataclass(frozen=True)
class Comparison:
    """Ratios of one path to the reference, one for each round; their median, and an interval for their centre."""

    ratios: tuple[float, ...]
    median: float
    low: float
    high: float

    @property
    def smallest_effect(self) -> float:
        """The smallest change, as a part of the whole, that this many rounds with this noise could have detected.

        It is the interval's width: an effect as large moves the interval off the threshold though the estimate erred
        by half of it. Below 0.1 or so a slow-down and a speed-up of this size are as easy to find.
        """
        return 1 - self.low / self.high

    def __str__(self) -> str:
        sure = f"{self.low:.3g} to {self.high:.3g}, {len(self.ratios)} rounds"
        return f"{self.median:.3g} ({sure}; an effect of {self.smallest_effect:.1%} could have been detected)"


@dataclass(frozen=True)
class Judged:
    """A comparison against its threshold; ``unstable`` where the interval straddles it after all rounds."""

    comparison: Comparison
    threshold: Threshold
    verdict: Answer

    def holds(self, where: str) -> Finding:
        """Whether the threshold is kept; Undecided where twenty rounds could not tell."""
        if self.verdict == "unstable":
            raise Undecided(self.message(where))
        return Finding(self.verdict == "passed", self.message(where))

    def message(self, where: str) -> str:
        """The verdict in hopcheck's grammar."""
        return f"{where} - throughput - expected {self.threshold} - seen {self.comparison} - {self.verdict}"


def rounds(names: Sequence[str], seed: str, done: int = 0, until: int = LOOKS[0]) -> list[tuple[str, ...]]:
    """The order of runs in each round from ``done`` to ``until``: random orders and their reverses, as many of each."""
    chance = random.Random(f"{seed}/{done}")
    orders: list[tuple[str, ...]] = []
    while len(orders) < until - done:
        order = tuple(chance.sample(names, len(names)))
        orders += [order, order[::-1]]
    del orders[until - done :]
    chance.shuffle(orders)
    return orders


def compare(figures: Sequence[float], reference: Sequence[float]) -> Comparison:
    """A path's figures against the reference's of the same rounds.

    Raises Misuse for fewer than 6, and for figures that are not above 0.
    """
    if len(figures) != len(reference) or len(figures) < LOOKS[0]:
        raise Misuse(f"ratios - expected at least {LOOKS[0]} pairs - seen {len(figures)} to {len(reference)}")
    if not all(0 < figure < math.inf for figure in (*figures, *reference)):
        raise Misuse("ratios - expected figures above 0 - seen others; a path that carries nothing has failed before")
    logs = [math.log(ours) - math.log(theirs) for ours, theirs in zip(figures, reference, strict=True)]
    median = statistics.median(logs)
    low, high = _interval(logs)
    ratios = tuple(map(_ratio, logs))
    return Comparison(ratios, _ratio(median), _ratio(min(low, median)), _ratio(max(high, median)))


def _ratio(log: float) -> float:
    """A logarithm's ratio, as far as a float can tell: beyond e to the 700 nothing is to be learned of it."""
    return math.exp(max(-700.0, min(700.0, log)))


def _interval(logs: Sequence[float]) -> tuple[float, float]:
    """Bounds of the centre: Wilcoxon's where there are enough values for so small an error, else stretched ones."""
    found = centre_interval(logs, ERRORS.get(len(logs), min(ERRORS.values())))
    if found:
        return found
    low, high = min(logs), max(logs)
    return low - STRETCH * (high - low), high + STRETCH * (high - low)


def decide(comparison: Comparison, threshold: Threshold) -> Answer:
    """What the interval says of a threshold: unstable where it lies on both sides, or on it."""
    above, below = comparison.low > threshold.value, comparison.high < threshold.value
    if not above and not below:
        return "unstable"
    return "passed" if above == (threshold.bound == "at least") else "failed"


def judge(figures: Sequence[float], reference: Sequence[float], threshold: Threshold) -> Judged:
    """A path's figures against the reference's of the same rounds, and what that says of a threshold."""
    found = compare(figures, reference)
    return Judged(found, threshold, decide(found, threshold))


def measure(
    run: Callable[[str], float], thresholds: Mapping[str, Threshold], reference: str, seed: str
) -> dict[str, Judged]:
    """Run the paths and the reference in rounds until each path is decided or has had 20.

    The paths are the thresholds' keys; ``run`` gives a path's figure of one run. Whatever it raises ends all.
    """
    if reference in thresholds:
        raise Misuse(f"measure - expected a reference that is not judged - seen {reference} with a threshold")
    figures: dict[str, list[float]] = {name: [] for name in (reference, *thresholds)}
    judged: dict[str, Judged] = {}
    done = 0
    for look in LOOKS:
        open_ones = [name for name in thresholds if name not in judged or judged[name].verdict == "unstable"]
        if not open_ones:
            break
        for order in rounds((reference, *open_ones), seed, done, look):
            for name in order:
                figures[name].append(run(name))
        for name in open_ones:
            judged[name] = judge(figures[name], figures[reference], thresholds[name])
        done = look
    return judged
