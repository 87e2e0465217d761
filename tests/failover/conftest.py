"""The fixtures of the failover suite."""

from fixtures.failover import befallen, failover_book

__all__ = ["befallen", "failover_book"]
