"""Judge whether many flows take the paths that a lab promises: all the same one, or all in fair shares. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from reports.checks import Subject
from reports.evidence import Finding
from topology.expected import ExpectedJourney, expected_journey, probe_between
from topology.model import Fabric
from topology.promises import Spread
from topology.refs import PortRef

P_MIN = 0.001
"""Shares less likely than this under a fair hash are unfair: one false alarm in a thousand runs."""

DIRECT = "the direct path"
"""The name of a way that passes nothing which others do not."""


@dataclass(frozen=True)
class FlowSeen:
    """A flow, identified by its source port: the path of each of its packets, None for one that was lost.

    A path is named by the nodes that only it passes (``forks``); ``strayed`` says where a packet left all legal paths.
    """

    port: int
    ways: tuple[str | None, ...]
    strayed: str = ""


@dataclass(frozen=True)
class Forks:
    """Names the legal paths of a packet by the nodes that some of them pass and others do not.

    Where all pass the same nodes it is their interfaces, as ``node:interface``: of links side by side.
    """

    journey: ExpectedJourney

    @property
    def ways(self) -> list[str]:
        """The names of the legal paths."""
        return sorted({self.name(hop.ref for hop in path.hops) for path in self.journey.paths})

    def name(self, passed: Iterable[PortRef]) -> str:
        """The name of a path, given the interfaces that it passes: the nodes that only it passes, joined by ``+``."""
        own = (word for ref in passed for word in (ref.node, str(ref)) if word in self._words)
        return "+".join(dict.fromkeys(own)) or DIRECT

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes by which the paths differ, in the order of the paths."""
        return tuple(dict.fromkeys(h.node for p in self.journey.paths for h in p.hops if h.node in self._words))

    @cached_property
    def _words(self) -> frozenset[str]:
        nodes = [{hop.node for hop in path.hops} for path in self.journey.paths]
        refs = [{str(hop.ref) for hop in path.hops} for path in self.journey.paths]
        return _not_in_all(nodes) or _not_in_all(refs)


def surviving_spreads(lab: Fabric) -> Iterator[tuple[Spread, Sequence[str]]]:
    """The spreads that must survive a loss, each with what to take down: a spine or, without spines, a node that not
    all paths pass.
    """
    for spread in (spread for spread in lab.spreads if spread.survives):
        probe = replace(probe_between(lab, spread.source, spread.target), protocol="udp")
        journey = expected_journey(lab, probe)
        passed = {hop.node for path in journey.paths for hop in path.hops}
        spines = tuple(node.name for node in lab.role("spine") if node.name in passed)
        if losses := spines or Forks(journey).nodes:
            yield spread, losses


SUBJECTS = {
    "spread": Subject("no flows declared to spread over equal-cost paths", lambda lab: lab.spreads),
    "surviving_spread": Subject("no flows declared to survive the loss of a path", surviving_spreads),
}


def _not_in_all(found: Sequence[set[str]]) -> frozenset[str]:
    return frozenset(set().union(*found) - found[0].intersection(*found)) if found else frozenset()


def all_arrive(flows: Sequence[FlowSeen]) -> Finding:
    """Return whether every packet of every flow arrived, by a legal path."""
    lost = [flow for flow in flows if None in flow.ways]
    strayed = next((flow for flow in flows if flow.strayed), None)
    if lost:
        ports = ", ".join(str(flow.port) for flow in lost[:5])
        return Finding(False, f"flows - expected all {len(flows)} to arrive - seen {len(lost)} lost (ports {ports})")
    if strayed is not None:
        return Finding(False, f"flow {strayed.port} - expected a declared path - seen {strayed.strayed}")
    return Finding(bool(flows), "flows - expected some - seen none")


def each_stays(flows: Sequence[FlowSeen]) -> Finding:
    """Return whether every flow keeps to one path, lost packets aside."""
    restless = next((flow for flow in flows if len(set(flow.ways) - {None}) > 1), None)
    if restless is not None:
        ways = " then ".join(str(way) for way in dict.fromkeys(restless.ways))
        return Finding(False, f"flow {restless.port} - expected one path for all its packets - seen {ways}")
    return Finding(True)


def share_one_way(flows: Sequence[FlowSeen]) -> Finding:
    """Return whether all flows take the same path."""
    found = shares(flows)
    return Finding(len(found) == 1, f"{len(flows)} flows - expected all on one path - seen {_words(found)}")


def spread_evenly(flows: Sequence[FlowSeen], ways: Sequence[str]) -> Finding:
    """Return whether the flows use all paths, in shares that a fair hash explains (Pearson's chi-square test)."""
    found = dict.fromkeys(ways, 0) | dict(shares(flows))
    total = sum(found.values())
    if not total or not all(found.values()):
        return Finding(False, f"{len(flows)} flows - expected on all of {', '.join(ways)} - seen {_words(found)}")
    fair = total / len(found)
    statistic = sum((count - fair) ** 2 / fair for count in found.values())
    p = chi_square_tail(statistic, len(found) - 1)
    what = f"{len(flows)} flows - expected fair shares (p at least {P_MIN}) - seen {_words(found)} (p {p:.2g})"
    return Finding(p >= P_MIN, what)


def shares(flows: Sequence[FlowSeen]) -> Mapping[str, int]:
    """Count flows by path, each by its first packet that arrived."""
    firsts = (next((way for way in flow.ways if way is not None), None) for flow in flows)
    return Counter(way for way in firsts if way is not None)


def chi_square_tail(statistic: float, freedom: int) -> float:
    """The probability of a chi-square at least as large, with ``freedom`` degrees (Abramowitz and Stegun, 26.4.4-5)."""
    if freedom <= 0:
        return 1.0
    half = statistic / 2
    if freedom % 2:
        tail, term, start = math.erfc(math.sqrt(half)), math.exp(-half) * math.sqrt(half / math.pi) * 2, 3
    else:
        tail, term, start = 0.0, math.exp(-half), 2
    for degrees in range(start, freedom + 1, 2):
        tail += term
        term *= statistic / degrees
    return min(1.0, tail)


def _words(found: Mapping[str, int]) -> str:
    return ", ".join(f"{count} on {way}" for way, count in sorted(found.items())) or "none anywhere"
