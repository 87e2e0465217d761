"""Measures the kernel's functions for datagrams of each size, in the kernel that forwards them."""

from __future__ import annotations

import pytest

from fixtures.perf import TRACED, PerfBook, Show
from reports.perf.functions import effects, functions_table
from topology.paths import BARE

pytestmark = pytest.mark.perf
ON_THE_WAY = {
    BARE: {"udp_sendmsg", "ip_rcv", "ip_local_deliver", "udp_rcv"},
    "vxlan-in-gre": {"udp_sendmsg", "vxlan_xmit", "ip_tunnel_xmit", "gre_rcv", "vxlan_rcv", "ip_rcv", "udp_rcv"},
}
"""What must run at every size, or the wrong thing was traced."""


@pytest.mark.parametrize("path", TRACED)
def test_functions_are_measured_at_every_size(path: str, perf: PerfBook, show: Show) -> None:
    """Every function on the path is counted for each datagram, with the time that it takes itself."""
    found, missing = perf.functions(path)
    title = f"kernel functions, {path}, kernel {perf.tracing_stage.name}"
    show(functions_table(title, found, missing))
    for runs in found.values():
        for run in runs:
            plain = {name.split(" [")[0]: stats.calls for name, stats in run.graph.functions.items()}
            assert {name for name in ON_THE_WAY[path] if plain.get(name, 0) < run.datagrams} == set()


@pytest.mark.parametrize("path", TRACED)
def test_functions_are_ranked_by_what_size_costs(path: str, perf: PerfBook, show: Show) -> None:
    """Functions are ranked by how their time depends on size, with an interval, and ip_rcv is judged at 800 bytes."""
    show(perf.ranking(path))
    found, _ = perf.functions(path)
    assert {effect.name.split(" [")[0] for effect in effects(found)} >= ON_THE_WAY[path]
