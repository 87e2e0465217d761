"""The fabric is closed: nothing in it leads out, and nothing of it is on this machine's own interfaces."""

from __future__ import annotations

import pytest

from fixtures.instruments.live import LiveFabric
from fixtures.isolation import IsolationBook

pytestmark = pytest.mark.isolation


def test_node_has_nothing_that_leads_out(node: str, fabric: LiveFabric, isolation_book: IsolationBook) -> None:
    """A node has no device, address, rule or route that is not declared, and no resolver but its own loopback."""
    assert fabric.differences(node) == ()
    assert isolation_book.surroundings(node)


def test_packet_to_the_outside_ends_inside(node: str, isolation_book: IsolationBook) -> None:
    """A packet to an address outside the fabric ends at the last router of its declared way, unanswered."""
    assert isolation_book.outwards(node)


def test_kernel_has_no_device_beside_the_fabric(isolation_book: IsolationBook) -> None:
    """The network namespace from which the fabric was built has no device that leads anywhere."""
    assert isolation_book.home()


def test_machine_sees_nothing_of_the_fabric(isolation_book: IsolationBook) -> None:
    """While every node sends to the outside, none of it appears on this machine's own interfaces."""
    assert isolation_book.machine()
