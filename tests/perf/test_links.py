"""The fabric's own links, each against the others between nodes of the same roles."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reports.checks.trains import DELAY, LOSS, RATE
from reports.checks.underlay import Ends
from reports.evidence import Finding

pytestmark = pytest.mark.perf


@pytest.mark.check(LOSS)
def test_link_loses_nothing(measured_link: Ends, judged: Callable[..., Finding]) -> None:
    """Of at least 1 000 packets in each direction none is lost."""
    assert judged(measured_link)


@pytest.mark.check(DELAY)
def test_link_delays_no_packet(measured_link: Ends, judged: Callable[..., Finding]) -> None:
    """Packets take at most three times as long as on the other links."""
    assert judged(measured_link)


@pytest.mark.check(RATE)
def test_link_is_as_fast_as_others(measured_link: Ends, judged: Callable[..., Finding]) -> None:
    """The fragments of a large packet arrive at least a third as fast as on the other links."""
    assert judged(measured_link)
