"""Two faults at once, neither of which hides the other, are both named."""

from __future__ import annotations

import os

import pytest

from fixtures.faults import Case, case_pairs, unnamed
from fixtures.instruments.faults.inject import inject
from fixtures.instruments.live import LiveFabric
from fixtures.session import run_key

pytestmark = pytest.mark.faults

COUNT = int(os.environ.get("HOPCHECK_FAULT_PAIRS", "3"))
"""Pairs that are drawn; the same ones first in every run on a lab."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each pair that is drawn."""
    pairs = case_pairs(metafunc.config.stash[run_key].lab, COUNT)
    metafunc.parametrize("two", pairs, ids=[f"{one}+{other}" for one, other in pairs])


def test_both_faults_are_named(two: tuple[Case, Case], pristine: LiveFabric) -> None:
    """Each of two faults is the right kind of cause at its node, of a broken promise or of the state."""
    for case in two:
        inject(pristine, case.fault, case.change)
    assert [str(case) for case in unnamed(two, pristine)] == []
