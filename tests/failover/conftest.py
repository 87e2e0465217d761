"""The fixtures of the failover suite."""

from fixtures.failover import failover_book, survived

__all__ = ["failover_book", "survived"]
