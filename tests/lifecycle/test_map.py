"""The map that journeys draw is the fabric that is declared, as far as it carries anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest

from fixtures.instruments.live import LiveFabric
from fixtures.instruments.spot import Spotter
from reports.judge.map import pairs_to_probe
from topology.expected import ExpectedHop, expected_journey, probe_between
from topology.model import Fabric
from topology.refs import PortRef

pytestmark = pytest.mark.lifecycle


def declared_links(fabric: Fabric) -> tuple[frozenset[frozenset[PortRef]], frozenset[frozenset[PortRef]]]:
    """The links that a map of a declared fabric must show, and those that it may show, by its expected journeys.

    A probe with several legal paths takes one of them; one that does not arrive may be lost before any link.
    """
    must: set[frozenset[PortRef]] = set()
    may: set[frozenset[PortRef]] = set()
    for a, b in pairs_to_probe(fabric.nodes)[0]:
        out, back = (
            expected_journey(fabric, probe_between(fabric, *ends)) for ends in ((a.name, b.name), (b.name, a.name))
        )
        for journey, sure in ((out, not out.dropped), (back, not (out.dropped or back.dropped))):
            found = [frozenset(_links_of(path.hops)) for path in journey.paths]
            may |= frozenset().union(*found)
            if sure and found:
                must |= frozenset.intersection(*found)
    return frozenset(must), frozenset(may)


def _links_of(hops: Sequence[ExpectedHop]) -> Iterator[frozenset[PortRef]]:
    for out, into in pairwise(hops):
        if (out.direction, into.direction) == ("out", "in") and out.node != into.node:
            yield frozenset((out.ref, into.ref))


def test_map_shows_the_declared_links_that_carry_traffic(fabric: LiveFabric) -> None:
    """Probes between all nodes are seen to cross exactly the declared links that such probes must cross."""
    drawn = Spotter(fabric).survey()
    must, may = declared_links(fabric.declared)
    assert must <= drawn.links <= may
    assert {frozenset(link.ends) for link in fabric.declared.links} >= drawn.links
    assert drawn.links
