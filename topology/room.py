"""Computes a lab's share of the limits of a kernel from its declaration. Pure.

All network namespaces share the neighbour tables (one for ARP, one for neighbour discovery): while a table is full, a
packet of any namespace that needs a new entry is dropped (neigh_alloc, net/core/neighbour.c).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TypeAlias

from topology.expected import expected_journey, probes_of, reply_to
from topology.model import Fabric
from topology.packet import IP_VERSIONS, Layers, Probe
from topology.plan import Room

ENTRIES: Mapping[int, int] = {4: 2, 6: 4}
"""Neighbour entries for two stations that exchange packets, by IP version: each has one of the other. With IPv6 a
station asks from its link-local address, which the other then knows, too."""
FILES_BESIDE, FILES_OF_A_NODE, FILES_OF_A_PAIR = 64, 4, 2
"""Files that the agent of one copy has open: for each node its namespace, netlink, tap and watch, for each pair the
sockets of a UDP probe and of its answerer."""
Adjacency: TypeAlias = tuple[int, frozenset[str]]
"""An IP version and the two MAC addresses of a frame that carries it."""


def room_for(fabric: Fabric, copies: int = 1) -> Room:
    """The room that so many copies of a fabric need on one kernel."""
    probes = (probe for pair in fabric.pairs for probe in probes_of(fabric, pair))
    wanted = (probe for probe in probes if probe.src.version == probe.dst.version)
    neighbours = {version: copies * n for version, n in entries(adjacencies(fabric, wanted)).items()}
    files = FILES_BESIDE + FILES_OF_A_NODE * len(fabric.nodes) + FILES_OF_A_PAIR * len(fabric.pairs)
    return Room(copies * len(fabric.nodes), files, neighbours)


def in_groups(fabric: Fabric, probes: Sequence[Probe], room: Mapping[int, int]) -> Iterator[Sequence[Probe]]:
    """The probes, in order, in as few groups as possible such that the neighbours on each group's paths, both
    directions, have room.

    A probe that alone needs more is a group of its own.
    """
    group: list[Probe] = []
    known: set[Adjacency] = set()
    for probe in probes:
        ways = adjacencies(fabric, (probe, reply_to(probe)))
        together = entries(known | ways) if ways - known else Counter()
        if group and any(count > room.get(version, count) for version, count in together.items()):
            yield group
            group, known = [], set()
        group.append(probe)
        known |= ways
    yield group


def adjacencies(fabric: Fabric, probes: Iterable[Probe]) -> set[Adjacency]:
    """The stations that exchange frames so that these probes arrive."""
    journeys = (expected_journey(fabric, probe) for probe in probes)
    hops = chain.from_iterable(path.hops for journey in journeys for path in journey.paths)
    return {found for hop in hops if (found := _adjacency(hop.layers)) is not None}


def entries(found: Iterable[Adjacency]) -> Counter[int]:
    """The neighbour entries of all that exchange frames, by IP version."""
    return Counter({version: ENTRIES[version] * n for version, n in Counter(each for each, _ in found).items()})


def _adjacency(layers: Layers) -> Adjacency | None:
    name, fields = layers[0]
    if name != "ether":
        return None
    version = next((version for name, _ in layers if (version := IP_VERSIONS.get(name))), None)
    return (version, frozenset((str(fields["src"]), str(fields["dst"])))) if version else None
