"""What the size of a datagram changes in the kernel's functions: tables, ranks and claims. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from reports.perf.compare import compare
from reports.perf.durations import Distribution
from reports.perf.funcgraph import FuncGraph
from reports.perf.shape import Estimate, claim_holds, rank_correlation
from reports.render.measurements import Measurement
from topology.errors import Misuse

HALF, TOLERANCE = 0.5, 0.15
"""The reference report's claim of ip_rcv from 400 to 800 bytes, and by how much "half" may be off: a part of it."""
CLAIMED, CLAIMED_SIZES = "ip_rcv", (400, 800)
FRAGMENTING = "ip_do_fragment"


@dataclass(frozen=True)
class Recording:
    """One recording: its calls, how many datagrams were sent, what an empty function took, a filter's counts."""

    graph: FuncGraph
    datagrams: int
    empty: Distribution | None
    pid_filter: Mapping[str, int]


Recordings = Mapping[int, Sequence[Recording]]


@dataclass(frozen=True)
class Effect:
    """How a function's cost depends on the size: rank correlation of its time per packet and per byte with it."""

    name: str
    per_packet: Estimate
    per_byte: Estimate
    median_ns: Mapping[int, float]


def functions_table(title: str, found: Recordings, missing: Sequence[str]) -> Measurement:
    """Every function at every size: calls for each datagram, and percentiles of its own time."""
    rows = [row for name in _names(found) for row in _rows(name, found)]
    words = [_empty_words(found), _pid_words(found), _fragment_words(found)]
    if missing:
        words.append(f"This kernel has no function {', '.join(missing)}.")
    head = ("function", "payload bytes", "calls per datagram", "own p50 ns", "p90", "p99", "max", "total p50 ns")
    return Measurement(title, head, tuple(rows), tuple(words))


def _names(found: Recordings) -> list[str]:
    """All functions but the empty one, which only shows what tracing takes."""
    graphs = [run.graph for runs in found.values() for run in runs]
    names = {name for graph in graphs for name, stats in graph.functions.items() if stats.calls}
    return sorted(name for name in names if not is_empty(name))


def is_empty(name: str) -> bool:
    """Whether this is the function that shows what tracing itself takes: getpid(2), under any of its names."""
    return name.endswith("sys_getpid")


def _rows(name: str, found: Recordings) -> Iterator[tuple[str, ...]]:
    for size, runs in found.items():
        stats = [run.graph.functions[name] for run in runs if name in run.graph.functions]
        if not stats:
            continue
        calls = sum(one.calls for one in stats) / sum(run.datagrams for run in runs)
        own = [one.own for one in stats]
        yield (
            name,
            str(size),
            f"{calls:.2f}",
            *(f"{statistics.median(values):.0f}" for values in zip(*(_percentiles(one) for one in own), strict=True)),
            f"{max(one.max_ns for one in own)}",
            f"{statistics.median(one.total.p50_ns for one in stats):.0f}",
        )


def _percentiles(own: Distribution) -> tuple[float, float, float]:
    return own.p50_ns, own.p90_ns, own.p99_ns


def _empty_words(found: Recordings) -> str:
    costs = [run.empty.p50_ns for runs in found.values() for run in runs if run.empty is not None]
    if not costs:
        return "What tracing itself takes is not known: the kernel has no empty function that could be traced."
    cost = statistics.median(costs)
    return (
        f"A function that does nothing takes {cost:.0f} ns under the same tracer: times of that order are the tracer's,"
        " and nothing is subtracted."
    )


def _pid_words(found: Recordings) -> str:
    every = [run for runs in found.values() for run in runs]
    calls = sum(run.graph.functions[CLAIMED].calls for run in every if CLAIMED in run.graph.functions)
    counted = sum(run.pid_filter.get(CLAIMED, 0) for run in every)
    return (
        f"Of {calls} calls of {CLAIMED}, a pid filter on the sender (set_ftrace_pid) would have counted {counted}:"
        " packets are received in whoever's context the softirq runs."
    )


def _fragment_words(found: Recordings) -> str:
    split = [size for size, runs in found.items() if any(FRAGMENTING in run.graph.functions for run in runs)]
    if not split:
        return f"{FRAGMENTING} runs at no size: every datagram fits into one packet."
    return f"{FRAGMENTING} runs from {min(split)} bytes of payload: from there on datagrams are sent in fragments."


def effects(found: Recordings) -> list[Effect]:
    """The functions that run at every size, those first whose time for a packet the size changes most."""
    out = []
    for name in _names(found):
        points = [
            (size, run.graph.functions[name].own.p50_ns)
            for size, runs in found.items()
            for run in runs
            if name in run.graph.functions and run.graph.functions[name].calls
        ]
        if {size for size, _ in points} != set(found):
            continue
        sizes, costs = [size for size, _ in points], [cost for _, cost in points]
        medians = {size: statistics.median(cost for at, cost in points if at == size) for size in found}
        try:
            per_packet = rank_correlation(sizes, costs)
            per_byte = rank_correlation(sizes, [cost / size for size, cost in points])
        except Misuse:
            continue
        out.append(Effect(name, per_packet, per_byte, medians))
    return sorted(out, key=lambda effect: -abs(effect.per_packet.value))


def ranking_table(title: str, found: Recordings) -> Measurement:
    """The functions by how much the size changes their cost, and the reference report's claim."""
    ranked = effects(found)
    rows = tuple(
        (
            effect.name,
            str(effect.per_packet),
            str(effect.per_byte),
            ", ".join(f"{size}: {ns:.0f}" for size, ns in effect.median_ns.items()),
        )
        for effect in ranked
    )
    sure = [effect.name for effect in ranked if effect.per_packet.low > 0]
    words = [
        f"With the size grows the time per packet of {', '.join(sure)}."
        if sure
        else "Of no function is it proven that its time per packet grows with the size."
    ]
    if falls := [effect.name for effect in ranked if effect.per_packet.high < 0]:
        words.append(f"With the size falls the time per packet of {', '.join(falls)}.")
    words += _claim_words(found)
    head = ("function", "rank correlation of own time with size", "of own time per byte", "own p50 ns by size")
    return Measurement(title, head, rows, tuple(words))


def _claim_words(found: Recordings) -> list[str]:
    """The claim that ip_rcv takes half as long at 800 bytes as at 400."""
    small, large = (found.get(size, ()) for size in CLAIMED_SIZES)
    figures = [_claimed_times(runs) for runs in (small, large)]
    if not small or len(figures[0]) != len(figures[1]):
        return []
    try:
        ratio = compare(figures[1], figures[0])
    except Misuse as error:
        return [f'"{CLAIMED} takes half as long at 800 bytes as at 400": not decidable; {error}.']
    holds = claim_holds(HALF, TOLERANCE, ratio.low, ratio.high)
    return [f'"{CLAIMED} takes half as long at 800 bytes as at 400": {holds}; it takes {ratio} times as long.']


def _claimed_times(runs: Sequence[Recording]) -> list[float]:
    return [run.graph.functions[CLAIMED].total.p50_ns for run in runs if CLAIMED in run.graph.functions]
