"""Flows over equal-cost ways are seen as they are, also just after a tunnel has learned its remote."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from fixtures.instruments.flows import FlowProber
from fixtures.instruments.live import LiveFabric
from tests.lifecycle.kit.host_fabric import host_fabric
from topology.formats import load

pytestmark = pytest.mark.lifecycle
LEARNED = re.compile(r"^(\S+) dst (\S+) self *$", re.MULTILINE)
"""An entry that the VTEP has made by itself, as ``bridge fdb`` tells it: no "permanent" behind it."""
TIMES = 20


@pytest.fixture(scope="module")
def ecmp() -> Iterator[LiveFabric]:
    """VTEPs in the leaves over two spines, on the host kernel."""
    with host_fabric(load("ecmp-vtep-in-leaf")) as live:
        yield live


def test_flows_share_one_way_though_the_tunnel_has_just_learned_it(ecmp: LiveFabric) -> None:
    """A VTEP that has forgotten its remotes, and learns them from the first answer, puts all flows on one way."""
    prober = FlowProber(ecmp)
    prober.settle()
    ways, forgotten = [], 0
    for _ in range(TIMES):
        for mac, remote in LEARNED.findall(ecmp.run("lc1", "bridge", "fdb", "show", "dev", "vxlan100").stdout):
            forgotten += not ecmp.run("lc1", "bridge", "fdb", "del", mac, "dev", "vxlan100", "dst", remote, "self").code
        ways.append({flow.ways for flow in prober.flows("cs1", "cs2", count=16, packets=1)})
    assert forgotten >= TIMES // 2
    assert {len(seen) for seen in ways} == {1}, ways
