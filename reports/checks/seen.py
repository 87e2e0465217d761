"""Determines the kind in which a packet was carried from its sightings alone, for a fabric that promises only pairs.
Pure.

A journey that fully matches no kind has none, and the reason is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, pairwise

from reports.checks import Subject
from reports.evidence import Cause, Finding, Journey, Sighting, first_broken
from reports.judge.encapsulation import judge_encapsulation
from reports.judge.journey import Rung, Verdict
from reports.judge.trip import Leg, Trip, is_tunnelled
from topology.carried import inside, kind_of
from topology.errors import EvidenceIncomplete
from topology.expected import ExpectedJourney
from topology.links import NOT_FOLLOWED, TUNNEL_HEADERS, hides
from topology.promises import ANY, WITHOUT_TUNNEL, Encapsulation, Kind
from topology.refs import PortRef

SUBJECTS = {"expected_pair": Subject("no pair alone", lambda lab: () if lab.nodes else lab.pairs)}
MACS = 12
"""Bytes of both MACs, behind which an 802.1Q tag stands."""


@dataclass(frozen=True)
class Carried:
    """The kind, or None with the reason against every kind."""

    kind: Kind | None
    why: str = ""

    def __str__(self) -> str:
        return self.kind or f"no kind ({self.why})"


def carried(journey: Journey) -> Carried:
    """Return the kind in which a packet that arrived was carried."""
    first, last = (journey.sightings[0], journey.sightings[-1]) if journey.sightings else (None, None)
    if first is None or last is None or not journey.arrived:
        return Carried(None, f"it did not arrive: {last_seen(journey)}")
    if first.node != journey.source or (last.node, last.direction) != (journey.target, "in"):
        return Carried(None, f"seen from {first.node} to {last.node}")
    if is_wrapped(first) or is_wrapped(last):
        return Carried(None, "encapsulated at an end of its path")
    if first.ttl is None or last.ttl is None:
        return Carried(None, "no TTL to compare")
    wrapped = {layer for seen in journey.sightings for layer in seen.layers if layer in TUNNEL_HEADERS}
    if last.ttl > first.ttl:
        return Carried(None, f"its TTL rose from {first.ttl} to {last.ttl}")
    if not wrapped and any(is_wrapped(seen) for seen in journey.sightings):
        return Carried(None, "one IP header inside another")
    kind = kind_of((seen.layers, seen.ttl) for seen in journey.sightings)
    why = _against(kind, journey, wrapped)
    return Carried(None, why) if why else Carried(kind)


def _against(kind: Kind | None, journey: Journey, wrapped: set[str]) -> str:
    """Return the contradiction to the kind that layers and TTLs show; empty if none."""
    first, last = journey.sightings[0], journey.sightings[-1]
    if kind is None:
        return f"a packet inside {', '.join(sorted(wrapped)).upper()}, its TTL not lowered"
    if kind == "l2-overlay":
        changed = next((seen for seen in journey.sightings if _frame(seen) not in (None, _frame(first))), None)
        return f"another frame at {changed.place}" if changed else ""
    if kind == "bridge":
        changed = next((seen for seen in journey.sightings if _macs(seen) not in ((), _macs(first))), None)
        return f"its TTL kept, other MACs at {changed.place}" if changed else ""
    same = kind == "routed" and bool(_macs(first)) and _macs(first) == _macs(last)
    return "its TTL lowered, its MACs not rewritten" if same else ""


def is_wrapped(seen: Sighting) -> bool:
    """Return whether a packet was inside a tunnel of any kind there."""
    return is_tunnelled(seen.layers) or len(seen.ips) > 1


def _frame(seen: Sighting) -> bytes | None:
    """The customer's frame without VLAN tags; None where there is none (a packet in a tunnel, or on a GRE device)."""
    if is_wrapped(seen) and "ether" not in inside(seen.layers):
        return None
    ethers = [header for header in seen.headers if header.layer == "ether"]
    if not ethers:
        return None
    at = ethers[-1].offset
    tags = sum(header.length for header in seen.headers if header.layer == "dot1q" and header.offset > at)
    return seen.frame[at : at + MACS] + seen.frame[at + MACS + tags :]


def _macs(seen: Sighting) -> tuple[str, ...]:
    ether = seen.headers.get("ether")
    return (str(ether.fields["src"]), str(ether.fields["dst"])) if ether else ()


def last_seen(journey: Journey) -> str:
    """Return where a packet was last seen, or that it was not; with its journey's note."""
    where = f"seen last at {journey.sightings[-1].place}" if journey.sightings else "seen nowhere"
    return f"{where} - {journey.note}" if journey.note else where


