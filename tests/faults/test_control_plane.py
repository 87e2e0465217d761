"""Faults of routing daemons, each on a copy of its own: caught by pairs, named first, undone exactly."""

from __future__ import annotations

import pytest

from fixtures.faults import Case, cases
from fixtures.instruments.faults.inject import inject, undo
from fixtures.instruments.live import LiveFabric
from fixtures.instruments.spot import Spotter
from fixtures.session import run_key
from topology.nodes.registry import converge

pytestmark = pytest.mark.faults
WARM_UP_S, ARRIVAL_S = 0.5, 1.0


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each fault that fits a lab with daemons, or of those drawn."""
    lab = metafunc.config.stash[run_key].lab
    metafunc.parametrize("case", cases(lab) if lab.has_daemons else (), ids=str)


def test_daemons_fault_is_caught_and_its_node_named_first(case: Case, pristine: LiveFabric) -> None:
    """A pair of the fault's node is lost, the first cause is the fault's, and nothing of the fault is left."""
    built = pristine.built
    assert built is not None
    before = built.as_found
    inject(built, case.fault, case.change)
    pristine.wait_steady()
    found = Spotter(pristine, WARM_UP_S, ARRIVAL_S).pairs(pristine.pairs)
    lost = {pair: trip for pair, trip in found.items() if not trip.arrived}
    undo(built, case.change)
    converge(built.declared, built.kernel, "netns")
    pristine.wait_steady()
    assert built.changed_since(before) == ()
    assert lost, f"{case} - expected a lost pair - seen all {len(found)} arrive"
    first = [trip.causes[0] for trip in lost.values()]
    assert {cause.node for cause in first} <= case.change.nodes | case.change.peers, first
    assert {cause.kind for cause in first} <= case.fault.causes, first
