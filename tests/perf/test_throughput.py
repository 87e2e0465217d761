"""How much each path carries, against the bare path of the same kernel in the same run."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from fixtures.instruments.bench import TCP_BLOCK, Cell
from fixtures.perf import PerfBook
from reports.perf.answers import over_sizes, rates_table
from reports.perf.compare import Judged, Threshold
from reports.render.measurements import Measurement
from topology.model import Fabric
from topology.paths import BARE, MAKERS, mtu_of

pytestmark = pytest.mark.perf
PATHS = [name for name in MAKERS if name != BARE]
LOSSES = (0.0, 0.001)
"""What RFC 2544 calls throughput, and a part in a thousand."""


@pytest.mark.parametrize("path", MAKERS)
def test_path_is_what_its_name_says(path: str, perf: PerfBook) -> None:
    """What is measured goes through exactly the tunnels of its name, hop by hop."""
    assert perf.stage_of(path if path != BARE else PATHS[0]).trip(path).as_declared


@pytest.mark.parametrize("path", PATHS)
def test_udp_carries_its_share(
    path: str,
    perf: PerfBook,
    thresholds: Callable[[str, str, int], Threshold | None],
    show: Callable[[Measurement], None],
) -> None:
    """At every size datagrams arrive, and as large a part of the bare path's rate as the lab asks for."""
    stage = perf.stage_of(path)
    runs = perf.udp(stage)
    verdicts: dict[int, Judged] = {}
    for size in perf.sizes:
        if (threshold := thresholds(path, "udp", size)) is not None:
            cell = Cell(stage.name, path, "udp", size)
            verdicts[size] = perf.judge(cell, runs[path, size], runs[BARE, size], threshold)
        each = {name: runs[name, size] for name in (BARE, path)}
        judged = {path: verdicts[size]} if size in verdicts else {}
        show(rates_table(f"{path}, UDP, {size} bytes of payload, kernel {stage.name}", each, BARE, judged))
    for size, one in verdicts.items():
        assert one.holds(f"{path}, {size} bytes")


@pytest.mark.parametrize("path", PATHS)
def test_tcp_carries_its_share(
    path: str,
    perf: PerfBook,
    thresholds: Callable[[str, str, int], Threshold | None],
    show: Callable[[Measurement], None],
) -> None:
    """A stream arrives, and as large a part of the bare path's rate as the lab asks for."""
    stage = perf.stage_of(path)
    runs = perf.tcp(stage)
    judged: dict[str, Judged] = {}
    if (threshold := thresholds(path, "tcp", TCP_BLOCK)) is not None:
        judged[path] = perf.judge(Cell(stage.name, path, "tcp", TCP_BLOCK), runs[path], runs[BARE], threshold)
    show(rates_table(f"{path}, TCP, kernel {stage.name}", {name: runs[name] for name in (BARE, path)}, BARE, judged))
    for one in judged.values():
        assert one.holds(path)


@pytest.mark.parametrize("path", MAKERS)
def test_throughput_over_size_is_explained(path: str, perf: PerfBook, show: Callable[[Measurement], None]) -> None:
    """How the rate grows with the payload, where that changes, and whether twice the size is twice the throughput."""
    stage = perf.stage_of(path if path != BARE else PATHS[0])
    by_size = {size: perf.udp(stage)[path, size] for size in perf.sizes}
    found = over_sizes(f"{path} over sizes, kernel {stage.name}", by_size, mtu_of(path))
    show(found)
    assert found.words


@pytest.mark.parametrize("path", MAKERS)
def test_highest_rate_without_loss_is_found(path: str, perf: PerfBook, show: Callable[[Measurement], None]) -> None:
    """Some rate passes with nothing lost, and one at least as high with a part in a thousand (RFC 2544)."""
    if path == BARE:
        perf.stage_of(PATHS[0])
    found = {loss: perf.highest_rate(path, loss) for loss in LOSSES}
    rows = tuple((f"{loss * 100:g} %", str(one), str(one.trials)) for loss, one in found.items())
    show(Measurement(f"{path}: highest rate, {perf.size} bytes", ("loss at most", "rate", "trials"), rows))
    assert all(one.passed is not None for one in found.values())


def test_report_states_iperf3s_own_figures(perf: PerfBook) -> None:
    """Rates, bytes and datagrams are those of iperf3's own JSON, digit by digit."""
    runs = [run for each in perf.udp(perf.stage_of(PATHS[0])).values() for run in each]
    assert runs
    for run in runs:
        said = json.loads(run.client)["end"]
        assert run.received.bits_per_second == said["sum_received"]["bits_per_second"]
        assert run.received.bytes == said["sum_received"]["bytes"]
        assert run.sent.bits_per_second == said["sum_sent"]["bits_per_second"]
        assert run.sent_datagrams == said["sum_sent"]["packets"]


def test_lab_asks_only_for_known_paths(lab: Fabric) -> None:
    """Every threshold of the lab is one of a path that is measured."""
    assert {wanted.path for wanted in lab.throughput} <= set(PATHS)
