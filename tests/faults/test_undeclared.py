"""What is said of a fabric of which only pairs are declared."""

from __future__ import annotations

import pytest

from fixtures.instruments.live import LiveFabric
from fixtures.instruments.spot import Spotter

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("ece792")]


def test_a_missing_route_is_named_without_a_declaration(pristine: LiveFabric, undeclared: LiveFabric) -> None:
    """All pairs arrive in a whole fabric; without a leaf's route those that need it do not, and the leaf is named."""
    spotter = Spotter(undeclared, warm_up_s=0.5, arrival_s=1.0)
    pairs = {pair.kind: pair for pair in undeclared.pairs}
    assert all(spotter.pair(pair).arrived for pair in pairs.values())
    pristine.run("lc2", "ip", "route", "del", "21.0.0.0/24")
    lost = spotter.pair(pairs["l2-overlay"])
    assert not lost.arrived
    assert [(cause.node, cause.kind) for cause in lost.causes] == [("lc2", "route")]
