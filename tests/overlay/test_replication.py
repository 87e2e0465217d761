"""VTEPs with several remotes: what is for all goes to each of them, and needs no multicast."""

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
