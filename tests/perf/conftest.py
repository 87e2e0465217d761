"""The fixtures of the measurements."""

from fixtures.perf import perf, show, thresholds

__all__ = ["perf", "show", "thresholds"]
