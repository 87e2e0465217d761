"""Judge in which tunnel a packet was carried, from its sightings alone. Pure."""

from __future__ import annotations

from reports.evidence import Finding, Journey, Sighting
from topology.carried import encapsulation
from topology.promises import Encapsulation


def tunnel_at(seen: Sighting) -> Encapsulation | None:
    """Return the innermost tunnel of the packet there; None if it is not encapsulated."""
    return encapsulation(seen.headers.chain)


def judge_encapsulation(journey: Journey, promised: Encapsulation) -> Finding:
    """Return whether the packet was in a tunnel, and its innermost tunnel had the promised kind and number
    everywhere.
    """
    seen = [(sighting, tunnel) for sighting in journey.sightings if (tunnel := tunnel_at(sighting)) is not None]
    wrong = next(((sighting, tunnel) for sighting, tunnel in seen if not promised.allows(tunnel)), None)
    way = f"{journey.source} -> {journey.target} ({journey.protocol}) - expected in {promised}"
    if wrong is not None:
        where, tunnel = wrong
        return Finding(False, f"{where.ref} - {way} - seen in {tunnel} - evidence: {where}")
    return Finding(bool(seen), f"{journey.source} - {way} - seen in no tunnel")
