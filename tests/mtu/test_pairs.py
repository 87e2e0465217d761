"""Declared sizes cross between every declared pair, in every lab."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reports.checks.mtu import PairMtu
from reports.checks.payloads import Exchange

pytestmark = pytest.mark.mtu


def test_largest_whole_packet_is_the_computed_one(sizes: PairMtu) -> None:
    """The largest packet that crosses unfragmented is what MTUs and tunnel headers leave, in both directions."""
    assert sizes.whole_as_computed


def test_every_size_that_customers_may_send_crosses_whole(sizes: PairMtu) -> None:
    """Packets up to the customers' MTU cross unfragmented, with DF and without, in both directions."""
    assert sizes.promise_kept


def test_larger_packets_meet_only_what_is_allowed(sizes: PairMtu) -> None:
    """Packets with DF above the customers' MTU are fragmented, answered by ICMP or lost only as the lab allows."""
    assert sizes.above_as_allowed


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_payloads_of_many_sizes_arrive_byte_for_byte(
    protocol: str, sizes: PairMtu, payloads: Callable[[str], Exchange]
) -> None:
    """Application messages of any size, in packets up to the customers' MTU, arrive and come back unchanged."""
    assert payloads(protocol).unchanged(sizes)
