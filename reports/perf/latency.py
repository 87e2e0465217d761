"""Where the time of a packet goes, hop by hop: from taps' time stamps, with the kernel functions under it. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from reports.evidence import Journey, Sighting
from reports.perf.funcgraph import FuncGraph
from reports.perf.functions import is_empty
from reports.render.measurements import Measurement
from topology.errors import EvidenceIncomplete

FUNCTIONS_SHOWN = 5
"""For one hop: those that take most."""


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
    """The times between neighbouring places, of packets that went the same way.

    Raises EvidenceIncomplete where they did not, or none was seen twice: times of two ways are no distribution.
    """
    ways = {tuple(_place(seen) for seen in journey.sightings) for journey in journeys}
    if len(ways) != 1 or not (way := ways.pop()):
        raise EvidenceIncomplete(
            f"hop times - expected one way - seen {len(ways) or 'none'} of {len(journeys)} packets"
        )
    times = [[seen.time_ns for seen in journey.sightings] for journey in journeys]
    devices = [seen.interface for seen in journeys[0].sightings]
    return [
        HopTime(place, devices[at], tuple(each[at] - each[at - 1] if at else 0 for each in times))
        for at, place in enumerate(way)
    ]


def _place(seen: Sighting) -> str:
    return f"{seen.node}:{seen.interface} {seen.direction}"


def latency_table(title: str, hops: Sequence[HopTime], graph: FuncGraph | None) -> Measurement:
    """One line for each place: what passed since the one before, its share of the whole, the functions under it."""
    whole = sum(hop.median_ns for hop in hops) or 1.0
    under = _by_device(graph) if graph is not None else {}
    rows = tuple(
        (
            hop.place,
            f"{hop.median_ns / 1000:.1f}",
            f"{_ninth(hop.since_before_ns) / 1000:.1f}",
            f"{hop.median_ns / whole:.0%}",
            ", ".join(_functions(under.get(hop.device, {}))) if hop.place.endswith(" in") else "",
        )
        for hop in hops
    )
    most = max(hops, key=lambda hop: hop.median_ns)
    words = (
        f"Of {whole / 1000:.0f} us in all, most pass before {most.place}: {most.median_ns / 1000:.0f} us.",
        "Times are those of the taps, which cost time themselves; functions are of other packets of the same kind"
        " under the tracer, total p50, by the device that they came in by."
        if graph is not None
        else "This kernel's functions cannot be traced.",
    )
    head = ("place", "p50 us since before", "p90 us", "share", "functions of what comes in here, p50 us")
    return Measurement(title, head, rows, words)


def _ninth(values: Sequence[int]) -> int:
    return sorted(values)[max(0, -(-len(values) * 9 // 10) - 1)]


def _by_device(graph: FuncGraph) -> Mapping[str, Mapping[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for (name, device), stats in graph.groups.items():
        if not is_empty(name):
            found.setdefault(device, {})[name] = stats.total.p50_ns
    return found


def _functions(totals: Mapping[str, float]) -> Iterator[str]:
    for name in sorted(totals, key=lambda name: -totals[name])[:FUNCTIONS_SHOWN]:
        yield f"{name} {totals[name] / 1000:.1f}"
