"""Every declared pair keeps its promises, in every lab."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fixtures.instruments.live import LiveFabric
from reports.judge.trip import Trip
from topology.promises import Encapsulation, Pair

pytestmark = pytest.mark.overlay


def test_pair_reaches_each_other(trip: Trip) -> None:
    """The source reaches the target and gets its answer."""
    assert trip.arrived


def test_every_hop_shows_the_declared_stack(arrived: Trip) -> None:
    """Request and answer pass exactly the declared hops, with exactly the declared headers at each."""
    assert arrived.out == arrived.out.expected
    assert arrived.back == arrived.back.expected


def test_udp_takes_the_declared_way_too(pair: Pair, arrived: Trip, journey: Callable[..., Trip]) -> None:
    """A UDP datagram and its answer pass exactly the declared hops, with exactly the declared headers at each."""
    trip = journey(pair.source, pair.target, protocol="udp", src=pair.src, dst=pair.dst)
    assert trip.out == trip.out.expected
    assert trip.back == trip.back.expected


@pytest.mark.kinds("bridge", "l2-overlay")
def test_layer_2_leaves_the_ttl_alone(arrived: Trip) -> None:
    """On a bridge or a Layer 2 overlay the customer's TTL arrives as it was sent."""
    assert arrived.out.lowered_by == 0
    assert arrived.back.lowered_by == 0


@pytest.mark.kinds("routed", "l3-overlay", "hairpin")
def test_each_routed_hop_lowers_the_ttl_by_one(arrived: Trip) -> None:
    """The customer's TTL arrives lowered by exactly the declared number of routed hops."""
    assert arrived.out.lowered_by == arrived.out.declared_lowering > 0
    assert arrived.back.lowered_by == arrived.back.declared_lowering > 0


@pytest.mark.kinds("l2-overlay", "l3-overlay", "hairpin")
def test_overlay_is_never_bare_inside_its_tunnel(arrived: Trip, fabric: LiveFabric) -> None:
    """Between encapsulation and decapsulation an overlay's packet is encapsulated on every link of its declared
    path.
    """
    assert arrived.never_bare(on=fabric.declared.links)


def test_overlay_is_in_its_promised_tunnel(promised_tunnel: Encapsulation, arrived: Trip) -> None:
    """The innermost tunnel of an overlay's packet has the promised kind, VNI and key everywhere."""
    assert arrived.within(promised_tunnel)


@pytest.mark.kinds("l2-overlay", "l3-overlay", "hairpin")
def test_outer_addresses_are_the_declared_tunnel_ends(arrived: Trip, fabric: LiveFabric) -> None:
    """The addresses of every outer IP header are the two ends of a declared tunnel."""
    assert arrived.outer_ends <= fabric.tunnel_ends
    assert arrived.outer_ends


@pytest.mark.kinds("l2-overlay", "l3-overlay", "hairpin")
def test_nothing_of_the_tunnel_is_left_at_the_far_end(arrived: Trip) -> None:
    """The packet is fully decapsulated: the target receives the customer's own headers and payload."""
    assert arrived.out.bare_on_arrival
    assert arrived.back.bare_on_arrival


@pytest.mark.kinds("l2-overlay")
def test_layer_2_overlay_carries_the_frame_unchanged(arrived: Trip) -> None:
    """The frame that arrives is, byte for byte, the frame that was sent, MAC addresses included."""
    assert arrived.out.frame_unchanged
    assert arrived.back.frame_unchanged
