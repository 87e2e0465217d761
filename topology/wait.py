"""The one place that waits: for a condition, with a deadline, under one factor that stretches all deadlines."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

from topology.errors import DeadlineExceeded

T = TypeVar("T")

_factor = 2.0 if os.environ.get("KSFT_MACHINE_SLOW", "no") not in ("", "no", "0") else 1.0


def set_slow_factor(factor: float) -> None:
    """Stretch every deadline from now on (``--slow-factor``; ``KSFT_MACHINE_SLOW=yes`` starts with 2)."""
    global _factor
    _factor = factor


def scaled(seconds: float) -> float:
    """A deadline's length in seconds on this machine."""
    return seconds * _factor


def wait_for(condition: Callable[[], T | None], timeout_s: float, what: str, pause_s: float = 0.01) -> T:
    """Ask until the condition gives something true and return it.

    Raises DeadlineExceeded, naming ``what`` was awaited, after ``timeout_s`` (unscaled) seconds.
    """
    deadline = time.monotonic() + scaled(timeout_s)
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() >= deadline:
            raise DeadlineExceeded(f"{what} - expected within {scaled(timeout_s):g} s - seen nothing")
        time.sleep(pause_s)