@dataclass(frozen=True)
class SeenTrip:
    """A probe and its answer, as they were seen: they must arrive, carried as one kind."""

    out: Journey
    back: Journey
    errors: tuple[Journey, ...] = ()
    causes: tuple[Cause, ...] = ()
    """Why a packet was lost, the most likely first."""
    wrong: Leg | None = None
    """The leg that is not as promised, beside its way by the nodes' forwarding state."""
    partial: bool = False
    """True where packets pass interfaces that nobody looked at, as with captures."""
    kinds: Mapping[PortRef, str] = field(default_factory=dict)
    """The kind of link of each device, where it is known."""

    @property
    def legs(self) -> tuple[Journey, Journey]:
        """Out and back."""
        return self.out, self.back

    @cached_property
    def shown(self) -> Trip:
        """Its ladders: the failed leg's, else those of both legs as seen, without expected hops."""
        out, back = (self.wrong, self.wrong) if self.wrong else (_as_seen(self.out), _as_seen(self.back))
        return Trip(out, back, self.errors)

    @property
    def unsent(self) -> str:
        """Why it is not known whether a packet that was not sent would stay inside the fabric; blank where it is."""
        return next((leg.note for leg in self.legs if not leg.sightings and NOT_FOLLOWED in leg.note), "")

    @property
    def as_promised(self) -> bool:
        """Whether both packets were sent, and arrived as their pair promises."""
        return self.wrong is None and not self.unsent

    @cached_property
    def unseen(self) -> str:
        """The part of the way on which no header shows what carries the packet; blank where there is none."""
        return next(filter(None, (_unseen(leg, self.partial, self.kinds) for leg in self.legs)), "")

    @property
    def arrived(self) -> Finding:
        """Return whether the request reached its target and the answer its sender."""
        return replace(first_broken(_arrived(leg, self.errors) for leg in self.legs), causes=self.causes)

    def carried_as(self, kind: Kind, within: Encapsulation = ANY, may_be_local: bool = False) -> Finding:
        """Return whether both directions were carried as a kind, and in a promised tunnel.

        With ``may_be_local`` they need no tunnel if a single node is between their ends. Raises EvidenceIncomplete if a
        part of the path is ``unseen``.
        """
        if self.unseen:
            raise EvidenceIncomplete(self.unseen)
        return first_broken(_as(leg, kind, within, may_be_local) for leg in self.legs)

    def broken_leg(self, kind: Kind, within: Encapsulation = ANY) -> Journey:
        """Return the first leg that did not arrive; of two that did, the first that was not carried as a kind."""
        lost = (leg for leg in self.legs if not leg.arrived)
        return next(chain(lost, (leg for leg in self.legs if not _as(leg, kind, within, False))), self.out)


def _as_seen(leg: Journey) -> Leg:
    rungs = tuple(Rung(seen.node, seen.interface, seen.direction, None, seen) for seen in leg.sightings)
    return Leg(leg, ExpectedJourney(leg.source, leg.target, ()), Verdict(leg.source, leg.target, rungs))


def _arrived(leg: Journey, errors: tuple[Journey, ...]) -> Finding:
    quoted = "".join(f" - {e.sightings[0].node} sent {e.sightings[0].headers.summary()}" for e in errors if e.sightings)
    words = f"{leg.source} -> {leg.target} ({leg.protocol}) - expected to arrive - {last_seen(leg)}{quoted}"
    return Finding(leg.arrived, f"{words} - evidence: {_evidence(leg)}" if leg.sightings else words)


def _as(leg: Journey, kind: Kind, within: Encapsulation, may_be_local: bool) -> Finding:
    found = carried(leg)
    if may_be_local and found.kind == WITHOUT_TUNNEL.get(kind) and len({seen.node for seen in leg.sightings}) == 3:
        return Finding(True, f"{leg.source} -> {leg.target} - behind one node")
    words = f"{leg.source} -> {leg.target} ({leg.protocol}) - expected carried as {kind} - seen {found}"
    if found.kind != kind:
        return Finding(False, f"{words} - evidence: {_evidence(leg)}")
    return judge_encapsulation(leg, within) if within != ANY else Finding(True)


def _unseen(leg: Journey, partial: bool, kinds: Mapping[PortRef, str]) -> str:
    """Return where a packet that left a node by a device without frames, a tunnel's, came in at another one next, in no
    further IP header, or came in first by a device whose kind is not followed; unless ``partial``, also where a node
    that had not seen it had it with its TTL lowered, which no node was seen to send: so does a policy of IPsec, which
    has no device. A header that is not read, such as MPLS, may carry anything."""
    unread = next((seen for seen in leg.sightings if not seen.ips), None)
    if unread is not None:
        way = f"{leg.source} -> {leg.target} ({leg.protocol}) - expected an IP header at {unread.place}"
        return f"{way} - seen {unread.headers.summary()}: what carried it is not known"
    for one, other in pairwise(leg.sightings):
        crossed = (one.direction, other.direction) == ("out", "in") and one.node != other.node
        bare = crossed and not one.has_ethernet and len(other.ips) <= len(one.ips)
        hidden = [f"{end.ref}: {kinds[end.ref]}" for end in (one, other) if hides(kinds.get(end.ref, "veth"))]
        if bare or (crossed and hides(kinds.get(other.ref, "veth"))) or not (partial or _is_announced(other, leg)):
            way = f"{leg.source} -> {leg.target} ({leg.protocol}) - expected to be seen from {one.ref} to {other.ref}"
            if hidden:
                return f"{way} - {hidden[0]} {NOT_FOLLOWED}; both ends were reached"
            return f"{way} - seen nowhere, as inside encryption: what carried it is not known"
    return ""


def _is_announced(seen: Sighting, leg: Journey) -> bool:
    """Return whether, by then, its node had seen the packet or any node had shown it with a TTL as low. Sightings of
    one time have no order: a macvlan hands a packet to another namespace with its time."""
    before = [one for one in leg.sightings if one.time_ns <= seen.time_ns and one is not seen]
    return any(one.node == seen.node or (one.ttl or 0) <= (seen.ttl or 0) for one in before)


def _evidence(journey: Journey) -> str:
    """Return every sighting in order: its place and headers."""
    return "; ".join(f"{seen.place} {shape(seen)}" for seen in journey.sightings) or "none"


def shape(seen: Sighting) -> str:
    """Return the names of a packet's headers, outermost first."""
    return "/".join(layer for layer in seen.layers if layer != "payload")
