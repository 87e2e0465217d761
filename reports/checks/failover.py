"""Judge what an event costs each flow, by numbered datagrams that the taps saw leave and arrive. Pure.

The terms are those of RFC 6412, with flows in place of routes. A flow's time without service by loss is its Route LoC
Period by the route-specific loss-derived method: its lost datagrams times their interval. By rate it is the longest
time between two arrivals beyond one interval. The true time is at least that from the first to the last lost datagram,
and at most that between the datagrams around them: these bounds decide.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise

from reports.checks import Subject
from reports.evidence import Finding
from reports.perf.compare import centre_interval
from reports.record.exhibits import Figures
from topology.errors import EvidenceIncomplete, Undecided
from topology.events import EVENTS, befalls, crossing_pair
from topology.model import Fabric
from topology.promises import Survival

SECOND = 1_000_000_000
INTERVAL_ERROR = 0.05
"""The error probability of the interval of repeated figures, by Wilcoxon's signed ranks."""
LOSSES = ("without_service", "lost")
"""The figures of a node that its neighbours have not given up."""
HEAD = ("node", "flows hit", "lost", "by loss", "by rate", "duplicated", "reordered", "looped", "way before > after")


@dataclass(frozen=True)
class Datagram:
    """One datagram: when it left and when it came, None for a lost one, its copies at the target, the spines that sent
    it on, and where it was seen again with another TTL."""

    sent_ns: int
    arrived_ns: int | None
    copies: int = 1
    way: str = ""
    looped: str = ""


