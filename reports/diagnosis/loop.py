"""Recognises a loop of Layer 2 by copies of one frame that pass the same interface again and again. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from reports.diagnosis.resolution import message_of
from reports.evidence import Cause, Sighting
from reports.judge.trip import is_tunnelled
from topology.model import Link, other_ends
from topology.refs import PortRef

COPIES_MAX, WITHIN_NS = 32, 4_000_000_000
"""Copies of one frame at one interface, one way, within so long: a request is repeated once a second, a duplicate is
one more. Around a loop through tunnels a busy machine without KVM carries a frame some 20 times a second."""
OUTER = ("src", "dst", "ttl", "hlim")
EACH_WAY_MIN, ROUNDS_NS = 3, 1_500_000_000
"""Copies of a frame that come in by a port of the loop, and as many that go out by it, within so long among the samples
of a storm: a host repeats a request once a second."""


def to_many(seen: Sighting) -> bytes:
    """Return the innermost frame of a sighting if it is broadcast or multicast (IEEE 802, group bit), else b""."""
    at = max((header.offset for header in seen.headers if header.layer == "ether"), default=None)
    frame = b"" if at is None else seen.frame[at:]
    return frame if frame and frame[0] & 1 else b""


def is_bare(seen: Sighting) -> bool:
    """Return whether a sighting is of an unencapsulated frame."""
    return seen.has_ethernet and seen.layers.count("ether") == 1 and not is_tunnelled(seen.layers)


@dataclass
class Copies:
    """Counts the copies of each broadcast or multicast frame, by place and outer addresses.

    After a flush of neighbours a node asks for an address once more: each allows one more copy of a request.
    """

    flushes: int = 0
    _known: dict[tuple[object, ...], tuple[int, int, int]] = field(default_factory=dict)
    _at_last: int = 0
    """The flushes when sightings were counted last: those of the next ones come after."""

    def circle(self, seen: Iterable[Sighting]) -> bool:
        """Count further sightings; return whether one of their frames circles.

        Copies in packets that routers send in a circle have falling TTLs, and end by themselves. Those for several
        VTEPs differ in their outer addresses.
        """
        found = False
        for sighting in seen:
            if frame := to_many(sighting):
                outer = tuple(tuple(map(ip.fields.get, OUTER)) for ip in sighting.ips)
                new = (sighting.time_ns, 0, self._at_last)
                first_ns, count, flushes = self._known.get(key := (sighting.place, frame, outer), new)
                if sighting.time_ns - first_ns > WITHIN_NS:
                    first_ns, count, flushes = new
                self._known[key] = (first_ns, count + 1, flushes)
                if count >= COPIES_MAX:
                    found |= count >= COPIES_MAX + (self.flushes - flushes if message_of(sighting) else 0)
        self._at_last = self.flushes
        return found


def loop_ports(seen: Sequence[Sighting]) -> tuple[PortRef, ...]:
    """Return the ports that a circling frame comes in by and goes out by, bare: those of the loop.

    A frame is flooded out of other ports as well, but comes in there at most once; by its sender's port it comes back
    often, but goes out as often as the sender repeats it. Bridges that learn its sender's MAC anew with each copy send
    frames to one around as well.
    """
    found = (ways["in"] & ways["out"] for ways in _frames(seen))
    return tuple(sorted(set[PortRef]().union(*found)))


def ports_around(seen: Sequence[Sighting], links: Iterable[Link]) -> tuple[PortRef, ...]:
    """Return the ports of a loop, by the samples of a storm: those that a frame passes both ways, the other ends of
    their cables, and those that a frame passes in one direction.

    On a busy machine the samples lack some places of a loop; each of the three fills gaps of the others.
    """
    links = list(links)
    both, cables = loop_ports(seen), other_ends(links)
    ends = {cables[port] for port in both if port in cables}
    return tuple(sorted({*both, *ends, *ring_ports(seen, links)}))


def ring_ports(seen: Sequence[Sighting], links: Iterable[Link]) -> tuple[PortRef, ...]:
    """Return the ports between which a frame goes round in one direction, as one for a single host does.

    It is followed out of one port and in by the other end of its cable, or out of one tunnel's device and in by one of
    another node.
    """
    cables = other_ends(links)
    found = set[PortRef]()
    for ways in _frames(seen):
        steps = [(out, into) for out in ways["out"] for into in ways["in"] if _is_step(out, into, cables)]
        found.update(*((out, into) for out, into in steps if out.node in _reached(into.node, steps)))
    return tuple(sorted(found))


def _frames(seen: Iterable[Sighting]) -> Iterator[Mapping[str, set[PortRef]]]:
    """Yield for each bare frame the ports by which copies come in, and by which they go out, faster than a host repeats
    a frame."""
    times = defaultdict[bytes, defaultdict[tuple[str, PortRef], list[int]]](lambda: defaultdict(list))
    for sighting in filter(is_bare, seen):
        times[sighting.frame][sighting.direction, sighting.ref].append(sighting.time_ns)
    for places in times.values():
        quick = [place for place, found in places.items() if _goes_round(found)]
        yield {way: {ref for one, ref in quick if one == way} for way in ("in", "out")}


def _goes_round(times: list[int]) -> bool:
    times.sort()
    return any(last - first < ROUNDS_NS for first, last in zip(times, times[EACH_WAY_MIN - 1 :], strict=False))


def _is_step(out: PortRef, into: PortRef, cables: Mapping[PortRef, PortRef]) -> bool:
    if out in cables or into in cables:
        return cables.get(out) == into
    return out.node != into.node


def _reached(node: str, steps: Sequence[tuple[PortRef, PortRef]]) -> set[str]:
    """Return the nodes that steps lead to from a node, itself included."""
    found, new = {node}, {node}
    while new:
        new = {into.node for out, into in steps if out.node in new} - found
        found |= new
    return found


def loop_cause(ports: Sequence[PortRef], bridges: Mapping[PortRef, str | None], closing: PortRef) -> Cause:
    """Return the loop as a cause at the port that closes it; ``bridges`` has the bridge of each port."""
    by_bridge = groupby(ports, lambda port: (port.node, bridges.get(port)))
    through = [
        f"{bridge or 'no bridge'} of {node} ({', '.join(port.interface for port in group)})"
        for (node, bridge), group in by_bridge
    ]
    live = f"frames circle through {' and '.join(through)}"
    show, fix = f"bridge -n {closing.node} link show", f"ip -n {closing.node} link set dev {closing.interface} down"
    return Cause("loop", closing.node, closing.interface, "no loop", live, fix, show, "traffic")
