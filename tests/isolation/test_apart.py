"""Segments that are promised to be apart are isolated from each other; only their hosts need be declared."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reports.checks.apart import APART
from reports.evidence import Finding
from topology.promises import Separation

pytestmark = pytest.mark.isolation


@pytest.mark.check(APART)
def test_segments_apart_never_hear_each_other(separation: Separation, judged: Callable[..., Finding]) -> None:
    """Nothing that a host of one segment sends, unicast or broadcast, is seen at a host of the other."""
    assert judged(separation)
