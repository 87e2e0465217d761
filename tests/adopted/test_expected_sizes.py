"""Sizes cross between the ends of an expectation's pairs; nothing else of the fabric is declared."""

from __future__ import annotations

import pytest

from reports.checks.mtu import PairMtu

pytestmark = pytest.mark.mtu


def test_no_size_vanishes_between_an_expected_pair(expected_sizes: PairMtu) -> None:
    """Up to the promised MTU packets cross whole; above it, up to the sender's own, they meet only what is allowed.

    Without a promise that is to arrive or to be answered by ICMP.
    """
    assert expected_sizes.promise_kept
    assert expected_sizes.above_as_allowed
