"""Drawn labs are what they are for: healthy, within their bounds, of all kinds, and the same for the same seed."""

from __future__ import annotations

import pytest

from tests.self.drawn.file import Shared
from tests.self.drawn.labs import NODES_MAX, PAIRS_MAX, PARTS, drawn
from tests.self.drawn.underlay import KEYWORDS, SHAPES
from tests.self.draws import draws
from tests.self.topology.agreement import assert_floods_simulated, assert_simulated
from topology.expected import check_pairs
from topology.formats.lab import load_lab_text
from topology.limits import check_mtus
from topology.mtu import check_device_mtus
from topology.plan import uses_ipv6

TOGETHER = 3
CHECKS = (check_pairs, check_device_mtus, check_mtus)
DEVICES = ("bridges", "vlan", "vxlan", "geneve", "gre")
EVERY_PART = {
    *PARTS,
    *(f"shape {shape}" for shapes in SHAPES.values() for shape in shapes),
    *(f"routers {roles}" for roles in SHAPES),
    *(f"kind {kind}" for kind in ("bridge", "routed", "l2-overlay", "l3-overlay", "hairpin")),
    *(f"underlay IPv{version}" for version in (4, 6)),
    *(f"gre IPv{inner} in IPv{outer}" for inner in (4, 6) for outer in (4, 6)),
    *(f"gre {word}" for word in ("key", "ttl", "tos")),
    *(f"vxlan {place}" for place in ("in the router", "behind", "in gre", "with 2", "with 3")),
    *(f"spread {how}" for how in ("one-way", "all-ways", "all-ways survives")),
    "overlap",
    "dual stack",
    "customer on a trunk",
}


def names(shared: Shared) -> set[str]:
    """Return what a file calls its nodes and devices."""
    ports = {port.partition(":")[2] for link in shared.links for port in link["endpoints"]}
    made = {name for node in shared.nodes.values() for kind in DEVICES for name in node[kind]}
    return {*shared.nodes, *ports, *made}


@pytest.mark.parametrize("seed", range(draws(20)))
def test_drawn_lab_is_healthy(seed: int) -> None:
    """A drawn lab is accepted, within its bounds, and simulated as expected: every hop of every pair, every flood."""
    labs = 1 + seed % TOGETHER
    fabric = load_lab_text(drawn(str(seed), labs).text, f"drawn-{seed}.yaml", extra_checks=CHECKS)
    assert 1 <= len(fabric.pairs) <= PAIRS_MAX * labs
    assert len(fabric.nodes) <= NODES_MAX * labs
    if not uses_ipv6(fabric):
        assert_simulated(fabric, fabric.pairs)
        assert_floods_simulated(fabric)


def test_every_part_is_drawn() -> None:
    """A hundred seeds draw every shape, overlay, place of a VTEP and kind of pair, and most words of ip(8)."""
    found = [drawn(str(seed), 1 + seed % TOGETHER) for seed in range(100)]
    assert {part for shared in found for part in shared.parts} >= EVERY_PART
    assert len(set(KEYWORDS) & {name for shared in found for name in names(shared)}) > 0.9 * len(KEYWORDS)


def test_same_seed_draws_the_same_labs() -> None:
    """A seed repeats what it has drawn, and another draws something else."""
    assert drawn("a", 2).text == drawn("a", 2).text
    assert drawn("a", 2).text != drawn("b", 2).text
