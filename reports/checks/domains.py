"""Judges that frames of a Layer 2 domain (a tenant) are seen where they must be and nowhere else, whatever addresses
and MACs they use.

The sightings are compared with the exact set of interfaces that the declaration derives, so that a leak and a loss are
both named with node and interface.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

from reports.checks import Check, Subject
from reports.evidence import Finding, Sighting, first_broken
from reports.judge.isolation import FrameSeen, bare
from reports.judge.journey import in_order
from reports.words import NOTHING
from topology.isolation.domains import (
    Domain,
    FrameKind,
    askers,
    domains,
    flooded,
    reached,
    transit,
    twins,
    two_in_one_node,
    way,
)
from topology.isolation.forgery import spread_over
from topology.links import frame_tunnel
from topology.model import Fabric
from topology.refs import PortRef

SENDERS_MAX = 6
"""Stations of one domain that send; more of them would pass the same bridges again."""
NAMED_MAX = 20
"""Places that a message names; the rest is counted."""


def wide_domains(lab: Fabric) -> list[Domain]:
    """The Layer 2 domains with at least two stations."""
    return [domain for domain in domains(lab) if len(domain.stations) > 1]


def shared_addresses(lab: Fabric) -> list[Domain]:
    """The domains with an address that also exists in another domain, and with a station that can resolve it."""
    every = domains(lab)
    return [domain for domain in every if askers(lab, every, domain)]


def twin_domains(lab: Fabric) -> Iterator[tuple[Domain, Domain]]:
    """Two domains of which the second has an address, or a MAC, that can be asked for in the first."""
    every = domains(lab)
    shared = [{*pair} for pair in twins(lab, every)]
    for one, other in combinations(wide_domains(lab), 2):
        if askers(lab, every, one) and any(both & {*one.stations} and both & {*other.stations} for both in shared):
            yield one, other


SUBJECTS = {
    "domain": Subject("no Layer 2 domain", wide_domains),
    "twin_domain": Subject("no shared address", shared_addresses),
    "wide_domain": Subject("no Layer 2 domain", wide_domains, first=True),
    "two_domains": Subject("no two Layer 2 domains", lambda lab: combinations(wide_domains(lab), 2), first=True),
    "twin_domains": Subject("no shared address", twin_domains, first=True),
    "neighbours": Subject("no two Layer 2 domains", lambda lab: two_in_one_node(domains(lab)), first=True),
}


def frames_of(lab: Fabric, domain: Domain, kind: FrameKind) -> Iterator[FrameSeen]:
    """Frames of one kind to send, from each station of a domain that sends: a unicast to each other one."""
    senders, between = spread_over(domain.stations, SENDERS_MAX), transit(lab, domain)
    for source in senders:
        others = [target for target in senders if target != source]
        for target in others if kind == "unicast" else (others or [source])[:1]:
            may = way(lab, source, target, may=True) if kind == "unicast" else frozenset[PortRef]()
            there = reached(lab, domain, kind, source, target)
            yield FrameSeen(domain, source, kind, there, between, possible=may, target=target)


def answers_of(lab: Fabric, domain: Domain) -> Iterator[FrameSeen]:
    """The answers of addresses' owners to stations that ask for them by ARP, where another domain has them too.

    They go to the MAC that stands for the nonce, which no bridge has learned, and so are flooded.
    """
    for asker, owner in askers(lab, domains(lab), domain):
        there = flooded(lab, lab[owner.node][owner.interface], to_bridges=False)
        yield FrameSeen(domain, owner, "unknown-unicast", there, transit(lab, domain), asker=asker)


def judge_frame(frame: FrameSeen) -> Finding:
    """Return whether a frame was seen unencapsulated exactly where expected, and elsewhere only inside its domain's
    tunnels.
    """
    missing = sorted(frame.expected - bare(frame.sightings).keys())
    held = f"{frame.what} - seen at exactly its {len(frame.expected)} places"
    strays = list(_strays(frame))
    wrong = sorted(bare(frame.sightings).keys() ^ frame.expected)
    suspects = (*(stray.seen.node for stray in strays), *(place.node for place in wrong))
    return replace(difference(frame.what, strays, missing, held), suspects=suspects)


def judge_frames(_: Fabric, frames: Sequence[FrameSeen], *__: object) -> Finding:
    """Return a finding against the first frame that went astray; without any frame nothing is proven."""
    held = f"{len(frames)} frames - each at exactly its places"
    return first_broken(map(judge_frame, frames), held) if frames else Finding(False, held)


class Stray(NamedTuple):
    """A sighting at a place where none, or another one (``right``), is expected; ``how`` says in which VNI."""

    seen: Sighting
    right: str = NOTHING
    how: str = ""


def _strays(frame: FrameSeen) -> Iterator[Stray]:
    """Yield the first sighting at each place where a frame must not be, or not so, in the order of time."""
    reported: set[PortRef] = set()
    for seen in in_order(frame.sightings):
        stray = None if seen.ref in reported else _stray(frame, seen)
        if stray is not None:
            reported.add(seen.ref)
            yield stray


def _stray(frame: FrameSeen, seen: Sighting) -> Stray | None:
    """Return the fault of a sighting: the wrong place, VNI or VLAN tag; None where nothing is."""
    tunnel = frame_tunnel(seen.headers.chain)
    if tunnel:
        here = seen.ref in frame.transit
        if here and tunnel in frame.domain.tunnels:
            return None
        return Stray(seen, " or ".join(sorted(frame.domain.tunnels)) if here else NOTHING, f" in {tunnel}")
    tag = next((int(header["vlan"]) for header in seen.headers if header.layer == "dot1q"), None)
    vids: set[int | None] = {vid for port, vid in frame.domain.tags if port == seen.ref} or {None}
    if seen.ref in frame.expected | frame.possible and tag in vids:
        return None
    tags = " or ".join(f"VLAN {vid}" for vid in sorted(vid for vid in vids if vid is not None)) or "no VLAN tag"
    return Stray(seen, tags if seen.ref in frame.expected else NOTHING)


def difference(what: str, strays: Sequence[Stray], missing: Sequence[PortRef], held: str) -> Finding:
    """Name the first difference in full, the others by their places."""
    if not strays and not missing:
        return Finding(True, held)
    if strays:
        first, *more = strays
        text = f"{first.seen.ref} - {what} - expected {first.right} - seen {first.seen.headers.summary()}"
        text += f"; too much at {listed([f'{other.seen.ref}{other.how}' for other in more])}" if more else ""
    else:
        text = f"{missing[0]} - {what} - expected it - seen nothing"
        missing = missing[1:]
    return Finding(False, text + (f"; missing at {listed([str(place) for place in missing])}" if missing else ""))


def listed(items: Sequence[str], between: str = ", ") -> str:
    """Return the first items as text, up to the limit."""
    more = len(items) - NAMED_MAX
    return between.join(items[:NAMED_MAX]) + (f"{between}and {more} more" if more > 0 else "")


FORGED = "forged frames"
KEPT_APART = Check("frames", frames_of, judge_frames, together=("domain", "kind"), sends=FORGED)
ANSWERED = Check("frames", answers_of, judge_frames, together=("twin_domain",), sends=FORGED)
