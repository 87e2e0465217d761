"""The A/B rule keeps its promises whatever the noise looks like: simulated with fixed seeds."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.perf.compare import (
    LOOKS,
    Comparison,
    Judged,
    Threshold,
    centre_interval,
    compare,
    decide,
    measure,
    rounds,
    signed_rank_tail,
)
from tests.self.draws import draws
from tests.self.reports.noises import SHAPES, in_rounds
from topology.errors import Misuse

SAMPLES = draws(125)
SAME = Threshold(1.0)
"""The hardest threshold: the truth of two equal paths lies on it, so that any decision is a false alarm."""
FIGURES = st.lists(st.floats(1e-3, 1e12), min_size=6, max_size=20)


def simulated(shape: str, seed: int, effect: float = 1.0, first: int = LOOKS[0]) -> Judged:
    """Judge two paths with noise of a shape, one of them ``effect`` times as fast, after ``first`` initial rounds."""
    noise = SHAPES[shape](random.Random(f"{shape} {seed}"))
    speed = {"a": 1.0, "b": effect}
    more = in_rounds(lambda name: speed[name] * measured(noise), "b", "a", str(seed))
    return measure(more, SAME, *more(0, first))


def measured(noise: Iterator[float]) -> float:
    """Measure a rate of 1; noise without a mean is cut off where floats end."""
    return math.exp(max(-300.0, min(300.0, next(noise))))


@cache
def unchanged(shape: str, first: int = LOOKS[0]) -> list[Judged]:
    """Return comparisons of a path with itself."""
    return [simulated(shape, seed, first=first) for seed in range(SAMPLES)]


@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize("first", LOOKS[:2], ids=["tcp", "udp"])
def test_equal_paths_differ_in_one_of_a_hundred_comparisons_at_most(first: int, half: int) -> None:
    """False alarms, up or down, stay below 1 % over all noises, and below 2 % for the worst of them."""
    shapes = list(SHAPES)[half::2]
    alarms = {shape: sum(each.verdict != "unstable" for each in unchanged(shape, first)) for shape in shapes}
    assert sum(alarms.values()) <= 0.01 * SAMPLES * len(shapes), alarms
    assert max(alarms.values()) <= 0.02 * SAMPLES, alarms
    assert sum(alarms.values()) > 0, "a rule that never decides keeps this promise, too"


def test_rule_that_is_too_sure_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the first six ratios' own range believed, the simulation would show too many false alarms."""
    monkeypatch.setattr("reports.perf.compare.STRETCH", 0.0)
    alarms = sum(simulated("normal", seed).verdict != "unstable" for seed in range(2 * SAMPLES))
    assert alarms > 0.04 * SAMPLES


@pytest.mark.parametrize("shape", SHAPES)
def test_twice_the_smallest_detectable_effect_is_found(shape: str) -> None:
    """A slow-down of twice what an unchanged path's comparison states is found in 95 % at least, of every noise."""
    verdicts: Counter[str] = Counter()
    for seed, same in enumerate(unchanged(shape)):
        slowed = max(0.01, 1 - 2 * same.comparison.smallest_effect)
        verdicts[simulated(shape, SAMPLES + seed, slowed).verdict] += 1
    assert verdicts["failed"] >= 0.95 * SAMPLES, verdicts
    assert verdicts["passed"] == 0


def test_comparison_on_the_threshold_is_unstable_after_twenty_rounds() -> None:
    """An interval on both sides stays undecided, with all its rounds."""
    judged = simulated("normal", 3)
    assert (judged.verdict, len(judged.comparison.ratios)) == ("unstable", LOOKS[-1])
    message = judged.message("bridge, 800 bytes")
    assert message.startswith("bridge, 800 bytes - throughput - expected at least 1 of the bare path's - seen ")
    assert message.endswith(" - unstable")
    assert "20 rounds; an effect of" in message


def test_path_and_reference_run_as_often_as_needed() -> None:
    """A clear difference takes 6 rounds, a figure on the threshold 20; rounds done before are not run again."""
    for speed, done, expected in ((0.4, 0, 6), (1.0, 0, 20), (1.0, 12, 8), (0.4, 12, 0)):
        noise, ran = SHAPES["normal"](random.Random(7)), Counter[str]()

        def run(name: str, speed: float = speed, noise: Iterator[float] = noise, ran: Counter[str] = ran) -> float:
            ran[name] += 1
            return {"bare": 1.0, "path": speed}[name] * math.exp(next(noise))

        more = in_rounds(run, "path", "bare", "seed")
        before = more(0, done) if done else ((), ())
        ran.clear()
        measure(more, SAME, *before)
        assert (ran["path"], ran["bare"]) == (expected, expected)


