"""VTEPs refuse forged packets, whatever is declared: nothing of the fabric need be."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reports.checks.forgery import REFUSED
from reports.evidence import Finding

pytestmark = pytest.mark.isolation


@pytest.mark.check(REFUSED)
def test_forged_packet_brings_no_frame_to_any_node(judged: Callable[..., Finding]) -> None:
    """A VTEP that takes a packet like its peer's own takes none under a number that no device has, or of odd flags."""
    assert judged()
