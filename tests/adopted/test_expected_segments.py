"""Segments of an expectation are kept apart in their tunnels, too; nothing else of the fabric is declared."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reports.checks.shared import OWN_TUNNELS, TwoSegments
from reports.evidence import Finding

pytestmark = pytest.mark.isolation


@pytest.mark.check(OWN_TUNNELS)
def test_segments_have_tunnels_of_their_own(two_segments: TwoSegments, judged: Callable[..., Finding]) -> None:
    """Frames of two segments never come to a VTEP in one tunnel under one number."""
    assert judged(two_segments)
