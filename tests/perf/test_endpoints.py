"""Virtual machines against containers or namespaces, and as customers of a fabric against its own."""

from __future__ import annotations

import pytest

from fixtures.perf import PerfBook, Show
from reports.perf.answers import vm_against
from topology.model import Fabric

pytestmark = pytest.mark.perf


def test_virtual_machines_are_compared_with_nodes_of_one_kernel(perf: PerfBook, show: Show) -> None:
    """Both carry datagrams of every size, and the difference is shown with its interval and its reason.

    The nodes are containers or, without an engine on this machine, namespaces; the report says which.
    """
    found = perf.against_vms()
    show(found)
    assert len(found.rows) == len(perf.sizes)


def test_virtual_machines_are_customers_of_a_fabric(perf: PerfBook, lab: Fabric, show: Show) -> None:
    """A packet between virtual machines crosses the fabric as declared, hop by hop; then datagrams of every size are
    sent.
    """
    name, trip, by_size = perf.customers(lab)
    assert trip.as_declared
    show(vm_against("namespace", by_size, perf.doubts(), name))
