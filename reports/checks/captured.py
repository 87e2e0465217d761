"""Judges pairs by captures of other tools: what they show counts, what they do not show proves nothing. Pure.

No packet in them carries a nonce of ours, and no sentinel says that a capture was complete.
"""

from __future__ import annotations

from reports.checks import Subject
from reports.checks.seen import SeenTrip, carried, is_wrapped
from reports.evidence import Finding, Journey, first_broken
from topology.errors import EvidenceIncomplete, NotApplicable
from topology.promises import WITHOUT_TUNNEL, Pair

SUBJECTS = {"captured_pair": Subject("no pair", lambda lab: lab.pairs)}
ROUTED = ("routed", "l3-overlay", "hairpin")
"""Kinds in which the customer's TTL is lowered."""


def judge_captured(trip: SeenTrip, pair: Pair) -> Finding:
    """Return whether the packets of a pair were seen carried as its kind.

    If neither direction contradicts it: NotApplicable for a kind without a tunnel; for a kind with one,
    EvidenceIncomplete if no capture shows the tunnel.
    """
    judged = [_judged(leg, pair) for leg in trip.legs]
    finding = first_broken(one for one in judged if isinstance(one, Finding))
    open_ends = [one for one in judged if not isinstance(one, Finding)]
    if finding and open_ends:
        raise open_ends[0]
    return finding


def _judged(leg: Journey, pair: Pair) -> Finding | NotApplicable | EvidenceIncomplete:
    first, last = leg.sightings[0], leg.sightings[-1]
    lowered = (first.ttl or 0) > (last.ttl or 0)
    if carried(leg).kind is None or any(map(is_wrapped, leg.sightings)) or lowered != (pair.kind in ROUTED):
        try:
            return SeenTrip(leg, leg, partial=True).carried_as(pair.kind, pair.within)
        except EvidenceIncomplete as error:
            return error
    way = f"{leg.source} -> {leg.target} ({leg.protocol})"
    if pair.kind in WITHOUT_TUNNEL.values():
        return NotApplicable(f"{way} - seen {carried(leg)}, but no tunnel is an absence, which no capture proves")
    return EvidenceIncomplete(f"{way} - expected a capture that shows it in a tunnel - seen none")
