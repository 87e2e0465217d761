"""Cost of packets in the kernel's functions, by the size of a datagram and hop by hop: tables, ranks, claims. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from reports.evidence import Journey
from reports.perf.compare import compare
from reports.perf.funcgraph import PARTS, CallStats, Distribution, FuncGraph
from reports.perf.shape import Estimate, claim_holds, rank_correlation
from reports.record.exhibits import Figures, Plot, Series
from topology.errors import EvidenceIncomplete, Misuse

HALF, TOLERANCE = 0.5, 0.15
"""The reference report's claim of ip_rcv from 400 to 800 bytes, and by how much "half" may be off: a part of it."""
CLAIMED, CLAIMED_SIZES = "ip_rcv", (400, 800)
CLAIM = '"ip_rcv takes half as long at 800 bytes as at 400"'
FRAGMENTING = "ip_do_fragment"
FUNCTIONS_SHOWN = 5
"""For one hop: those that take most."""


@dataclass(frozen=True)
class Recording:
    """One recording: its calls, how many datagrams were sent, what an empty function took, a filter's counts."""

    graph: FuncGraph
    datagrams: int
    empty: Distribution | None
    pid_filter: Mapping[str, int]

    def of(self, name: str) -> CallStats | None:
        """A function's calls; None where it was not called."""
        found = self.graph.functions.get(name)
        return found if found and found.calls else None


Recordings = Mapping[int, Sequence[Recording]]


@dataclass(frozen=True)
class Effect:
    """Dependence of a function's cost on size: rank correlation of its time per packet and per byte with it."""

    name: str
    per_packet: Estimate
    per_byte: Estimate
    median_ns: Mapping[int, float]


def functions_table(title: str, found: Recordings, missing: Sequence[str]) -> Figures:
    """Every function at every size: calls for each datagram, and percentiles of its own time."""
    rows = [row for name in _names(found) for row in _rows(name, found)]
    words = [_empty_words(found), _pid_words(found), _fragment_words(found)]
    if missing:
        words.append(f"This kernel has no function {', '.join(missing)}.")
    head = ("function", "payload bytes", "calls per datagram", "own p50 ns", "p90", "p99", "max", "total p50 ns")
    return Figures.table(title, head, rows, words, plots=list(_plots(found)))


def _plots(found: Recordings) -> Iterator[Plot]:
    """The distributions of the own time of the functions that take most, a line for each size."""
    cost = {
        name: sum(one.own.sum_ns for runs in found.values() for run in runs if (one := run.of(name)))
        for name in _names(found)
    }
    for name in sorted(cost, key=lambda name: -cost[name])[:FUNCTIONS_SHOWN]:
        series = [_distribution(name, size, runs) for size, runs in found.items()]
        if known := [one for one in series if one.at]:
            yield Plot("steps", name, "own time, ns", "part of calls", known)


def _distribution(name: str, size: int, runs: Sequence[Recording]) -> Series:
    """The medians of several recordings' distributions."""
    each = [one.own.parts_ns for run in runs if (one := run.of(name)) and one.own.parts_ns]
    values = [float(statistics.median(column)) for column in zip(*each, strict=True)]
    return Series(f"{size} bytes", [*PARTS] if values else [], values)


def _names(found: Recordings) -> list[str]:
    """All functions but the empty one, which only shows what tracing takes."""
    every = {name for runs in found.values() for run in runs for name in run.graph.functions if run.of(name)}
    return sorted(name for name in every if not _is_empty(name))


def _is_empty(name: str) -> bool:
    """True for the function that shows what tracing itself takes: getpid(2), under any of its names."""
    return name.endswith("sys_getpid")


def _rows(name: str, found: Recordings) -> Iterator[tuple[str, ...]]:
    for size, runs in found.items():
        if stats := [one for run in runs if (one := run.of(name))]:
            calls = sum(one.calls for one in stats) / sum(run.datagrams for run in runs)
            own = [statistics.median(getattr(one.own, f"p{p}_ns") for one in stats) for p in (50, 90, 99)]
            most = max(one.own.max_ns for one in stats)
            total = statistics.median(one.total.p50_ns for one in stats)
            yield (name, str(size), f"{calls:.2f}", *(f"{ns:.0f}" for ns in own), str(most), f"{total:.0f}")


def _empty_words(found: Recordings) -> str:
    costs = [run.empty.p50_ns for runs in found.values() for run in runs if run.empty is not None]
    if not costs:
        return "What tracing itself takes is not known: the kernel has no empty function that could be traced."
    return (
        f"A function that does nothing takes {statistics.median(costs):.0f} ns under the same tracer: times of that"
        " order are the tracer's, and nothing is subtracted."
    )


def _pid_words(found: Recordings) -> str:
    every = [run for runs in found.values() for run in runs]
    calls = sum(stats.calls for run in every if (stats := run.of(CLAIMED)))
    counted = sum(run.pid_filter.get(CLAIMED, 0) for run in every)
    return (
        f"Of {calls} calls of {CLAIMED}, a pid filter on the sender (set_ftrace_pid) would have counted {counted}:"
        " packets are received in the context of whichever task the softirq interrupts."
    )


def _fragment_words(found: Recordings) -> str:
    split = [size for size, runs in found.items() if any(run.of(FRAGMENTING) for run in runs)]
    if not split:
        return f"{FRAGMENTING} runs at no size: every datagram fits into one packet."
    return f"{FRAGMENTING} runs from {min(split)} bytes of payload: from there on datagrams are sent in fragments."


