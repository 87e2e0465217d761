"""Drawn labs are what they are for: healthy, within their bounds, of all kinds, and the same for the same seed."""

from __future__ import annotations

from functools import cache

import pytest

from tests.self.drawn.file import Shared
from tests.self.drawn.labs import NODES_MAX, PAIRS_MAX, PARTS, drawn
from tests.self.drawn.underlay import KEYWORDS, SHAPES
from tests.self.topology.agreement import assert_floods_simulated, assert_simulated
from topology.expected import check_pairs
from topology.formats.lab import load_lab_text
from topology.limits import check_mtus
from topology.model import Fabric
from topology.mtu import check_device_mtus
from topology.plan import uses_ipv6

SEEDS = range(200)
TOGETHER = 3
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


@cache
def lab(seed: int) -> tuple[Shared, Fabric]:
    """A drawn lab, and the fabric that it declares."""
    shared = drawn(str(seed), 1 + seed % TOGETHER)
    checks = (check_pairs, check_device_mtus, check_mtus)
    return shared, load_lab_text(shared.text, f"drawn-{seed}.yaml", extra_checks=checks)


@pytest.mark.parametrize("seed", SEEDS)
def test_drawn_lab_is_accepted_and_within_its_bounds(seed: int) -> None:
    """No check of a lab file refuses it, and its pairs and nodes are within the bounds."""
    _, fabric = lab(seed)
    labs = 1 + seed % TOGETHER
    assert 1 <= len(fabric.pairs) <= PAIRS_MAX * labs
    assert len(fabric.nodes) <= NODES_MAX * labs


def test_every_part_is_drawn() -> None:
    """Two hundred seeds draw every shape, overlay, place of a VTEP and kind of pair, and most words of ip(8)."""
    found = [lab(seed) for seed in SEEDS]
    assert {part for shared, _ in found for part in shared.parts} >= EVERY_PART
    names = {name for _, fabric in found for d in fabric.devices for name in (d.node, d.name)}
    assert len(names & set(KEYWORDS)) > 0.9 * len(KEYWORDS)


def test_same_seed_draws_the_same_labs() -> None:
    """A seed repeats what it has drawn, and another draws something else."""
    assert drawn("a", 2).text == drawn("a", 2).text
    assert drawn("a", 2).text != drawn("b", 2).text


@pytest.mark.parametrize("seed", [seed for seed in SEEDS if not uses_ipv6(lab(seed)[1])])
def test_drawn_lab_is_simulated_as_expected(seed: int) -> None:
    """The model of forwarding and the simulated kernels agree on every hop of every pair, and on every flood."""
    _, fabric = lab(seed)
    assert_simulated(fabric, fabric.pairs)
    assert_floods_simulated(fabric)
