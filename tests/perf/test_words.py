"""What everything was measured on, and what the run has found, in one paragraph."""

from __future__ import annotations

import pytest

from fixtures.perf import PerfBook, Show
from reports.perf.answers import environment_table, in_words
from topology.errors import NotApplicable

pytestmark = pytest.mark.perf


def test_environment_is_told(perf: PerfBook, show: Show) -> None:
    """Kernel, accelerator, clock, load and stolen time of everything measured, and what speaks against the figures."""
    perf.stage_of("bridge")
    found = environment_table(perf.environments())
    show(found)
    assert found.rows


def test_findings_are_put_into_words(perf: PerfBook, show: Show) -> None:
    """This run's answers about virtual machines, sizes and the kernel's functions."""
    if not (found := in_words(perf.shown)).words:
        raise NotApplicable("nothing was measured before")
    show(found)
    assert all(sentence.endswith(".") for sentence in found.words)
