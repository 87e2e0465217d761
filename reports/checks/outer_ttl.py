"""Judges that each outer header's TTL is the declared one, less one for each router that the outer packet passed. Pure.

GRE takes the device's ``ttl``, or inherits that of the packet inside; VXLAN and Geneve take the kernel's default of 64
(net.ipv4.ip_default_ttl). The hops of the declared paths have these TTLs. Nothing else at a hop is judged here, so that
a wrong TTL is found even on a packet that is wrong in other respects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from reports.evidence import Finding, first_broken
from reports.judge.trip import Leg, Trip
from topology.packet import IP_VERSIONS
from topology.promises import Kind

KINDS: tuple[Kind, ...] = ("l2-overlay", "l3-overlay", "hairpin")
"""The kinds of pairs whose packets are in a tunnel."""


class Outer(NamedTuple):
    """An IP header around another one, at one interface in one direction."""

    place: str
    src: str
    dst: str


def judge_outer_ttl(trip: Trip) -> Finding:
    """Return whether all outer headers in both directions have a TTL of a declared path, and each direction has
    some.
    """
    return first_broken(finding for leg in trip.legs for finding in _judged(leg))


def _judged(leg: Leg) -> Iterator[Finding]:
    """One finding for each outer header that is seen where the declaration has it."""
    declared: dict[Outer, set[int]] = {}
    for hop in (hop for path in leg.expected.paths for hop in path.hops):
        for outer, ttl in outer_ttls(hop.place, hop.layers):
            declared.setdefault(outer, set()).add(ttl)
    what = f"{leg.expected.source} -> {leg.expected.target}"
    found = False
    for seen in leg.journey.sightings:
        for outer, ttl in outer_ttls(seen.place, seen.headers.chain):
            if ttls := declared.get(outer):
                found = True
                right = " or ".join(map(str, sorted(ttls)))
                words = f"{outer.place} - {what}, TTL of the header from {outer.src} to {outer.dst} - expected {right}"
                message = f"{words} - seen {ttl} - evidence: {seen.headers.summary()}"
                cause = leg.verdict.cause
                yield Finding(ttl in ttls, f"{message} - cause: {cause}" if cause else message, leg.verdict.causes)
    if not found:
        yield Finding(False, f"{what} - expected an outer header where it is declared - seen none")


def outer_ttls(place: str, layers: Iterable[tuple[str, Mapping[str, object]]]) -> Iterator[tuple[Outer, int]]:
    """Yield the IP headers that are around another one at a place, each with its TTL or hop limit."""
    *around, _ = [fields for name, fields in layers if name in IP_VERSIONS] or [{}]
    for fields in around:
        ttl = fields["ttl"] if "ttl" in fields else fields["hlim"]
        yield Outer(place, str(fields["src"]), str(fields["dst"])), int(str(ttl))
