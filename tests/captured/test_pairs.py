"""Each pair is found in captures of other tools, carried as promised; what they do not show is not established."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reports.checks.captured import judge_captured
from reports.checks.seen import SeenTrip
from topology.errors import NotApplicable
from topology.promises import Pair

pytestmark = pytest.mark.overlay


def test_captured_pair_reaches_each_other(captured_pair: Pair, captured: Callable[..., SeenTrip]) -> None:
    """A packet of the source is seen at the target, and one of the target at the source."""
    assert captured(captured_pair).arrived


@pytest.mark.parametrize("protocol", ["icmp", "udp"])
def test_captured_pair_is_carried_as_its_kind(
    captured_pair: Pair, protocol: str, captured: Callable[..., SeenTrip | None]
) -> None:
    """Packets both ways look as the pair's kind and its tunnel say wherever they were captured."""
    if (trip := captured(captured_pair, protocol)) is None:
        raise NotApplicable(f"the captures hold no {protocol.upper()} packets of this pair")
    assert judge_captured(trip, captured_pair)
