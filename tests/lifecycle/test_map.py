"""The map that journeys draw is the fabric that is declared, as far as it carries anything."""

from __future__ import annotations

import pytest

from fixtures.instruments.live import LiveFabric
from fixtures.instruments.spot import Spotter
from reports.judge.map import declared_links

pytestmark = pytest.mark.lifecycle


def test_map_shows_the_declared_links_that_carry_traffic(fabric: LiveFabric) -> None:
    """Probes between all nodes are seen to cross exactly the declared links that such probes must cross."""
    drawn = Spotter(fabric).survey()
    must, may = declared_links(fabric.declared)
    assert must <= drawn.links <= may
    assert {frozenset(link.ends) for link in fabric.declared.links} >= drawn.links
    assert drawn.links
