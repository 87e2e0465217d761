"""What the run has found, in one paragraph."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fixtures.perf import PerfBook
from reports.perf.answers import in_words
from reports.render.measurements import Measurement
from topology.errors import NotApplicable

pytestmark = pytest.mark.perf


def test_findings_are_put_into_words(perf: PerfBook, show: Callable[[Measurement], None]) -> None:
    """What this run's figures say of machines and containers, of sizes and of the kernel's functions."""
    if not (found := in_words(perf.shown)).words:
        raise NotApplicable("nothing was measured before")
    show(found)
    assert all(sentence.endswith(".") for sentence in found.words)
