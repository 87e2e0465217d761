"""Waiting for a condition with a deadline; one factor stretches all deadlines."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

from topology.errors import DeadlineExceeded

T = TypeVar("T")

_factor = 2.0 if os.environ.get("KSFT_MACHINE_SLOW", "no") not in ("", "no", "0") else 1.0


def set_slow_factor(factor: float) -> None:
    """Multiply all later deadlines (``--slow-factor``; 2 at the start where ``KSFT_MACHINE_SLOW=yes``)."""
    global _factor
    _factor = factor


def scaled(seconds: float) -> float:
    """Return a deadline in seconds, multiplied by the slow factor."""
    return seconds * _factor


def wait_for(condition: Callable[[], T | None], timeout_s: float, what: str, pause_s: float = 0.01) -> T:
    """Poll the condition until its result is true, and return that result.

    Raises DeadlineExceeded, which names ``what``, after ``timeout_s`` seconds times the slow factor.
    """
    deadline = time.monotonic() + scaled(timeout_s)
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() >= deadline:
            raise DeadlineExceeded(f"{what} - expected within {scaled(timeout_s):g} s - seen nothing")
        time.sleep(pause_s)


def wait_steady(read: Callable[[], T], timeout_s: float, what: str, pause_s: float) -> T:
    """Read again and again, and return the first reading that equals the one before it; raises as ``wait_for``."""
    readings: list[T] = []

    def steady() -> bool:
        readings[:] = [*readings[-1:], read()]
        return len(readings) == 2 and readings[0] == readings[1]

    wait_for(steady, timeout_s, what, pause_s)
    return readings[-1]
