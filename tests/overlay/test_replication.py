"""VTEPs with several remotes: broadcast frames go to each of them, without multicast."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reports.checks.replication import REPLICATED
from reports.evidence import Finding
from topology.model import Vxlan

pytestmark = pytest.mark.overlay


@pytest.mark.check(REPLICATED)
def test_frame_to_all_goes_to_each_remote_once(replicating_vtep: Vxlan, judged: Callable[..., Finding]) -> None:
    """A station's broadcast leaves its VTEP as exactly one VXLAN packet for each remote, and no other."""
    assert judged(replicating_vtep)
