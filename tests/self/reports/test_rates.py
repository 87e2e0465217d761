"""The search for the highest rate at a stated loss."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.perf.rates import RESOLUTION, TRIALS_MAX, RateFound, Trial, next_rate, rate_found


def searched(loss_of: Callable[[float], float], start: float, loss_max: float) -> tuple[RateFound, list[Trial]]:
    """The whole search on a network that loses as told."""
    trials: list[Trial] = []
    while (rate := next_rate(trials, start, loss_max)) is not None:
        trials.append(Trial(rate, loss_of(rate)))
    return rate_found(trials, loss_max), trials


@given(st.floats(0.05, 0.99), st.sampled_from([0.0, 0.001]))
def test_capacity_is_found_to_the_resolution(capacity: float, loss_max: float) -> None:
    """Above the capacity everything too much is lost, below it nothing: the rate found is next to it."""
    found, trials = searched(lambda rate: max(0.0, 1 - capacity * 1e9 / rate), 1e9, loss_max)
    assert found.passed is not None
    assert found.over is not None
    assert found.passed <= capacity * 1e9 / (1 - loss_max) <= found.over
    assert found.over - found.passed <= RESOLUTION * found.over
    assert len(trials) == found.trials <= TRIALS_MAX


def test_what_never_loses_needs_one_trial() -> None:
    """Where the unlimited rate passes, that is the answer, and it is said that nothing higher was offered."""
    found, trials = searched(lambda _: 0.0, 1e9, 0.0)
    assert (found.passed, found.over, len(trials)) == (1e9, None, 1)
    assert str(found) == "1000.0 Mbit/s with at most 0 % lost, the highest that was offered"


def test_what_always_loses_has_no_rate() -> None:
    """The search gives up at a small part of the unlimited rate, and says so."""
    found, trials = searched(lambda _: 0.5, 1e9, 0.001)
    assert found.passed is None
    assert len(trials) <= TRIALS_MAX
    assert str(found).startswith("no rate with at most 0.1 % lost: ")


def test_contradicting_trials_do_not_raise_the_rate() -> None:
    """A rate that passed above one that lost was luck: it does not count."""
    found = rate_found([Trial(100.0, 0.1), Trial(200.0, 0.0), Trial(50.0, 0.0)], 0.0)
    assert (found.passed, found.over) == (50.0, 100.0)


@given(st.lists(st.floats(0, 1), min_size=TRIALS_MAX, max_size=TRIALS_MAX))
def test_search_ends_whatever_is_lost(losses: list[float]) -> None:
    """Noise makes it end later, never not at all."""
    left = iter(losses)
    _, trials = searched(lambda _: next(left), 1e9, 0.001)
    assert len(trials) <= TRIALS_MAX


@pytest.mark.parametrize("loss_max", [0.0, 0.001])
def test_rate_states_both_bounds(loss_max: float) -> None:
    """What is reported names the rate that passed and the one that did not."""
    text = str(RateFound(loss_max, 4e8, 5e8, 7))
    assert text == f"400.0 Mbit/s with at most {loss_max * 100:g} % lost, 500.0 lost more"