@given(st.integers(0, 1000), st.integers(2, 6), st.sampled_from([(0, 6), (6, 12), (12, 20)]))
def test_orders_are_balanced_and_repeatable(seed: int, paths: int, stage: tuple[int, int]) -> None:
    """Each round has every path once, each order comes as often as its reverse, and a seed gives the same again."""
    names = tuple("abcdef"[:paths])
    drawn = rounds(names, str(seed), *stage)
    assert len(drawn) == stage[1] - stage[0]
    assert all(sorted(order) == list(names) for order in drawn)
    counted = Counter(drawn)
    assert all(counted[order] == counted[order[::-1]] for order in drawn)
    assert drawn == rounds(names, str(seed), *stage)
    assert len({tuple(rounds("ab", str(other))) for other in range(50)}) > 10


@given(FIGURES, st.data())
def test_ratio_does_not_depend_on_the_unit(figures: list[float], data: st.DataObject) -> None:
    """In bits or in bytes it is the same; against the other side it is the inverse; the median is in the interval."""
    others = data.draw(st.lists(st.floats(1e-3, 1e12), min_size=len(figures), max_size=len(figures)))
    one, scaled = compare(figures, others), compare([8 * x for x in figures], [8 * x for x in others])
    assert one.ratios == pytest.approx(scaled.ratios)
    inverse = compare(others, figures)
    assert (1 / one.median, 1 / one.high, 1 / one.low) == pytest.approx((inverse.median, inverse.low, inverse.high))
    assert one.low <= one.median <= one.high
    assert 0 <= one.smallest_effect <= 1


@pytest.mark.parametrize(
    ("low", "high", "threshold", "verdict"),
    [
        (0.9, 0.95, Threshold(0.8), "passed"),
        (0.7, 0.75, Threshold(0.8), "failed"),
        (0.7, 0.9, Threshold(0.8), "unstable"),
        (0.8, 0.9, Threshold(0.8), "unstable"),
        (1.1, 1.2, Threshold(1.5, "at most"), "passed"),
        (1.6, 1.7, Threshold(1.5, "at most"), "failed"),
        (1.4, 1.7, Threshold(1.5, "at most"), "unstable"),
    ],
)
def test_verdict_follows_the_interval(low: float, high: float, threshold: Threshold, verdict: str) -> None:
    """Wholly on the good side passes, wholly on the bad side fails, all else is unstable."""
    assert decide(Comparison((), (low + high) / 2, low, high), threshold) == verdict


@pytest.mark.parametrize(
    ("figures", "others"),
    [
        ([1.0] * 5, [1.0] * 5),
        ([1.0] * 6, [1.0] * 7),
        ([1.0] * 5 + [0.0], [1.0] * 6),
        ([1.0] * 6, [1.0] * 5 + [math.nan]),
        ([1.0] * 6, [1.0] * 5 + [math.inf]),
    ],
)
def test_figures_without_a_ratio_are_refused(figures: list[float], others: list[float]) -> None:
    """Too few rounds, and figures that are none, are the caller's mistake."""
    with pytest.raises(Misuse, match="ratios - expected"):
        compare(figures, others)


def test_signed_ranks_are_the_tables() -> None:
    """The distribution is that of the printed tables (Hollander, Wolfe, Chicken, table A.4)."""
    assert signed_rank_tail(5)[:3] == (1 / 32, 2 / 32, 3 / 32)
    assert signed_rank_tail(10)[8] == pytest.approx(0.0244, abs=5e-5)
    assert signed_rank_tail(20)[52] == pytest.approx(0.0242, abs=5e-5)
    assert all(signed_rank_tail(n)[-1] == 1 for n in range(1, 21))


def test_interval_is_that_of_the_averages() -> None:
    """Six values' widest interval is their range; a smaller error has none."""
    values = [3.0, 1.0, 4.0, 1.5, 9.0, 2.6]
    assert centre_interval(values, 2 / 64) == (1.0, 9.0)
    assert centre_interval(values, 4 / 64) == (1.25, 6.5)
    assert centre_interval(values, 0.01) is None
