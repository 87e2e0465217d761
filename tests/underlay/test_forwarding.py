"""The forwarding state that is read from the nodes carries each pair as the declaration does."""

from __future__ import annotations

import pytest

from fixtures.instruments.live import LiveFabric
from topology.errors import NotProven
from topology.expected import expected_journey, probes_of
from topology.promises import Pair

pytestmark = [pytest.mark.underlay]


def test_live_forwarding_state_carries_a_pair_as_declared(pair: Pair, fabric: LiveFabric) -> None:
    """The routes, devices and forwarding entries of the nodes lead each packet of a pair on its declared way."""
    if different := [name for name in fabric.names if fabric.differences(name)]:
        raise NotProven(f"{different[0]} is not as declared")
    live = fabric.forwarding()
    for probe in probes_of(fabric.declared, pair):
        assert expected_journey(live, probe) == expected_journey(fabric.declared, probe)
