"""The search for the highest rate at a stated loss."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from reports.perf.rates import RESOLUTION, TRIALS_MAX, RateFound, Trial, next_rate, rate_found


def searched(loss_of: Callable[[float], float], start: float, *losses: float) -> list[Trial]:
    """The trials of a whole search on a network that loses as given."""
    trials: list[Trial] = []
    while (rate := next_rate(trials, start, *losses)) is not None:
        trials.append(Trial(rate, loss_of(rate)))
    assert len(trials) <= TRIALS_MAX * len(losses)
    return trials


def test_path_without_loss_needs_one_trial() -> None:
    """An unlimited rate without loss is the answer, noted as the highest offered."""
    found = rate_found(searched(lambda _: 0.0, 1e9, 0.0), 0.0)
    assert (found.passed, found.over, found.trials) == (1e9, None, 1)
    assert str(found) == "1000.0 Mbit/s with at most 0 % lost, the highest that was offered"


def test_path_that_always_loses_has_no_rate() -> None:
    """The search gives up at a small part of the unlimited rate, and says so."""
    found = rate_found(searched(lambda _: 0.5, 1e9, 0.001), 0.001)
    assert found.passed is None
    assert str(found).startswith("no rate with at most 0.1 % lost: ")


def test_rate_states_both_bounds() -> None:
    """The rate that passed and the one that did not are named; one that passed above a loss does not count."""
    found = rate_found([Trial(5e8, 0.1), Trial(6e8, 0.0), Trial(4e8, 0.0)], 0.0)
    assert found == RateFound(0.0, 4e8, 5e8, 3, 6e8)
    assert str(found) == "400.0 Mbit/s with at most 0 % lost, 500.0 lost more, though 600.0 passed once"


ALONE = {
    0.0: [(800, 0.31), (400, 0.12), (200, 0.004), (100, 0), (150, 0), (175, 0), (187.5, 0)],
    0.001: [(800, 0.28), (400, 0.15), (200, 0.02), (100, 0), (150, 0.009), (125, 0.003), (112.5, 0), (118.75, 0)],
}
"""Two searches on one busy path, in Mbit/s: each by itself found a rate, the one with more allowed the lower."""


def test_more_allowed_loss_never_means_a_lower_rate() -> None:
    """Recorded searches contradict each other; from all their trials together the rates come out in order."""
    trials = {loss: [Trial(rate * 1e6, lost) for rate, lost in each] for loss, each in ALONE.items()}
    assert [rate_found(trials[loss], loss).passed for loss in ALONE] == [187.5e6, 118.75e6]
    none, some = (rate_found([*trials[0.0], *trials[0.001]], loss) for loss in ALONE)
    assert (none.passed, some.passed) == (118.75e6, 118.75e6)
    assert str(some) == "118.8 Mbit/s with at most 0.1 % lost, 125.0 lost more, though 187.5 passed once"


@given(st.lists(st.sampled_from([0.0, 0.0, 0.0005, 0.001, 0.002, 0.5]), min_size=60, max_size=60))
def test_rates_rise_with_the_allowed_loss_under_any_noise(losses: list[float]) -> None:
    """Under any losses the searches end, and the rates are in the order of the allowed losses."""
    noise, allowed = iter(losses), (0.0, 0.001, 0.01)
    trials = searched(lambda _: next(noise), 1e9, *allowed)
    found = [rate_found(trials, loss_max).passed or 0.0 for loss_max in allowed]
    assert all(less <= more for less, more in pairwise(found))


@given(st.floats(0.05, 0.99), st.floats(0.05, 0.99))
def test_capacity_is_found_to_the_resolution(first: float, second: float) -> None:
    """On a steady path each rate is found, with fewer trials than searches of their own take."""
    none, some = sorted((first * 1e9, second * 1e9))

    def loss_of(rate: float) -> float:
        return 0.0 if rate <= none else 0.0005 if rate <= some else 0.01

    trials = searched(loss_of, 1e9, 0.0, 0.001)
    for capacity, loss_max in ((none, 0.0), (some, 0.001)):
        found = rate_found(trials, loss_max)
        assert found.passed is not None
        assert found.over is not None
        assert found.passed <= capacity <= found.over <= found.passed / (1 - RESOLUTION)
        assert found.beyond is None
    assert len(trials) < sum(len(searched(loss_of, 1e9, loss_max)) for loss_max in (0.0, 0.001))
