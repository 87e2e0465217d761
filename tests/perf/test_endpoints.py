"""Virtual machines against containers, and what everything was measured on."""

from __future__ import annotations

import pytest

from fixtures.perf import PerfBook, Show
from reports.perf.answers import environment_table, vm_against_container

pytestmark = pytest.mark.perf


def test_virtual_machines_and_containers_are_compared(perf: PerfBook, show: Show) -> None:
    """Both carry datagrams of every size, and the difference is told with its interval and its reason."""
    found = vm_against_container(perf.vm_and_container, perf.doubts())
    show(found)
    assert len(found.rows) == len(perf.sizes)


def test_environment_is_told(perf: PerfBook, show: Show) -> None:
    """Kernel, accelerator, clock, load and stolen time of everything measured, and what speaks against the figures."""
    perf.stage_of("bridge")
    found = environment_table(perf.environments())
    show(found)
    assert found.rows
