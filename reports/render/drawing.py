"""The map of a run as SVG shapes: the lab's nodes in rows by role, links that packets crossed, places that diverged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from reports.record.model import Map, Record

ROWS = ("spine", "leaf", "switch", "customer")
NODES_MAX = 200
"""A larger lab's map would be wider than anyone reads."""
WIDTH, HEIGHT, ACROSS, DOWN = 104, 32, 124, 96
"""Pixels of a node, and between the centres of neighbours."""


@dataclass(frozen=True)
class Box:
    """A node: the centre of its box, its role, and whether packets first diverged there."""

    name: str
    role: str
    x: int
    y: int
    wrong: bool


@dataclass(frozen=True)
class Line:
    """A link between two boxes, and whether a packet was seen to cross it."""

    start: Box
    end: Box
    crossed: bool


@dataclass(frozen=True)
class Drawing:
    """The shapes, and the size of the whole."""

    width: int
    height: int
    boxes: list[Box]
    lines: list[Line]


def draw(record: Record) -> Drawing | None:
    """The map of a run; None where the record has none, or one too large to read."""
    if record.map is None or not 0 < len(record.map.nodes) <= NODES_MAX:
        return None
    wrong = {journey.divergence.node for journey in record.journeys if journey.divergence}
    wrong |= {cause.node for test in record.tests for cause in test.named}
    rows = [row for row in _rows(record.map) if row]
    widest = max(map(len, rows))
    boxes = [
        Box(name, role, (column * ACROSS) + (widest - len(row)) * ACROSS // 2 + ACROSS // 2, y, name in wrong)
        for y, row in zip(range(DOWN // 2, DOWN * len(rows), DOWN), rows, strict=True)
        for column, (name, role) in enumerate(row)
    ]
    known = {box.name: box for box in boxes}
    crossed = set(_crossed(record))
    lines = [
        Line(known[a], known[b], frozenset((a, b)) in crossed)
        for a, b in dict.fromkeys(record.map.links)
        if a in known and b in known
    ]
    return Drawing(widest * ACROSS, len(rows) * DOWN, boxes, lines)


def _rows(drawn: Map) -> Iterator[list[tuple[str, str]]]:
    for role in ROWS:
        yield [(place.name, place.role) for place in drawn.nodes if place.role == role]
    yield [(place.name, place.role) for place in drawn.nodes if place.role not in ROWS]


def _crossed(record: Record) -> Iterator[frozenset[str]]:
    """The pairs of nodes between which a packet was seen going out of one and next coming into the other."""
    for journey in record.journeys:
        for before, after in pairwise(journey.hops):
            if (before.direction, after.direction) == ("out", "in") and before.node != after.node:
                yield frozenset((before.node, after.node))
