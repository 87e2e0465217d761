"""What counts as one leaf, and as a way beside a tunnel, by what was seen of a row's packets."""

from __future__ import annotations

import pytest

from fixtures.instruments.grading.rows import bare_way, behind_leaf
from reports.evidence import Journey
from tests.self.builders import expect, journey, known_lab, later, seen_path, sighting
from topology.model import Fabric


def seen(fabric: Fabric, source: str, target: str) -> Journey:
    """A packet seen at every hop, as declared."""
    expected = expect(fabric, source, target)
    return journey(expected, seen_path(fabric, expected.paths[0]))


@pytest.mark.parametrize(
    ("lab", "ends", "routers", "local"),
    [
        ("two-tenants", ("red1", "red2"), {"l1", "l2", "s1"}, True),
        ("two-tenants", ("red1", "red3"), {"l1", "l2", "s1"}, False),
        ("two-tenants", ("red1", "red2"), {"s1"}, False),  # a bridge that hangs on nothing, as an engine's network
        ("ece792", ("cs3", "cs4"), {"lc2"}, True),  # their bridge hangs on the leaf
        ("ece792", ("cs3", "cs4"), {"lc1"}, False),
    ],
)
def test_one_leaf_is_a_router_or_a_bridge_that_hangs_on_one(
    lab: str, ends: tuple[str, str], routers: set[str], local: bool
) -> None:
    fabric = known_lab(lab)
    assert behind_leaf(fabric, routers, seen(fabric, *ends)) == local


@pytest.mark.parametrize("name", ["two-tenants", "ece792", "gre-l3"])
def test_what_goes_through_tunnels_alone_has_no_other_way(name: str) -> None:
    fabric = known_lab(name)
    found = [bare_way(fabric, seen(fabric, p.source, p.target)) for p in fabric.pairs if "overlay" in p.kind]
    assert found
    assert set(found) == {""}


def test_copy_without_the_tunnel_is_a_way_beside_it() -> None:
    fabric = known_lab("two-tenants")
    expected = expect(fabric, "red1", "red3")
    path = seen_path(fabric, expected.paths[0])
    bare = expected.paths[0].hops[0].layers
    copies = [
        sighting(fabric, one.node, one.interface, one.direction, bare, number)
        for number, one in enumerate(path)
        if "vxlan" in one.layers
    ]
    way = bare_way(fabric, journey(expected, [*path, *(later(one, 1) for one in copies)]))
    assert "l1:l1_s1 -> s1:s1_l1 s1:s1_l2 -> l2:l2_s1" in way
