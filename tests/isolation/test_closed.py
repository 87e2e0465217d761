"""The fabric is closed: no route leads out, and none of its packets are at this machine's own interfaces."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fixtures.instruments.live import LiveFabric
from reports.checks.closed import HOME, MACHINE, OUTWARDS, SURROUNDINGS
from reports.evidence import Finding

pytestmark = pytest.mark.isolation


@pytest.mark.check(SURROUNDINGS)
def test_node_has_nothing_that_leads_out(node: str, fabric: LiveFabric, judged: Callable[..., Finding]) -> None:
    """A node has no device, address, rule or route that is not declared, and no resolver but its own loopback."""
    assert fabric.differences(node) == ()
    assert judged(node)


@pytest.mark.check(OUTWARDS)
def test_packet_to_the_outside_ends_inside(node: str, judged: Callable[..., Finding]) -> None:
    """A packet to an address outside the fabric ends at the last router of its declared path, unanswered."""
    assert judged(node)


@pytest.mark.check(HOME)
def test_kernel_has_no_device_beside_the_fabric(judged: Callable[..., Finding]) -> None:
    """The network namespace from which the fabric was built has no device that leads anywhere."""
    assert judged()


@pytest.mark.check(MACHINE)
def test_machine_sees_nothing_of_the_fabric(judged: Callable[..., Finding]) -> None:
    """While every node sends to outside addresses, none of the packets appear at this machine's own interfaces."""
    assert judged()
