"""The outer headers of tunnels carry the declared TTL."""

from __future__ import annotations

import pytest

from reports.checks.outer_ttl import KINDS, judge_outer_ttl
from reports.judge.trip import Trip

pytestmark = pytest.mark.overlay


@pytest.mark.kinds(*KINDS)
def test_outer_header_has_the_ttl_that_the_lab_says(arrived: Trip) -> None:
    """Every tunnel's outer header starts with the declared TTL, and each router on its path lowers it by one."""
    assert judge_outer_ttl(arrived)
