"""The kill matrix: each fault of the catalogue on a copy of its own, caught, its node named, and undone."""

from __future__ import annotations

import pytest

from fixtures.faults import Case, cases, tried
from fixtures.instruments.faults.inject import inject, undo
from fixtures.instruments.live import LiveFabric
from fixtures.session import run_key
from fixtures.verdicts import evidence_of

pytestmark = pytest.mark.faults


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each fault that fits the lab, or of those drawn; faults of daemons have tests of their own."""
    lab = metafunc.config.stash[run_key].lab
    metafunc.parametrize("case", () if lab.has_daemons else cases(lab), ids=str)


def test_fault_is_caught_and_its_node_named(
    case: Case, pristine: LiveFabric, undeclared: LiveFabric, request: pytest.FixtureRequest
) -> None:
    """A fault is caught, no other node is blamed than that of the fault, and what was done is undone exactly."""
    before = pristine.as_found
    inject(pristine, case.fault, case.change)
    found = tried(case, pristine, undeclared)
    evidence_of(request.node).faults.append(found)
    if not case.fault.restores:
        undo(pristine, case.change)
        assert pristine.changed_since(before) == ()
    assert found.declared.caught
    assert found.declared.node != "wrong", found.declared.said
