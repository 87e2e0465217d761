"""Fixtures that run the whole suite, for the tests here."""

from tests.lifecycle.kit.fixtures import common, own_cache, start_suite, suite, typed

__all__ = ["common", "own_cache", "start_suite", "suite", "typed"]
