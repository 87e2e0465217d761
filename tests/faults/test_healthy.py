"""No false alarm: nothing is said of copies on which nothing is wrong, also while the machine is busy."""

from __future__ import annotations

import os
from contextlib import ExitStack

import pytest

from fixtures.faults import alarms
from fixtures.instruments.faults import FAULTS, Ground
from fixtures.instruments.faults.inject import inject
from fixtures.instruments.live import LiveFabric
from tests.lifecycle.kit.load import load

pytestmark = [pytest.mark.faults, pytest.mark.soak]

COPIES = int(os.environ.get("HOPCHECK_HEALTHY", "5"))
"""Healthy copies that are judged, every other one beside load."""


@pytest.mark.parametrize("copy", range(COPIES))
def test_healthy_copy_passes(copy: int, pristine: LiveFabric, undeclared: LiveFabric) -> None:
    """Of a restored copy no promise is broken, none errored, no state differs; with the declaration and without it."""
    with load() if copy % 2 else ExitStack():
        assert list(alarms(pristine, undeclared)) == []


def test_fault_is_an_alarm(pristine: LiveFabric, undeclared: LiveFabric) -> None:
    """The same questions say something of a copy with a fault."""
    fault = FAULTS["route-missing"]
    inject(pristine, fault, next(iter(fault.at(Ground(pristine.declared)).values())))
    assert next(alarms(pristine, undeclared), None)
