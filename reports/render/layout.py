"""The layout of a fabric's nodes: rows by role, each node near those that it is linked with. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, sqrt
from statistics import fmean

from reports.record.model import Map, Place
from reports.words import grouped

NODES_MAX = 400
"""A larger lab's picture would be wider than anyone reads."""
GAP, WIDE_GAP, DOWN, MARGIN = 10, 54, 92, 24
"""Pixels between neighbours of a row with many, of one with few, between rows, and around the whole."""
NAME_MAX, LETTER = 14, 7.3
"""Letters of a name or a part that are shown, and their width."""
PARTS_MAX = 3
FEW = 12
"""A row of so many nodes stands with its parts; in a longer one names stand alone, and below one parent in a block."""


@dataclass(frozen=True)
class Box:
    """A node: the centre and size of its box, and its bridges and tunnel ends as far as they are shown."""

    name: str
    role: str
    parts: tuple[str, ...]
    x: float
    y: float
    width: float
    height: float

    @property
    def top(self) -> float:
        """Its upper side."""
        return self.y - self.height / 2

    @property
    def bottom(self) -> float:
        """Its lower side."""
        return self.y + self.height / 2


@dataclass(frozen=True)
class Placed:
    """All boxes, and the size of the whole."""

    width: int
    height: int
    boxes: list[Box]


@dataclass(frozen=True)
class _Block:
    """Nodes of one row that keep together, in columns; a node for itself in most rows."""

    nodes: tuple[Place, ...]
    columns: int
    cell: float
    gap: int
    compact: bool

    @property
    def width(self) -> float:
        return self.columns * (self.cell + self.gap) - self.gap


def shorten(text: str, letters: int) -> str:
    """The text within so many letters, with an ellipsis in its middle where it is longer."""
    letters = max(letters, 2)
    if len(text) <= letters:
        return text
    tail = (letters - 1) // 2
    return f"{text[: letters - 1 - tail]}…{text[len(text) - tail :]}"


def arrange(drawn: Map) -> Placed | None:
    """Place the nodes of a map; None where there are none, or too many."""
    if not 0 < len(drawn.nodes) <= NODES_MAX:
        return None
    near = _neighbours(drawn)
    rows = _in_order(drawn, near)
    blocks = [_blocks(row, near, {place.name for place in drawn.nodes if place.forwards}) for row in rows]
    centres: dict[str, float] = {}
    middles: dict[int, list[float]] = {}
    for number in reversed(range(len(rows))):
        middles[number] = _spread(blocks[number], centres, near)
        for block, x in zip(blocks[number], middles[number], strict=True):
            centres |= dict.fromkeys((place.name for place in block.nodes), x)
    return _placed(blocks, middles)


def _neighbours(drawn: Map) -> Mapping[str, list[str]]:
    near: dict[str, list[str]] = {place.name: [] for place in drawn.nodes}
    for a, b in drawn.links:
        if a in near and b in near:
            near[a].append(b)
            near[b].append(a)
    return near


def _in_order(drawn: Map, near: Mapping[str, list[str]]) -> list[list[Place]]:
    """The rows, one for each role, from the second on in the order of what they are linked with above."""
    rows = list(grouped(drawn.nodes, lambda place: place.role).values())
    rank: dict[str, float] = {}
    for number, row in enumerate(rows):
        if number > 1 or (number == 1 and not row[0].forwards):
            row.sort(key=lambda place: fmean([rank[name] for name in near[place.name] if name in rank] or [1e9]))
        rank |= {place.name: float(at) / len(row) for at, place in enumerate(row)}
    return rows


def _blocks(row: Sequence[Place], near: Mapping[str, list[str]], routers: Collection[str]) -> list[_Block]:
    few = len(row) <= FEW
    if few or row[0].forwards:
        return [_Block((place,), 1, _width(place, not few), WIDE_GAP if few else GAP, not few) for place in row]
    above = {place.name: next(iter(near[place.name]), "") for place in row}
    if len(set(above.values())) > FEW:
        switches = (name for name in near if name not in routers)
        leaves = {name: next((leaf for leaf in near[name] if leaf in routers), name) for name in switches}
        above = {name: leaves.get(parent, parent) for name, parent in above.items()}
    cell = max(_width(place, True) for place in row)
    every = grouped(row, lambda place: above[place.name]).values()
    return [
        _Block(tuple(group), ceil(sqrt(len(group) * 1.5)) if len(group) > 4 else 1, cell, GAP, True) for group in every
    ]


def _width(place: Place, compact: bool) -> float:
    longest = max(len(text) for text in (place.name, *_shown(place, compact)))
    return max(44.0, min(longest, NAME_MAX) * LETTER + 18)


def _shown(place: Place, compact: bool) -> tuple[str, ...]:
    parts = () if compact else tuple(part.partition(":")[0] for part in place.parts)
    more = len(parts) - PARTS_MAX
    return parts if more <= 0 else (*parts[: PARTS_MAX - 1], f"and {more + 1} more")


def _spread(blocks: Sequence[_Block], centres: Mapping[str, float], near: Mapping[str, list[str]]) -> list[float]:
    """The middle of each block: below or above what it is linked with, in order and without overlap."""
    gap = blocks[0].gap
    wide = sum(block.width for block in blocks) + gap * (len(blocks) - 1)
    below = list(centres.values())
    middle, at = (fmean([min(below), max(below)]) if below else 0.0), 0.0
    wanted = []
    for block in blocks:
        linked = [centres[name] for place in block.nodes for name in near[place.name] if name in centres]
        even = middle - wide / 2 + at + block.width / 2
        wanted.append(fmean(linked) if linked else even)
        at += block.width + gap
    found: list[float] = []
    for block, x in zip(blocks, wanted, strict=True):
        free = found[-1] + (blocks[len(found) - 1].width + block.width) / 2 + gap if found else x
        found.append(max(x, free))
    shift = fmean(wanted) - fmean(found)
    return [x + shift for x in found]


def _placed(blocks: Sequence[Sequence[_Block]], middles: Mapping[int, list[float]]) -> Placed:
    boxes: list[Box] = []
    top = float(MARGIN)
    for number, row in enumerate(blocks):
        height = 30.0 + 14 * max(len(_shown(place, block.compact)) for block in row for place in block.nodes)
        lines = max(ceil(len(block.nodes) / block.columns) for block in row)
        for block, x in zip(row, middles[number], strict=True):
            boxes += _in_block(block, x, top + height / 2, height)
        top += lines * (height + 10) - 10 + DOWN
    left = min(box.x - box.width / 2 for box in boxes) - MARGIN
    right = max(box.x + box.width / 2 for box in boxes) + MARGIN
    moved = [replace(box, x=round(box.x - left, 1)) for box in boxes]
    return Placed(ceil(right - left), ceil(top - DOWN + MARGIN + 24), moved)


def _in_block(block: _Block, x: float, y: float, height: float) -> list[Box]:
    left = x - block.width / 2 + block.cell / 2
    return [
        Box(
            place.name,
            place.role,
            _shown(place, block.compact),
            left + (at % block.columns) * (block.cell + block.gap),
            y + (at // block.columns) * (height + 10),
            block.cell,
            height,
        )
        for at, place in enumerate(block.nodes)
    ]
