"""Judge that two segments of frames are carried in tunnels of their own, from their pairs' probes alone. Pure.

Frames that reach one VTEP with the same VNI or key are in one broadcast domain there, even if none of them leaks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from reports.checks import Check, Subject
from reports.checks.seen import SeenTrip
from reports.evidence import Cause, Finding, Sighting
from reports.judge.encapsulation import tunnel_at
from topology.carried import inside
from topology.errors import NotProven
from topology.links import FRAME_HEADERS, FRAME_TUNNELS
from topology.model import Fabric
from topology.promises import Pair, Segment


@dataclass(frozen=True)
class TwoSegments:
    """Two segments that share no host."""

    one: Segment
    other: Segment

    def __str__(self) -> str:
        return f"{self.one}-{self.other}"


def of_frames(lab: Fabric) -> Iterator[TwoSegments]:
    """Every two segments of a Layer 2 overlay, if only pairs are declared."""
    found = (segment for segment in lab.segments if segment.kind == "l2-overlay" and not lab.nodes)
    return (TwoSegments(*two) for two in combinations(found, 2))


OF_ANY_SENDER = frozenset(kind for tunnel in FRAME_TUNNELS if tunnel.any_sender for kind in tunnel.kinds)
"""The kinds of which one device takes the packets of all senders."""
SUBJECTS = {"two_segments": Subject("no two segments of frames", of_frames)}


class Carrier(NamedTuple):
    """The values by which a VTEP distinguishes tenants: its node and address, the tunnel with its VNI or key, the UDP
    port, VLAN tags. The ``sender`` counts if the kernel finds the device by it, and is blank for VXLAN.
    """

    node: str
    address: str
    tunnel: str
    sender: str
    port: int | None
    vlans: tuple[int, ...]

    def __str__(self) -> str:
        tags = "".join(f" VLAN {vlan}" for vlan in self.vlans)
        return f"{self.tunnel}{tags}{self.sender and f' from {self.sender}'} to {self.address}"


def carriers(trip: SeenTrip, lab: Fabric) -> dict[Carrier, Sighting]:
    """Return the Layer 2 tunnels in which a pair's packets came to a VTEP, each with the first sighting there."""
    found: dict[Carrier, Sighting] = {}
    for seen in (seen for leg in trip.legs for seen in leg.sightings if seen.direction == "in"):
        if (carrier := carrier_at(seen)) and carrier.address in map(str, lab[seen.node].addresses):
            found.setdefault(carrier, seen)
    return found


def carrier_at(seen: Sighting) -> Carrier | None:
    """Return the innermost tunnel of a sighting, if it holds a frame."""
    headers = list(seen.headers)
    at = max((n for n, header in enumerate(headers) if header.layer in FRAME_HEADERS), default=-1)
    tunnel = tunnel_at(seen)
    if at < 0 or tunnel is None or inside(seen.layers)[:1] != ("ether",):
        return None
    outer = next((header for header in reversed(headers[:at]) if header.layer in ("ipv4", "ipv6")), None)
    if outer is None:
        return None
    port = next((int(header["dport"]) for header in headers[at - 1 : at] if header.layer == "udp"), None)
    vlans = tuple(int(header["vlan"]) for header in headers[at:] if header.layer == "dot1q")
    sender = "" if OF_ANY_SENDER.issuperset(tunnel.via) else str(outer["src"])
    return Carrier(seen.node, str(outer["dst"]), str(tunnel), sender, port, vlans)


def pairs_of(lab: Fabric, two: TwoSegments) -> list[Pair]:
    """Return the pairs of two segments."""
    ends = {frozenset(ends) for segment in (two.one, two.other) for ends in segment.ends}
    return [pair for pair in lab.pairs if frozenset((pair.source, pair.target)) in ends]


def judge_shared(lab: Fabric, trips: Sequence[SeenTrip], two: TwoSegments) -> Finding:
    """Return whether no tunnel carries both segments; raises NotProven if a pair of either did not arrive."""
    asked = list(zip(pairs_of(lab, two), trips, strict=True))
    hosts = ({*segment.hosts} for segment in (two.one, two.other))
    one, other = ({pair: trip for pair, trip in asked if {pair.source, pair.target} <= its} for its in hosts)
    known = _carried(lab, one)
    for carrier, (pair, seen) in _carried(lab, other).items():
        if carrier in known:
            return _shared(two, carrier, (known[carrier][0], pair), seen)
    lost = next((trip.arrived for _, trip in asked if not trip.arrived), None)
    if lost is not None:
        raise NotProven(lost.message.splitlines()[0])
    return Finding(True, f"{two} - no tunnel carries both")


def _carried(lab: Fabric, trips: Mapping[Pair, SeenTrip]) -> dict[Carrier, tuple[Pair, Sighting]]:
    found: dict[Carrier, tuple[Pair, Sighting]] = {}
    for pair, trip in trips.items():
        for carrier, seen in carriers(trip, lab).items():
            found.setdefault(carrier, (pair, seen))
    return found


def _shared(two: TwoSegments, carrier: Carrier, pairs: tuple[Pair, Pair], seen: Sighting) -> Finding:
    right = f"a tunnel of its own for each of {two.one} and {two.other}"
    words = f"{' and '.join(map(str, pairs))} in {carrier}"
    cause = Cause("shared tunnel", seen.node, seen.interface, right, words, "", source="traffic")
    return Finding(False, f"{seen.ref} - {two} - expected {right} - seen {words}", (cause,))


def note_on(pair: Pair, trip: SeenTrip, lab: Fabric, firsts: dict[Carrier, Pair]) -> str:
    """Return the note that an earlier pair of no common segment used a tunnel of this pair's; ``firsts`` has the
    earlier ones.
    """
    for carrier in carriers(trip, lab):
        first = firsts.setdefault(carrier, pair)
        if first is not pair and not (pair.segment and pair.segment == first.segment):
            return f"in {carrier}, as {first}"
    return ""


OWN_TUNNELS = Check("pairs", pairs_of, judge_shared, together=("two_segments",), sends="")
