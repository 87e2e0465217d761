"""The cost of an event for each of many flows between two hosts: a dead spine, a dark one, a killed daemon."""

from __future__ import annotations

import pytest

from fixtures.failover import Survived
from topology.promises import Survival

pytestmark = pytest.mark.failover


def test_event_costs_no_flow_more_than_promised(event: Survival, survived: Survived) -> None:
    """During and after the event no flow loses, duplicates or reorders more datagrams, or is without service for
    longer, than the lab promises; without a promise the figures are shown.
    """
    assert survived(event)
