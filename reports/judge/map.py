"""The map of a fabric that the journeys of probes alone draw: the links they crossed, the paths they took. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise, permutations

from reports.checks.seen import SeenTrip, carried, last_seen, shape
from reports.evidence import Journey, Sighting
from reports.words import counted
from topology.model import Address, Fabric, Node
from topology.refs import PortRef

PROBES_MAX = 2048
"""Probes, one for each pair and direction: all of 45 nodes', and under two minutes where none of them is answered."""
LOST, DIRECT = "lost", "direct"
"""Outcomes beside the kinds: not arrived; over one link to a neighbour, with no bridge and no router between."""


@dataclass(frozen=True, order=True)
class Crossing:
    """A packet going out of one interface and straight into another, of another node."""

    out: PortRef
    into: PortRef

    @property
    def link(self) -> frozenset[PortRef]:
        """The two ends, whichever way."""
        return frozenset((self.out, self.into))


@dataclass(frozen=True)
class SeenPath:
    """One probe's path: the nodes it passed, in order, and how it was carried, or where it was lost."""

    source: str
    target: str
    nodes: tuple[str, ...]
    outcome: str


@dataclass(frozen=True)
class FabricMap:
    """The links seen, each way with the stacks that crossed it and how often; the paths; the nodes never reached."""

    name: str
    nodes: tuple[str, ...]
    crossings: Mapping[Crossing, Mapping[str, int]]
    paths: tuple[SeenPath, ...]
    unreached: tuple[str, ...]
    """Nodes with an address at which no probe ever arrived."""
    unseen: tuple[str, ...]
    """Nodes at which nothing of any probe was seen."""
    left_out: tuple[str, ...]

    @property
    def found(self) -> tuple[SeenPath, ...]:
        """The paths that led to their targets."""
        return tuple(path for path in self.paths if not path.outcome.startswith(LOST))

    @property
    def links(self) -> frozenset[frozenset[PortRef]]:
        """The links that carried something, either way."""
        return frozenset(crossing.link for crossing in self.crossings)


def pairs_to_probe(
    nodes: Sequence[Node],
    between: Callable[[Node, Node], tuple[Address, Address]] = lambda one, other: (one.address, other.address),
) -> tuple[list[tuple[Node, Node]], list[str]]:
    """All pairs of nodes with an address, in both directions, sorted by name, up to the limit; and those left out."""
    by_name = sorted(nodes, key=lambda node: node.name)
    addressed = [node for node in by_name if node.addresses]
    every = list(permutations(addressed, 2))
    fitting = [(a, b) for a, b in every if len({end.version for end in between(a, b)}) == 1]
    out = [f"{node.name}: it has no address" for node in by_name if not node.addresses]
    if mixed := len(every) - len(fitting):
        out.append(f"{counted(mixed, 'probe')}: the two nodes' first addresses are of two IP versions")
    if len(fitting) > PROBES_MAX:
        more = len(fitting) - PROBES_MAX
        out.append(f"{more} of {len(fitting)} probes: at most {PROBES_MAX} are sent, the first by name")
    return fitting[:PROBES_MAX], out


def map_of(fabric: Fabric, trips: Iterable[SeenTrip], left_out: Sequence[str] = ()) -> FabricMap:
    """The map that trips draw; the same trips in another order draw the same."""
    in_order = sorted(trips, key=lambda trip: (trip.out.source, trip.out.target))
    journeys = [leg for trip in in_order for leg in trip.legs]
    seen = {sighting.node for journey in journeys for sighting in journey.sightings}
    reached = {journey.target for journey in journeys if journey.arrived}
    nodes = tuple(sorted(node.name for node in fabric.nodes))
    addressed = {node.name for node in fabric.nodes if node.addresses}
    return FabricMap(
        fabric.name,
        nodes,
        _likely(journeys),
        tuple(_path(trip.out) for trip in in_order),
        tuple(name for name in nodes if name in addressed - reached),
        tuple(name for name in nodes if name not in seen),
        tuple(left_out),
    )


def _likely(journeys: Iterable[Journey]) -> dict[Crossing, Mapping[str, int]]:
    """Every crossing, sorted; of an interface that leads to several only the most frequent.

    A veth has one peer: a frame that a bridge floods shows two ways out before the first way in.
    """
    found: dict[PortRef, dict[Crossing, Counter[str]]] = {}
    for journey in journeys:
        for crossing, stack in crossings(journey.sightings):
            found.setdefault(crossing.out, {}).setdefault(crossing, Counter())[stack] += 1
    best = [min(peers.items(), key=lambda item: (-item[1].total(), item[0])) for peers in found.values()]
    return {crossing: dict(sorted(stacks.items())) for crossing, stacks in sorted(best, key=lambda item: item[0])}


def crossings(sightings: Sequence[Sighting]) -> Iterator[tuple[Crossing, str]]:
    """Hops of a packet out of a node and, with the same bytes, straight into another."""
    for out, into in pairwise(sightings):
        if (out.direction, into.direction) == ("out", "in") and out.node != into.node and out.wire == into.wire:
            yield Crossing(PortRef(out.node, out.interface), PortRef(into.node, into.interface)), shape(out)


def _path(journey: Journey) -> SeenPath:
    nodes = tuple(node for node, _ in groupby(seen.node for seen in journey.sightings))
    outcome = f"{LOST}: {last_seen(journey)}"
    if journey.arrived:
        found = carried(journey)
        outcome = DIRECT if found.kind == "bridge" and len(nodes) == 2 else str(found)
    return SeenPath(journey.source, journey.target, nodes, outcome)
