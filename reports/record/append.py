"""Exhibits of judged evidence: the plain data that a test appends to the record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, cast

from reports.record.exhibits import Cause, Divergence, Header, Hop, Journey, Rung, Sizes, Zone
from topology.wire.headers import plain

if TYPE_CHECKING:
    from reports import evidence
    from reports.checks.mtu import LegMtu, PairMtu
    from reports.checks.mtu import Zone as FoundZone
    from reports.judge import journey as judged
    from reports.judge.attempt import Outcome
    from reports.judge.trip import Leg
    from topology.wire.stack import Stack


def cause_of(found: evidence.Cause) -> Cause:
    """A cause as text, without the part of the state that it names."""
    return Cause(**{known.name: getattr(found, known.name) for known in fields(Cause)})


def journey_of(leg: Leg, test: str = "") -> Journey:
    """One leg of a trip: its hops with every header, its ladder and its first divergence."""
    journey, verdict = leg.journey, leg.verdict
    seen = (*journey.sightings, *(rung.seen for rung in verdict.rungs if rung.seen))
    start = seen[0].time_ns if seen else 0
    cause = cause_of(verdict.cause) if verdict.cause else None
    return Journey(
        test=test,
        source=journey.source,
        target=journey.target,
        protocol=journey.protocol,
        arrived=journey.arrived,
        hops=[_hop(seen, start) for seen in journey.sightings],
        divergence=_divergence(verdict.divergence, cause),
        start_ns=start,
        passed=verdict.passed,
        message="" if verdict.passed else verdict.message,
        note=verdict.note,
        cause=cause,
        ladder=list(_ladder(verdict, journey.sightings)),
        causes=[cause_of(one) for one in verdict.causes],
        unknown=verdict.unknown,
    )


def _hop(seen: evidence.Sighting, start: int) -> Hop:
    return Hop(seen.node, seen.interface, seen.direction, seen.time_ns - start, seen.length, _headers(seen))


def _headers(seen: evidence.Sighting) -> list[Header]:
    return [Header(**cast(dict, header)) for header in seen.headers.as_json()]  # type: ignore[type-arg]


def _divergence(rung: judged.Rung | None, cause: Cause | None) -> Divergence | None:
    if rung is None:
        return None
    return Divergence(rung.node, rung.interface, *_sides(rung), cause)


def _ladder(verdict: judged.Verdict, hops: Sequence[evidence.Sighting]) -> Iterator[Rung]:
    start = next((rung.seen.time_ns for rung in verdict.rungs if rung.seen), 0)
    places = {id(seen): place for place, seen in enumerate(hops)}
    for rung in verdict.rungs:
        time, hop = (rung.seen.time_ns - start, places.get(id(rung.seen))) if rung.seen else (None, None)
        shown = rung.wrong and (rung.seen or rung is verdict.divergence)
        want = _wanted(rung.expected.stack, rung.seen) if rung.expected and shown else []
        got = _headers(rung.seen) if rung.seen and hop is None else []
        yield Rung(rung.node, rung.interface, rung.direction, time, *_sides(rung), rung.wrong, hop, want, got)


def _wanted(stack: Stack, seen: evidence.Sighting | None) -> list[Header]:
    """The headers of a pattern as they are given, and what it implies where a frame breaks that."""
    wanted = [Header(layer, {name: plain(value) for name, value in fields.items()}) for layer, fields in stack.given]
    broken = stack.mismatch(seen.headers) if seen else None
    if broken and broken.field:
        wanted[broken.index].fields.setdefault(broken.field, broken.expected)
    return wanted


def _sides(rung: judged.Rung) -> tuple[str | None, str | None]:
    expected = rung.expected.stack.summary() if rung.expected else None
    return expected, rung.seen.headers.summary() if rung.seen else None


def sizes_of_pair(pair: PairMtu, test: str = "") -> tuple[Sizes, ...]:
    """The sizes of a pair in both directions, except where nothing arrived."""
    return tuple(_way(way, test) for way in pair.legs if way.reached)


def _way(way: LegMtu, test: str) -> Sizes:
    decides = way.computed[0]
    return Sizes(
        source=way.source,
        target=way.target,
        promised=way.promised,
        computed=decides.largest,
        computed_at=str(decides),
        whole=way.largest_whole,
        with_df=way.largest_with_df,
        zones=[_zone(zone) for zone in way.zones],
        test=test,
    )


def _zone(zone: FoundZone[Outcome]) -> Zone:
    what = zone.what
    where = what.where or what.node
    return Zone(zone.first, zone.last, what.fate, where, what.mtu, what.forged, what.speaker, str(what))
