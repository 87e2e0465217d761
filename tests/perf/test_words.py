"""The environment of the measurements, and a summary of the findings in one paragraph."""

from __future__ import annotations

import pytest

from fixtures.perf import PerfBook, Show
from reports.perf.environment import environment_table

pytestmark = pytest.mark.perf


def test_environment_is_described(perf: PerfBook, show: Show) -> None:
    """The table lists kernel, accelerator, clock, load and stolen time, and the reasons to doubt the figures."""
    perf.stage_of("bridge")
    found = environment_table(perf.environments())
    show(found)
    assert found.rows


def test_findings_are_put_into_words(perf: PerfBook, show: Show) -> None:
    """One paragraph summarises this machine's findings about virtual machines, sizes and kernel functions."""
    found = perf.summary()
    show(found)
    assert found.words
    assert all(sentence.endswith(".") for sentence in found.words)
