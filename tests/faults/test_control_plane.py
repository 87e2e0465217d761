"""Faults of routing daemons, each on a copy of its own: caught by promises, named first, undone exactly."""

from __future__ import annotations

import pytest

from fixtures.faults import Case, cases, tried_on_daemons
from fixtures.instruments.faults.inject import inject, undo
from fixtures.instruments.live import LiveFabric
from fixtures.session import run_key
from fixtures.verdicts import evidence_of
from topology.nodes.registry import ADOPTED, converge

pytestmark = pytest.mark.faults


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each fault that fits a lab with daemons, or of those drawn."""
    lab = metafunc.config.stash[run_key].lab
    metafunc.parametrize("case", cases(lab) if lab.has_daemons else (), ids=str)


def test_daemons_fault_is_caught_and_its_node_named_first(
    case: Case, pristine: LiveFabric, request: pytest.FixtureRequest
) -> None:
    """A promise is broken, the first cause is the fault's, and nothing of the fault is left.

    By promises alone, where no daemon is asked, the node is right wherever one is named: a fault that takes nothing
    from packets is not seen there.
    """
    built = pristine.built
    assert built is not None
    alone = LiveFabric(pristine.declared, built.kernel, ADOPTED, active=True)
    before = built.as_found
    inject(built, case.fault, case.change)
    pristine.wait_steady()
    found = tried_on_daemons(case, pristine, alone)
    evidence_of(request.node).faults.append(found)
    undo(built, case.change)
    converge(built.declared, built.kernel, "netns")
    pristine.wait_steady()
    assert built.changed_since(before) == ()
    assert found.declared.caught, f"{case} - expected a broken promise - seen none"
    assert (found.declared.node, found.declared.rank) == ("right", 1), found.declared.said
    by_promises = found.undeclared
    assert by_promises is not None
    assert by_promises.caught or case.fault.changes == "state", f"{case} - expected a lost pair by promises alone"
    assert by_promises.node != "wrong", by_promises.said
