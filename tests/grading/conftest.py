"""Machines for submissions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fixtures.instruments.grading.machine import StudentMachine
from tests.grading.kit import restored


@pytest.fixture
def machine() -> Iterator[StudentMachine]:
    """A fresh machine without a container engine."""
    with restored(has_engine=False) as found:
        yield found


@pytest.fixture
def engine_machine() -> Iterator[StudentMachine]:
    """A fresh machine with its container engine up."""
    with restored(has_engine=True) as found:
        yield found
