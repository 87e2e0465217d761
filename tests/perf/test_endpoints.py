"""Virtual machines against containers."""

from __future__ import annotations

import pytest

from fixtures.perf import PerfBook, Show
from reports.perf.answers import vm_against_container

pytestmark = pytest.mark.perf


def test_virtual_machines_and_containers_are_compared(perf: PerfBook, show: Show) -> None:
    """Both carry datagrams of every size, and the difference is told with its interval and its reason."""
    found = vm_against_container(perf.vm_and_container, perf.doubts())
    show(found)
    assert len(found.rows) == len(perf.sizes)
