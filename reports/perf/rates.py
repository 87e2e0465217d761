"""The highest rates at which no more than stated parts are lost, searched by halving (RFC 2544, section 26.1). Pure.

The searches for several losses share their trials, and every rate is found from all of them: a rate that passes with
less lost passes with more lost too, so the rates never fall as the allowed loss rises, whatever the noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

RESOLUTION = 0.05
"""The search ends when the bounds are this near, as a part of the upper one."""
TRIALS_MAX = 12
"""For each allowed loss."""
LEAST = 1 / 64
"""Part of the rate that the search starts from below which it gives up."""


@dataclass(frozen=True)
class Trial:
    """One rate that was offered, in bits per second of payload, and the part of the datagrams that was lost."""

    offered: float
    loss: float


@dataclass(frozen=True)
class RateFound:
    """The highest rate that was seen to pass with at most ``loss_max``; None where every one lost more.

    ``over`` is the lowest rate that lost more, None where none was seen to; ``beyond`` the highest rate above ``over``
    that passed nevertheless: the path is not steady, or something else took its time.
    """

    loss_max: float
    passed: float | None
    over: float | None
    trials: int
    beyond: float | None = None

    def __str__(self) -> str:
        loss = f"at most {self.loss_max * 100:g} % lost"
        if self.passed is None:
            return f"no rate with {loss}: {(self.over or 0) / 1e6:.1f} Mbit/s lost more"
        above = f", {self.over / 1e6:.1f} lost more" if self.over is not None else ", the highest that was offered"
        unsteady = f", though {self.beyond / 1e6:.1f} passed once" if self.beyond is not None else ""
        return f"{self.passed / 1e6:.1f} Mbit/s with {loss}{above}{unsteady}"


def next_rate(trials: Sequence[Trial], start: float, *losses: float) -> float | None:
    """Return the next rate to offer in the searches for each allowed loss; None when all are over.

    The first is ``start``, the rate that is sent without a limit; the next ones halve the distance between the bounds.
    """
    if not trials:
        return start
    if len(trials) >= TRIALS_MAX * len(losses):
        return None
    for found in (rate_found(trials, loss_max) for loss_max in losses):
        low, over = found.passed or 0.0, found.over
        if over is not None and over - low > RESOLUTION * over and over > LEAST * start:
            return (low + over) / 2
    return None


def rate_found(trials: Sequence[Trial], loss_max: float) -> RateFound:
    """The result of the trials so far; a rate that passed counts only below every one that lost more."""
    over = min((trial.offered for trial in trials if trial.loss > loss_max), default=None)
    passed = [trial.offered for trial in trials if trial.loss <= loss_max]
    below = [rate for rate in passed if over is None or rate < over]
    beyond = [rate for rate in passed if over is not None and rate > over]
    return RateFound(loss_max, max(below, default=None), over, len(trials), max(beyond, default=None))
