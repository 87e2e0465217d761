"""Declared sizes cross between every declared pair, in every lab."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reports.checks.mtu import PairMtu
from reports.checks.payloads import Exchange

pytestmark = pytest.mark.mtu


def test_largest_whole_packet_is_the_computed_one(sizes: PairMtu) -> None:
    """The largest packet that crosses without a fragment is what MTUs and tunnel headers leave, both ways."""
    assert sizes.whole_as_computed


def test_every_size_that_customers_may_send_crosses_whole(sizes: PairMtu) -> None:
    """Packets up to the customers' MTU cross in one piece, with DF and without, both ways."""
    assert sizes.promise_kept


def test_larger_packets_meet_only_what_is_allowed(sizes: PairMtu) -> None:
    """Packets with DF above the customers' MTU are split, answered with ICMP or lost only where the lab allows it."""
    assert sizes.above_as_allowed


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_payloads_of_many_sizes_arrive_byte_for_byte(
    protocol: str, sizes: PairMtu, payloads: Callable[[str], Exchange]
) -> None:
    """Within the customers' MTU, what an application sends comes there and back unchanged, whatever its size."""
    assert payloads(protocol).unchanged(sizes)
