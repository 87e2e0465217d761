"""Each pair of an expectation keeps its promises; nothing else of the fabric is declared."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reports.checks.seen import SeenTrip
from topology.errors import NotProven
from topology.promises import Pair

pytestmark = pytest.mark.overlay


def test_expected_pair_reaches_each_other(expected_pair: Pair, spotted: Callable[..., SeenTrip]) -> None:
    """The source reaches the target and gets its answer."""
    assert spotted(expected_pair).arrived


@pytest.mark.parametrize("protocol", ["icmp", "udp"])
def test_expected_pair_is_carried_as_its_kind(
    expected_pair: Pair, protocol: str, spotted: Callable[..., SeenTrip]
) -> None:
    """Request and answer look at every interface as the pair's kind and its tunnel say."""
    if not (arrived := spotted(expected_pair).arrived):
        raise NotProven(f"it does not arrive: {arrived.message.splitlines()[0]}")
    pair = expected_pair
    assert spotted(pair, protocol).carried_as(pair.kind, pair.within, may_be_local=bool(pair.segment))
