"""Virtual machines against containers, and as customers of a fabric against its own."""

from __future__ import annotations

import pytest

from fixtures.perf import PerfBook, Show
from reports.perf.answers import vm_against
from topology.model import Fabric

pytestmark = pytest.mark.perf


def test_virtual_machines_and_containers_are_compared(perf: PerfBook, show: Show) -> None:
    """Both carry datagrams of every size, and the difference is told with its interval and its reason."""
    found = vm_against("container", perf.vm_and_container, perf.doubts())
    show(found)
    assert len(found.rows) == len(perf.sizes)


def test_virtual_machines_are_customers_of_a_fabric(perf: PerfBook, lab: Fabric, show: Show) -> None:
    """A packet between them goes through the fabric as declared, hop by hop; then datagrams of every size are sent."""
    name, trip, by_size = perf.customers(lab)
    assert trip.as_declared
    show(vm_against("namespace", by_size, perf.doubts(), f", as customers of {name}"))
