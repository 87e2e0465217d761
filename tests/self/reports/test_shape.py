"""A figure's dependence on a size is reported with an interval, and a claim is answered only where that allows."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.perf.shape import claim_holds, rank_correlation, scaling, slope
from topology.errors import Misuse

SIZES = (64, 128, 200, 256, 400, 512, 800, 1024, 1400, 1600, 3200, 6400, 16000, 65507)
SHORT = (200, 400, 800, 1600)
XS = st.lists(st.floats(1, 1e6), min_size=4, max_size=30)


def swept(sizes: tuple[int, ...], rate: dict[int, float], seed: int, runs: int = 6) -> tuple[list[float], list[float]]:
    """Sizes and rates of several runs each, with noise."""
    chance = random.Random(seed)
    points = [(float(size), rate[size] * math.exp(chance.gauss(0, 0.03))) for size in sizes for _ in range(runs)]
    return [size for size, _ in points], [measured for _, measured in points]


@pytest.mark.parametrize("steepness", [0.0, 0.5, 1.0])
def test_slope_is_found(steepness: float) -> None:
    """In 98 of 100 sweeps the true slope is in the interval, which is narrow."""
    hits = 0
    for seed in range(100):
        found = slope(*swept(SHORT, {size: size**steepness for size in SHORT}, seed))
        hits += found.low <= steepness <= found.high
        assert found.high - found.low < 0.15
    assert hits >= 97


def test_straight_line_has_no_bend() -> None:
    """If one line fits all sizes, no size is named, in 99 of 100 sweeps."""
    for sizes in (SIZES, SHORT):
        named = sum(
            scaling(*swept(sizes, {s: s**0.9 for s in sizes}, seed)).linear_until is not None for seed in range(50)
        )
        assert named <= 1


@pytest.mark.parametrize(("sizes", "bend"), [(SIZES, 1400), (SIZES, 400), (SHORT, 800)])
def test_bend_is_found_where_it_is(sizes: tuple[int, ...], bend: int) -> None:
    """A rate that grows with the size up to a point and hardly beyond has that point and both slopes."""
    rate = {size: min(size, bend) * max(1.0, size / bend) ** 0.1 for size in sizes}
    for seed in range(10):
        found = scaling(*swept(sizes, rate, seed))
        assert found.linear_until == bend
        assert found.beyond
        assert found.before.value == pytest.approx(1, abs=0.1)
        assert found.beyond.value == pytest.approx(0.1, abs=0.1)


@pytest.mark.parametrize("truth", [0.0, 0.95])
def test_rank_correlation_is_found(truth: float) -> None:
    """The interval holds the true correlation of ranks in 97 of 100 samples at least, also near 1."""
    spearman = 6 / math.pi * math.asin(truth / 2)
    hits = 0
    for seed in range(200):
        chance = random.Random(seed)
        xs = [chance.gauss(0, 1) for _ in range(24)]
        ys = [truth * x + math.sqrt(1 - truth**2) * chance.gauss(0, 1) for x in xs]
        found = rank_correlation(xs, ys)
        assert -1 <= found.low <= found.value <= found.high <= 1
        hits += found.low <= spearman <= found.high
    assert hits >= 0.97 * 200


def test_rank_correlation_sees_order_only() -> None:
    """Any growing function of the size gives 1, any falling one -1, one that does not vary 0; ties are shared."""
    xs = [float(size) for size in SIZES]
    assert rank_correlation(xs, [x**3 for x in xs]).value == pytest.approx(1)
    assert rank_correlation(xs, [-math.log(x) for x in xs]).value == pytest.approx(-1)
    assert rank_correlation(xs, [5.0] * len(xs)).value == 0
    assert rank_correlation([1, 1, 2, 2], [1, 2, 3, 4]).value == pytest.approx(0.8944, abs=1e-4)


@given(XS, st.data())
def test_estimates_lie_in_their_intervals(xs: list[float], data: st.DataObject) -> None:
    """A rank correlation is also between -1 and 1, and symmetric."""
    ys = data.draw(st.lists(st.floats(1, 1e6), min_size=len(xs), max_size=len(xs)))
    found, turned = rank_correlation(xs, ys), rank_correlation(ys, xs)
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert found.value == pytest.approx(turned.value)
    if len({math.log(x) for x in xs}) > 1:
        steepness = slope(xs, ys)
        assert steepness.low <= steepness.value <= steepness.high


@pytest.mark.parametrize(
    ("low", "high", "answer"),
    [
        (1.9, 2.1, "supported"),
        (1.5, 1.7, "contradicted"),
        (2.3, 9.0, "contradicted"),
        (1.7, 1.9, "not decidable"),
    ],
)
def test_claim_is_answered_by_its_interval(low: float, high: float, answer: str) -> None:
    """Twice, give or take a tenth: within is supported, outside contradicted, across not decidable."""
    assert claim_holds(2.0, 0.1, low, high) == answer


def test_what_cannot_be_answered_is_refused() -> None:
    """Too few points, one size only and figures without a logarithm are mistakes."""
    with pytest.raises(Misuse, match="points - expected"):
        slope([1, 2, 3], [1, 2, 3])
    with pytest.raises(Misuse, match="points - expected"):
        rank_correlation([1, 2, 3, 4], [1, 2, 3])
    with pytest.raises(Misuse, match="at least two sizes"):
        slope([1, 1, 1, 1], [1, 2, 3, 4])
    with pytest.raises(Misuse, match="above 0"):
        slope([1, 2, 3, 4], [1, 2, 3, 0])