@dataclass(frozen=True)
class Flow:
    """A flow's datagrams in the order of their numbers, one every ``interval_ns``."""

    name: str
    interval_ns: int
    datagrams: tuple[Datagram, ...]

    @cached_property
    def outages(self) -> list[tuple[float, float]]:
        """The bounds of each time without service, in seconds; the upper bound is infinite if service did not come
        back.
        """
        found, at = list[tuple[float, float]](), 0
        for is_lost, group in groupby(self.datagrams, lambda one: one.arrived_ns is None):
            some = list(group)
            before, after = self.datagrams[max(0, at - 1)], self.datagrams[at + len(some) :][:1]
            if is_lost:
                high = (after[0].sent_ns - before.sent_ns) / SECOND if after else math.inf
                found.append(((some[-1].sent_ns - some[0].sent_ns) / SECOND, high))
            at += len(some)
        return found

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the most time without service, in seconds; without loss the most is one interval as sent."""
        gaps = (after.sent_ns - before.sent_ns for before, after in pairwise(self.datagrams))
        unseen = max(gaps, default=self.interval_ns) / SECOND
        return sum(low for low, _ in self.outages), sum(high for _, high in self.outages) or unseen

    @property
    def lost(self) -> int:
        """Number of datagrams that did not arrive."""
        return sum(one.arrived_ns is None for one in self.datagrams)

    @property
    def without_service(self) -> float:
        """Time without service by loss, in seconds."""
        return self.lost * self.interval_ns / SECOND

    @property
    def by_rate(self) -> float:
        """Time without service by rate, in seconds; to the last datagram where none arrived any more."""
        came = sorted(one.arrived_ns for one in self.datagrams if one.arrived_ns is not None)
        came += [self.datagrams[-1].sent_ns + self.interval_ns] if self.datagrams[-1].arrived_ns is None else []
        longest = max((after - before for before, after in pairwise(came)), default=0)
        return max(0, longest - self.interval_ns) / SECOND if self.lost else 0.0

    @property
    def duplicated(self) -> int:
        """Number of further copies at the target."""
        return sum(one.copies - 1 for one in self.datagrams if one.arrived_ns is not None)

    @property
    def reordered(self) -> int:
        """Number of datagrams that came after one with a higher number (RFC 4737, section 3)."""
        came = ((one.arrived_ns, number) for number, one in enumerate(self.datagrams) if one.arrived_ns is not None)
        highest, count = -1, 0
        for _, number in sorted(came):
            count += number < highest
            highest = max(highest, number)
        return count

    @property
    def looped(self) -> int:
        """Number of datagrams in a micro-loop."""
        return sum(bool(one.looped) for one in self.datagrams)

    @property
    def ways(self) -> tuple[str, str]:
        """The paths of the first and the last datagram that arrived; no second path if service has not come back."""
        came = [one.way for one in self.datagrams if one.arrived_ns is not None] or ["nothing"]
        return came[0], "nothing" if math.isinf(self.bounds[1]) else came[-1]


@dataclass(frozen=True)
class Run:
    """One run of an event: the node that it hit, when its commands started and had ended, and all flows."""

    event: str
    node: str
    began_ns: int
    ended_ns: int
    flows: tuple[Flow, ...]

    def establish(self) -> None:
        """Raise EvidenceIncomplete if a datagram was lost before the event, or if the event did not happen."""
        calm = math.inf if self.event == "nothing" else self.began_ns
        for flow in self.flows:
            # What is on its way when the event begins may be its victim.
            slowest = max((d.arrived_ns - d.sent_ns for d in flow.datagrams if d.arrived_ns is not None), default=0)
            lost = sum(one.arrived_ns is None and one.sent_ns + slowest < calm for one in flow.datagrams)
            if lost:
                words = f"{flow.name} - nothing happens - expected every datagram - seen {lost} lost"
                raise EvidenceIncomplete(f"{words}: what {self.event} costs is not established")
            past = any(one.sent_ns > self.ended_ns and self.node in one.way.split("+") for one in flow.datagrams)
            if past and EVENTS[self.event].silenced:
                words = f"{self.node} - {self.event} - expected nothing to pass it - seen datagrams of {flow.name} do"
                raise EvidenceIncomplete(f"{words}: the event did not take place")

    def worst(self, figure: str) -> Flow:
        """The flow with the highest figure."""
        return max(self.flows, key=lambda flow: getattr(flow, figure))


def expectations(judged: Fabric) -> Iterator[Survival]:
    """The events that can happen in a lab, each with the promised bounds."""
    lab = judged.built or judged
    promised = {one.event: one for one in judged.failover}
    for name, event in EVENTS.items() if crossing_pair(lab) else ():
        if befalls(lab, event):
            yield promised.get(name, Survival(name))


SUBJECTS = {"event": Subject("no spine between two hosts", expectations)}


def judge(promise: Survival, runs: Sequence[Run]) -> Finding:
    """Return whether each flow of each run keeps what is promised.

    Raises EvidenceIncomplete where nothing is established, Undecided where the datagrams are too far apart to tell.
    """
    for run in runs:
        run.establish()
    wrong = [(run.node, figure, words) for run in runs for figure, words in _beyond(promise, run)]
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if wrong[1:] else ""
        lossy = dict.fromkeys(node for node, figure, _ in wrong if figure in LOSSES)
        return Finding(False, f"{wrong[0][2]}{more}", suspects=tuple(lossy))
    most = promise.without_service
    for run in runs if most is not None else ():
        flow = max(run.flows, key=lambda flow: flow.bounds[1])
        low, high = flow.bounds
        if most is not None and high > most:
            seen = f"between {_seconds(low)} and {_seconds(high)}"
            words = f"{_where(run, flow)} - time without service - expected at most {_seconds(most)} - seen {seen}"
            raise Undecided(f"{words}: its datagrams were {_seconds(flow.interval_ns / SECOND)} apart")
    return Finding(bool(runs), "runs - expected some - seen none")


def _beyond(promise: Survival, run: Run) -> Iterator[tuple[str, str]]:
    """Yield the name and the words of each figure that is surely beyond its bound, for the worst flow."""
    for figure, bound in promise.bounds.items():
        beyond = [flow for flow in run.flows if _least(flow, figure) > bound]
        if beyond:
            flow = max(beyond, key=lambda flow: _least(flow, figure))
            form = _seconds if figure == "without_service" else str
            words = {"without_service": "time without service"}.get(figure, f"datagrams {figure}")
            count = f" ({len(beyond)} of {len(run.flows)} flows)"
            seen = f"expected at most {form(bound)} - seen {_seen(flow, figure)}{count}"
            yield figure, f"{_where(run, flow)} - {words} - {seen}"


def _least(flow: Flow, figure: str) -> float:
    return flow.bounds[0] if figure == "without_service" else float(getattr(flow, figure))


def _where(run: Run, flow: Flow) -> str:
    return f"{run.node} - {run.event}, flow {flow.name}"


def _seen(flow: Flow, figure: str) -> str:
    if figure == "looped":
        places = Counter(one.looped for one in flow.datagrams if one.looped)
        return f"{flow.looped}, again at {', '.join(places)}"
    if figure != "without_service":
        return str(getattr(flow, figure))
    before, after = flow.ways
    if math.isinf(flow.bounds[1]):
        return f"{_seconds(flow.bounds[0])} and no end ({flow.lost} lost; before by {before})"
    between = " to ".join(map(_seconds, flow.bounds))
    return f"{between} ({flow.lost} lost; before by {before}, after by {after})"


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def table(promise: Survival, runs: Sequence[Run]) -> Figures:
    """A line for each run, with the figures of its worst flow; the words have medians and intervals."""
    rate = SECOND / runs[0].flows[0].interval_ns
    words = [
        f"{len(runs[0].flows)} flows at {rate:.3g} datagrams a second each: times to {_seconds(1 / rate)}"
        f"; {EVENTS[promise.event].words}"
    ]
    passed = statistics.median(sum(run.node in flow.ways[0].split("+") for flow in run.flows) for run in runs)
    if passed:
        words[0] += f"; the {passed:g} of them by the node left it {_seconds(1 / rate / passed)} apart"
    lasting = sum(math.isinf(flow.bounds[1]) for run in runs for flow in run.flows)
    words += [f"{lasting} times a flow was still without service at the end"] if lasting else []
    for figure, name in (("without_service", "by loss"), ("by_rate", "by rate")):
        worst = [getattr(run.worst(figure), figure) for run in runs]
        words.append(f"worst flow's time without service {name}: {_centre(worst)}")
    data = {str(n): {flow.name: _data(flow) for flow in run.flows} for n, run in enumerate(runs, 1)}
    return Figures.table(f"failover, {promise.event}", HEAD, map(_row, runs), words, data)


def _centre(values: Sequence[float]) -> str:
    found = centre_interval(values, INTERVAL_ERROR)
    low, high = found or (min(values), max(values))
    between = f"{'95 %' if found else 'range'}: {_seconds(low)} to {_seconds(high)}"
    return f"median {_seconds(statistics.median(values))} ({between}, {len(values)} runs)"


def _row(run: Run) -> tuple[str, ...]:
    hit = [flow for flow in run.flows if flow.lost]
    times = (_seconds(getattr(run.worst(figure), figure)) for figure in ("without_service", "by_rate"))
    counts = (str(sum(getattr(flow, figure) for flow in run.flows)) for figure in ("duplicated", "reordered", "looped"))
    moved = Counter(" > ".join(flow.ways) for flow in hit or run.flows)
    ways = ", ".join(f"{count} {way}" for way, count in moved.most_common())
    lost = sum(flow.lost for flow in run.flows)
    return (run.node, f"{len(hit)} of {len(run.flows)}", str(lost), *times, *counts, ways)


def _data(flow: Flow) -> dict[str, object]:
    figures = ("lost", "without_service", "by_rate", "duplicated", "reordered", "looped", "ways")
    return {figure: getattr(flow, figure) for figure in figures}
