"""A journey as the page draws it: its hops one by one with their header stacks, and its profile, a column for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from reports.record.exhibits import Header, Hop, Journey, Rung
from reports.render.boxes import Envelope, boxes_of, envelopes, layers_of, side_by_side
from reports.render.ladder import instead, not_seen, request_of

COLUMN, WIDE_COLUMN, ROW = 32, 48, 11
"""Pixels of a hop, of one in a short journey, and of a header in a profile."""
SHORT = 14
Mark = Literal["good", "bad", "odd", "lost"]


@dataclass(frozen=True)
class Step:
    """A hop: where, when, its frame, and the packets seen there, outermost first; ``expected`` only where they differ.

    ``mark``: as declared; the first divergence; seen otherwise after it; the hops after a loss, as one step.
    """

    mark: Mark
    node: str
    interface: str
    direction: str
    since: str
    at: str
    length: int | None
    frame: int | None
    seen: list[Envelope]
    expected: list[Envelope] | None
    wrong: str
    begins: bool
    """The first hop at its node."""
    instead: str
    """Where the packet was expected, if its node sent it out here."""
    asks: str
    """The protocol of the request for an address that begins here, in the packet's stead."""


@dataclass(frozen=True)
class Lost:
    """The hops behind a loss, at which nothing was seen, in words."""

    words: str
    mark: Mark = "lost"


def steps(journey: Journey) -> Iterator[Step | Lost]:
    """The hops of a journey in order; where nothing was seen behind the first divergence, they are one step."""
    first, before, node = journey.first_wrong, None, ""
    asked, what = request_of(journey) or (None, "")
    for silent, group in groupby(journey.ladder, lambda rung: rung.seen is None and rung is not first):
        rungs = list(group)
        if silent:
            yield Lost(not_seen(rungs))
            continue
        for rung in rungs:
            yield _step(journey, rung, first, before, rung.node != node, what if rung is asked else "")
            before, node = rung.time_ns if rung.time_ns is not None else before, rung.node


def _step(journey: Journey, rung: Rung, first: Rung | None, before: int | None, begins: bool, asks: str) -> Step:
    hop, got = _hop(journey, rung), _seen(journey, rung)
    expected, seen = _sides(rung, got)
    mark: Mark = "good" if not rung.wrong else "bad" if rung is first else "odd"
    since = _since(rung, before)
    at = "" if rung.time_ns is None else f"{rung.time_ns / 1000:.1f} µs"
    frame = hop.frame if hop else rung.frame
    wrong = rung.wrong if rung.seen and (rung.expected or mark == "odd") else ""
    place = (rung.node, rung.interface, rung.direction, since, at)
    turned = instead(rung, journey)
    length, number = hop.length if hop else None, frame.number if frame else None
    return Step(mark, *place, length, number, seen, expected, wrong, begins, turned, asks)


def _since(rung: Rung, before: int | None) -> str:
    """The time since the hop before; a request for an address may have been seen there in another try."""
    if rung.time_ns is None or before is None:
        return ""
    return f"{(rung.time_ns - before) / 1000:+.1f} µs" if rung.time_ns >= before else "in an earlier try"


def _hop(journey: Journey, rung: Rung) -> Hop | None:
    return journey.hops[rung.hop] if rung.hop is not None and rung.hop < len(journey.hops) else None


def _seen(journey: Journey, rung: Rung) -> Sequence[Header]:
    hop = _hop(journey, rung)
    return hop.stack if hop else rung.got


def _sides(rung: Rung, got: Sequence[Header]) -> tuple[list[Envelope] | None, list[Envelope]]:
    if not rung.wrong:
        return None, envelopes(boxes_of(got, rung.seen))
    if rung.want and got:
        want, seen = side_by_side(rung.want, got)
    else:
        want, seen = boxes_of(rung.want, rung.expected), boxes_of(got, rung.seen)
    return envelopes(want), envelopes(seen)


@dataclass(frozen=True)
class Column:
    """A hop in a profile: its middle, its mark and the path of its outline where it was only expected."""

    x: int
    mark: Mark
    top: int


@dataclass(frozen=True)
class Span:
    """The neighbouring hops of one node: their middle and width, and what is written below them."""

    name: str
    x: float
    width: int


@dataclass(frozen=True)
class Profile:
    """The header stack of every hop as a skyline, the innermost header at the bottom: one path for each layer."""

    column: int
    width: int
    height: int
    layers: dict[str, str]
    ghosts: dict[str, str]
    """The same for hops at which nothing was seen."""
    columns: list[Column]
    spans: list[Span]


def profile(journey: Journey) -> Profile:
    """The profile of a journey."""
    stacks = [_stack(journey, rung) for rung in journey.ladder]
    wide = WIDE_COLUMN if len(stacks) <= SHORT else COLUMN
    height = max((len(stack) for stack in stacks), default=0) * ROW
    layers: dict[str, str] = {}
    ghosts: dict[str, str] = {}
    columns = []
    for at, (rung, stack) in enumerate(zip(journey.ladder, stacks, strict=True)):
        for level, layer in enumerate(reversed(stack)):
            known = layers if rung.seen else ghosts
            x, y = at * wide + 2, height - (level + 1) * ROW
            known[layer] = f"{known.get(layer, '')}M{x} {y}h{wide - 4}v{ROW - 2}h{4 - wide}z"
        first = rung is journey.first_wrong
        mark: Mark = "good" if not rung.wrong else "bad" if first else "odd" if rung.seen else "lost"
        columns.append(Column(at * wide + wide // 2, mark, height - len(stack) * ROW))
    return Profile(wide, len(stacks) * wide, height, layers, ghosts, columns, list(_spans(journey, wide)))


def _stack(journey: Journey, rung: Rung) -> Sequence[str]:
    return layers_of(_seen(journey, rung), rung.seen) if rung.seen else layers_of(rung.want, rung.expected)


def _spans(journey: Journey, wide: int) -> Iterator[Span]:
    at = 0
    for node, group in groupby(journey.ladder, lambda rung: rung.node):
        count = len(list(group))
        yield Span(node, (at + count / 2) * wide, count * wide)
        at += count
