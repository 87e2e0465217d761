"""How many random samples a test of hopcheck draws: few at each change, more of the same every night."""

from __future__ import annotations

import os

MORE = int(os.environ.get("HOPCHECK_SAMPLES", "1"))


def draws(count: int) -> int:
    """That many at each change, HOPCHECK_SAMPLES times as many otherwise."""
    return count * MORE
