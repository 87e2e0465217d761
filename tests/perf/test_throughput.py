"""Each path's throughput against the bare path of the same kernel in the same run."""

from __future__ import annotations

import json

import pytest

from fixtures.instruments.bench import TCP_BLOCK, Cell
from fixtures.perf import PerfBook, Show, Thresholds
from reports.perf.answers import rates_table
from reports.perf.compare import Judged, Threshold
from reports.record.exhibits import Figures
from topology.model import Fabric
from topology.paths import BARE, PATHS

pytestmark = pytest.mark.perf
OTHERS = [name for name in PATHS if name != BARE]
LOSSES = (0.0, 0.001)
"""What RFC 2544 calls throughput, and a part in a thousand."""


@pytest.mark.parametrize("path", PATHS)
def test_path_is_what_its_name_says(path: str, perf: PerfBook) -> None:
    """A measured path passes exactly the tunnels of its name, hop by hop."""
    assert perf.stage_of(path).trip(path).as_declared


def judged(perf: PerfBook, cell: Cell, threshold: Threshold | None, title: str, show: Show) -> Judged | None:
    """Show a path's rates beside the bare path's, and judge its share where the lab asks for one."""
    runs = perf.runs(perf.stage_of(cell.path), cell.protocol)
    ours, bare = runs[cell.path, cell.size], runs[BARE, cell.size]
    found = perf.judge(cell, ours, bare, threshold) if threshold is not None else None
    show(rates_table(title, {BARE: bare, cell.path: ours}, BARE, {cell.path: found} if found else {}))
    return found


@pytest.mark.parametrize("path", OTHERS)
def test_udp_carries_its_share(path: str, perf: PerfBook, thresholds: Thresholds, show: Show) -> None:
    """At every size datagrams arrive, at the share of the bare path's rate that the lab requires, or more."""
    kernel = perf.stage_of(path).name
    verdicts = {}
    for size in perf.sizes:
        title = f"{path}, UDP, {size} bytes of payload, kernel {kernel}"
        cell = Cell(kernel, path, "udp", size)
        verdicts[size] = judged(perf, cell, thresholds(path, "udp", size), title, show)
    for size, one in verdicts.items():
        assert one is None or one.holds(f"{path}, {size} bytes")


@pytest.mark.parametrize("path", OTHERS)
def test_tcp_carries_its_share(path: str, perf: PerfBook, thresholds: Thresholds, show: Show) -> None:
    """A stream arrives, at the share of the bare path's rate that the lab requires, or more."""
    kernel = perf.stage_of(path).name
    cell = Cell(kernel, path, "tcp", TCP_BLOCK)
    one = judged(perf, cell, thresholds(path, "tcp", TCP_BLOCK), f"{path}, TCP, kernel {kernel}", show)
    assert one is None or one.holds(path)


@pytest.mark.parametrize("path", PATHS)
def test_throughput_over_size_is_explained(path: str, perf: PerfBook, show: Show) -> None:
    """The rate grows with the payload; its bend is explained, and doubling the size is judged."""
    found = perf.over_sizes(path)
    show(found)
    assert found.words


@pytest.mark.parametrize("path", PATHS)
def test_highest_rate_without_loss_is_found(path: str, perf: PerfBook, show: Show) -> None:
    """The highest rate without loss is found, and one at least as high with a loss of 0.1 % (RFC 2544)."""
    found = perf.highest_rates(path, LOSSES)
    rows = tuple((f"{one.loss_max * 100:g} %", str(one), str(one.trials)) for one in found)
    show(Figures.table(f"{path}: highest rate, {perf.size} bytes", ("loss at most", "rate", "trials"), rows))
    passed = [one.passed or 0.0 for one in found]
    assert 0 < passed[0] <= passed[1]


def test_report_states_iperf3s_own_figures(perf: PerfBook) -> None:
    """Rates, bytes and datagrams are exactly those of iperf3's own JSON."""
    runs = [run for each in perf.runs(perf.stage_of(OTHERS[0]), "udp").values() for run in each]
    assert runs
    for run in runs:
        said = json.loads(run.client)["end"]
        assert run.received.bits_per_second == said["sum_received"]["bits_per_second"]
        assert run.received.bytes == said["sum_received"]["bytes"]
        assert run.sent.bits_per_second == said["sum_sent"]["bits_per_second"]
        assert run.sent_datagrams == said["sum_sent"]["packets"]


def test_lab_asks_only_for_known_paths(lab: Fabric) -> None:
    """Every threshold of the lab is for a measured path."""
    assert {wanted.path for wanted in lab.throughput} <= set(OTHERS)