def effects(found: Recordings) -> list[Effect]:
    """The functions that run at every size, those first whose time for a packet the size changes most."""
    out = []
    for name in _names(found):
        costs = {size: [one.own.p50_ns for run in runs if (one := run.of(name))] for size, runs in found.items()}
        points = [(size, cost) for size, each in costs.items() for cost in each]
        sizes = [size for size, _ in points]
        try:
            medians = {size: statistics.median(each) for size, each in costs.items()}
            per_packet = rank_correlation(sizes, [cost for _, cost in points])
            per_byte = rank_correlation(sizes, [cost / size for size, cost in points])
        except (Misuse, statistics.StatisticsError):
            continue
        out.append(Effect(name, per_packet, per_byte, medians))
    return sorted(out, key=lambda effect: -abs(effect.per_packet.value))


def ranking_table(title: str, found: Recordings) -> Figures:
    """The functions by how much the size changes their cost, and the reference report's claim."""
    ranked = effects(found)
    rows = []
    for effect in ranked:
        by_size = ", ".join(f"{size}: {ns:.0f}" for size, ns in effect.median_ns.items())
        rows.append((effect.name, str(effect.per_packet), str(effect.per_byte), by_size))
    grows = ", ".join(effect.name for effect in ranked if effect.per_packet.low > 0)
    falls = ", ".join(effect.name for effect in ranked if effect.per_packet.high < 0)
    words = ["Of no function is it proven that its time per packet grows with the size."]
    if grows:
        words = [f"The time per packet grows with the size for {grows}."]
    if falls:
        words.append(f"The time per packet falls with the size for {falls}.")
    head = ("function", "rank correlation of own time with size", "of own time per byte", "own p50 ns by size")
    return Figures.table(title, head, rows, [*words, *_claim_words(found)])


def _claim_words(found: Recordings) -> list[str]:
    """The claim that ip_rcv takes half as long at 800 bytes as at 400; none where one of both was not measured."""
    small, large = (
        [one.total.p50_ns for run in found.get(size, ()) if (one := run.of(CLAIMED))] for size in CLAIMED_SIZES
    )
    if not small or len(small) != len(large):
        return []
    try:
        ratio = compare(large, small)
    except Misuse as error:
        return [f"{CLAIM}: not decidable; {error}."]
    return [f"{CLAIM}: {claim_holds(HALF, TOLERANCE, ratio.low, ratio.high)}; it takes {ratio} times as long."]


@dataclass(frozen=True)
class HopTime:
    """One place on the way, and the nanoseconds since the one before it, of each packet."""

    place: str
    device: str
    since_before_ns: tuple[int, ...]

    @property
    def median_ns(self) -> float:
        """The median of all packets."""
        return statistics.median(self.since_before_ns)


def hop_times(journeys: Sequence[Journey]) -> list[HopTime]:
    """The times between neighbouring places, of packets that took one path.

    Raises EvidenceIncomplete where paths differ or nothing was seen: one distribution cannot mix two paths.
    """
    ways = {tuple(f"{s.node}:{s.interface} {s.direction}" for s in journey.sightings) for journey in journeys}
    if len(ways) != 1 or not (way := ways.pop()):
        raise EvidenceIncomplete(
            f"hop times - expected one path - seen {len(ways) or 'none'} of {len(journeys)} packets"
        )
    times = [[seen.time_ns for seen in journey.sightings] for journey in journeys]
    devices = [seen.interface for seen in journeys[0].sightings]
    return [
        HopTime(place, devices[at], tuple(each[at] - each[max(at - 1, 0)] for each in times))
        for at, place in enumerate(way)
    ]


def latency_table(title: str, hops: Sequence[HopTime], graph: FuncGraph | None) -> Figures:
    """One line for each place: what passed since the one before, its share of the whole, the functions under it."""
    whole, rows = sum(hop.median_ns for hop in hops) or 1.0, []
    for hop in hops:
        p90 = sorted(hop.since_before_ns)[-(-len(hop.since_before_ns) * 9 // 10) - 1]
        under = _functions_by(hop.device, graph) if graph is not None and hop.place.endswith(" in") else ""
        rows.append(
            (hop.place, f"{hop.median_ns / 1e3:.1f}", f"{p90 / 1e3:.1f}", f"{hop.median_ns / whole:.0%}", under)
        )
    most = max(hops, key=lambda hop: hop.median_ns)
    words = (
        f"Of {whole / 1000:.0f} us in all, most pass before {most.place}: {most.median_ns / 1000:.0f} us.",
        "Times are those of the taps, which cost time themselves; functions are of other packets of the same kind"
        " under the tracer, total p50, by the device that they came in by."
        if graph is not None
        else "This kernel's functions cannot be traced.",
    )
    head = ("place", "p50 us since before", "p90 us", "share", "functions on receipt here, p50 us")
    places: list[str | float] = [hop.place for hop in hops]
    middle = [hop.median_ns / 1e3 for hop in hops]
    series = Series("p50", places, middle, [], [float(row[2]) for row in rows], [row[4] for row in rows])
    return Figures.table(title, head, rows, words, plots=[Plot("waterfall", title, "µs", "", [series])])


def _functions_by(device: str, graph: FuncGraph) -> str:
    """The functions that take most for packets which came in by a device."""
    totals = {name: one.total.p50_ns for (name, at), one in graph.groups.items() if at == device}
    most = sorted((name for name in totals if not _is_empty(name)), key=lambda name: -totals[name])
    return ", ".join(f"{name} {totals[name] / 1000:.1f}" for name in most[:FUNCTIONS_SHOWN])
