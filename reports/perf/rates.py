"""The highest rate at which no more than a stated part is lost, searched by halving (RFC 2544, section 26.1). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

RESOLUTION = 0.05
"""The search ends when the bounds are this near, as a part of the upper one."""
TRIALS_MAX = 12
LEAST = 1 / 64
"""Of the rate that the search starts from: below that nothing is looked for."""


@dataclass(frozen=True)
class Trial:
    """One rate that was offered, in bits per second of payload, and the part of the datagrams that was lost."""

    offered: float
    loss: float


@dataclass(frozen=True)
class RateFound:
    """The highest rate that was seen to pass with at most ``loss_max``; None where every one lost more.

    ``over`` is the lowest rate above it that lost more, None where none was seen to.
    """

    loss_max: float
    passed: float | None
    over: float | None
    trials: int

    def __str__(self) -> str:
        loss = f"at most {self.loss_max * 100:g} % lost"
        if self.passed is None:
            return f"no rate with {loss}: {(self.over or 0) / 1e6:.1f} Mbit/s lost more"
        above = f", {self.over / 1e6:.1f} lost more" if self.over is not None else ", the highest that was offered"
        return f"{self.passed / 1e6:.1f} Mbit/s with {loss}{above}"


def next_rate(trials: Sequence[Trial], start: float, loss_max: float) -> float | None:
    """What to offer next; None when the search is over.

    The first is ``start``, the rate that is sent without a limit. A rate that passes raises the lower bound, one that
    loses more the upper; a later trial that contradicts an earlier, as under noise, narrows all the same.
    """
    found = rate_found(trials, loss_max)
    if not trials:
        return start
    if len(trials) >= TRIALS_MAX or found.over is None:
        return None
    low = found.passed or 0.0
    if found.over - low <= RESOLUTION * found.over or found.over <= LEAST * start:
        return None
    return (low + found.over) / 2


def rate_found(trials: Sequence[Trial], loss_max: float) -> RateFound:
    """What the trials so far say; a rate that passed counts only below every one that lost more."""
    over = min((trial.offered for trial in trials if trial.loss > loss_max), default=None)
    passed = [t.offered for t in trials if t.loss <= loss_max and (over is None or t.offered < over)]
    return RateFound(loss_max, max(passed, default=None), over, len(trials))
