"""Runs and traces for tests of what is said of them."""

from __future__ import annotations

from collections.abc import Mapping

from reports.perf.funcgraph import CallStats, Distribution, FuncGraph
from reports.perf.functions import Recording
from reports.perf.iperf import Throughput, Volume

NOISE = (1.0, 1.01, 0.99, 1.005, 0.995, 1.0)


def run(mbits: float, size: int = 800, lost: float = 0.0) -> Throughput:
    """A UDP run of a second that received so much, after a part was lost."""
    received = round(mbits * 1e6 / 8 / size) * size
    sent = round(received / (1 - lost) / size) * size
    ours = Volume(1.0, sent, 8.0 * sent, sent // size)
    theirs = Volume(1.0, received, 8.0 * received, sent // size, jitter_ms=0.004)
    return Throughput("udp", "iperf 3.12", size, ours, theirs, (ours,), 60.0, 30.0, "{}")


def stream(mbits: float) -> Throughput:
    """A TCP run of a second."""
    volume = Volume(1.0, round(mbits * 1e6 / 8), mbits * 1e6, retransmits=3)
    return Throughput("tcp", "iperf 3.12", 131072, volume, volume, (), 60.0, 30.0, "{}")


def stats(ns: float, calls: int = 200) -> CallStats:
    """So many calls, all of which take the same time."""
    whole = int(ns)
    each = Distribution(calls, whole, whole, whole, whole, whole * calls)
    return CallStats(calls, each, each)


def recording(times: Mapping[str, float], pid_filter: Mapping[str, int] | None = None) -> Recording:
    """A recording of 200 datagrams, in which each function ran once for each and took so many nanoseconds."""
    functions = {name: stats(ns) for name, ns in times.items()}
    groups = {(name, "eth0"): found for name, found in functions.items()}
    graph = FuncGraph(functions, groups, {}, 1, 0, ())
    return Recording(graph, 200, Distribution(500, 900, 900, 900, 900, 450_000), pid_filter or {})
