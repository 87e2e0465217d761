"""Links and tunnel ends, which every overlay needs."""

from __future__ import annotations

import pytest

from fixtures.underlay import Underlay
from reports.checks.underlay import Ends

pytestmark = [pytest.mark.underlay, pytest.mark.overlay]


def test_link_carries_packets_both_ways(link_ends: Ends, underlay: Underlay, request: pytest.FixtureRequest) -> None:
    """The two ends of a link reach each other over it."""
    trip = underlay.trip(link_ends, request.node)
    assert trip.out == trip.out.expected
    assert trip.back == trip.back.expected


def test_tunnel_ends_reach_each_other(tunnel_ends: Ends, underlay: Underlay, request: pytest.FixtureRequest) -> None:
    """The underlay carries packets between the two ends of a tunnel, along the declared path."""
    trip = underlay.trip(tunnel_ends, request.node)
    assert trip.out == trip.out.expected
    assert trip.back == trip.back.expected
