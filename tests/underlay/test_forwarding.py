"""The forwarding state that is read from the nodes carries each pair as the declaration does."""

from __future__ import annotations

import pytest

from fixtures.instruments.live import LiveFabric
from topology.expected import expected_journey, probes_of
from topology.model import Fabric
from topology.promises import Pair

pytestmark = [pytest.mark.underlay]


def test_live_forwarding_state_carries_a_pair_as_declared(pair: Pair, fabric: LiveFabric, forwarding: Fabric) -> None:
    """The routes, devices and forwarding entries of the nodes lead each packet of a pair on its declared way."""
    for probe in probes_of(fabric.declared, pair):
        assert expected_journey(forwarding, probe) == expected_journey(fabric.declared, probe)
