"""The fabric as SVG shapes: nodes in layers, links and tunnels with their verdicts, and the path of each journey."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil
from typing import Literal

from reports.record.exhibits import Cause, Journey
from reports.record.model import Map, Tunnel
from reports.render.layout import LETTER, Box, arrange, shorten

LABELS_MAX, TUNNELS_MAX = 24, 120
"""More tunnels than this stand without words; of more, only those with a fault are drawn."""
LABEL = 30
"""Letters of a tunnel's words."""
HANG, LINE = range(46, 112, 6), 12
"""How far tunnels hang below their nodes at least, and at most; the height of their words."""
State = Literal["good", "bad", "unseen"]
Port = tuple[str, str]
TUNNEL_KINDS = ("vxlan", "gre", "gretap", "geneve", "ipip", "sit", "ip6tnl", "ip6gre", "ip6gretap")
OF_LINKS = ("link", "loss", "mtu", "qdisc")
OF_TUNNELS = (*TUNNEL_KINDS, *OF_LINKS, "fdb", "shared tunnel")
"""Kinds of causes that are about the link, or the tunnel, at their interface; others are about the node."""


@dataclass(frozen=True)
class Node:
    """A node's box; ``cause`` is one that a cause names, ``devices`` those of it that a cause is about."""

    box: Box
    cause: bool
    devices: set[str]


@dataclass(frozen=True)
class Line:
    """A link or a tunnel: its number, path, verdict and words; ``kind`` is that of a tunnel."""

    number: int
    path: str
    state: State
    title: str
    kind: str = ""
    label: str = ""
    x: float = 0
    y: float = 0


@dataclass(frozen=True)
class Way:
    """A journey's way: the numbers of its links, each with ``+`` from its first end on or ``-``, and its tunnels.

    ``?`` follows where the packet was expected and not seen, ``!`` where it was seen and not expected; a packet that
    was never sent has no way. ``leg`` tells the answer from the request; ``fault`` is the number of the cross where it
    first differs.
    """

    links: str
    tunnels: str
    leg: Literal["out", "back"]
    fault: str


@dataclass(frozen=True)
class Cross:
    """A hop at which packets first differ from the declaration: its middle, and its place in words."""

    x: float
    y: float
    title: str


@dataclass(frozen=True)
class Drawing:
    """The shapes, the size of the whole, the ways by the journeys' numbers, and tunnels that are not drawn."""

    width: int
    height: int
    nodes: list[Node]
    links: list[Line]
    tunnels: list[Line]
    crosses: list[Cross]
    ways: list[Way]
    hidden: int


def draw(drawn: Map | None, journeys: Sequence[Journey], causes: Iterable[Cause]) -> Drawing | None:
    """The fabric of a map; None where there is none, or one too large to read."""
    named = list(causes)
    about = {(one.node, one.interface or "") for one in named}
    placed = arrange(_first(about, drawn)) if drawn is not None else None
    if drawn is None or placed is None:
        return None
    boxes = {box.name: box for box in placed.boxes}
    ends = _ports(drawn)
    faults = _faults(journeys)
    unexplained = {place for number, place in faults.items() if not journeys[number].causes}
    bad_links, bad_tunnels = (
        unexplained | {(one.node, one.interface or "") for one in named if one.kind in kinds}
        for kinds in (OF_LINKS, OF_TUNNELS)
    )
    links = list(_links(drawn, boxes, _seen(journeys, ends), bad_links))
    tunnels = list(_tunnels(drawn, boxes, journeys, bad_tunnels))
    kept = tunnels if len(tunnels) <= TUNNELS_MAX else [line for line in tunnels if line.state == "bad"]
    places = [place for place in dict.fromkeys(faults.values()) if place[0] in boxes]
    crosses = [_cross(place, boxes, drawn, ends) for place in places]
    ways = list(_ways(journeys, ends, drawn.tunnels, {n: places.index(at) for n, at in faults.items() if at in places}))
    guilty = {cause.node for cause in named}
    nodes = [Node(box, box.name in guilty, {port for node, port in about if node == box.name}) for box in placed.boxes]
    height = ceil(max([placed.height, *(line.y + LINE for line in kept)]))
    return Drawing(placed.width, height, nodes, links, kept, crosses, ways, len(tunnels) - len(kept))


def _first(named: set[Port], drawn: Map) -> Map:
    """The map with devices that a cause names before the others of their node, some of which are left out."""
    places = [
        replace(place, parts=sorted(place.parts, key=lambda part: (place.name, part.partition(":")[0]) not in named))
        for place in drawn.nodes
    ]
    return replace(drawn, nodes=places)


def unanswered(journeys: Sequence[Journey]) -> set[int]:
    """The places of answers that were never sent, because their requests were lost."""
    lost: set[tuple[str, str, str]] = set()
    found = set()
    for place, journey in enumerate(journeys):
        if (journey.test, journey.target, journey.source) in lost and not journey.hops:
            found.add(place)
        elif not journey.arrived:
            lost.add((journey.test, journey.source, journey.target))
    return found


def answers(journeys: Sequence[Journey]) -> set[int]:
    """The places of answers: the way back of an earlier journey of the same test."""
    known: set[tuple[str, str, str]] = set()
    found = set()
    for place, journey in enumerate(journeys):
        if (journey.test, journey.target, journey.source) in known:
            found.add(place)
        known.add((journey.test, journey.source, journey.target))
    return found


def _faults(journeys: Sequence[Journey]) -> Mapping[int, Port]:
    """Where each broken journey first differs, by its place; an answer that was never sent is no fault."""
    silent = unanswered(journeys)
    wrong = {place: one.first_wrong for place, one in enumerate(journeys) if place not in silent}
    return {place: (rung.node, rung.interface) for place, rung in wrong.items() if rung}


def _cross(place: Port, boxes: Mapping[str, Box], drawn: Map, ends: Mapping[Port, tuple[int, str]]) -> Cross:
    """On the link beside the node, else at the node's lower side, where tunnels begin."""
    box, title = boxes[place[0]], f"packets first differ at {place[0]}:{place[1]}"
    link = ends.get(place)
    far = boxes.get(drawn.links[link[0]][link[1] == "+"]) if link else None
    if far is None or far.y == box.y:
        return Cross(box.x - box.width / 4, box.bottom + 2, title)
    start, end = (box.top, far.bottom) if far.y < box.y else (box.bottom, far.top)
    return Cross(round(box.x + (far.x - box.x) * 0.28, 1), round(start + (end - start) * 0.28, 1), title)


def _ports(drawn: Map) -> Mapping[Port, tuple[int, str]]:
    """The link at each port, and ``+`` at its first end."""
    found: dict[Port, tuple[int, str]] = {}
    for number, (nodes, ports) in enumerate(zip(drawn.links, drawn.ports, strict=False)):
        found[nodes[0], ports[0]], found[nodes[1], ports[1]] = (number, "+"), (number, "-")
    return found


def _crossings(journey: Journey, ends: Mapping[Port, tuple[int, str]]) -> Iterator[str]:
    """The links that a packet was to go out by and come in from, in order, as in ``Way``."""
    for out, into in pairwise(journey.ladder):
        here, there = ends.get((out.node, out.interface)), ends.get((into.node, into.interface))
        if here and there and out.direction == "out" and into.direction == "in" and here[0] == there[0]:
            odd = "?" if not (out.seen and into.seen) else "" if out.expected else "!"
            yield f"{here[0]}{here[1]}{odd}"


def _seen(journeys: Iterable[Journey], ends: Mapping[Port, tuple[int, str]]) -> set[int]:
    every = (crossing for journey in journeys for crossing in _crossings(journey, ends))
    return {int(crossing.rstrip("+-!")) for crossing in every if not crossing.endswith("?")}


def _links(drawn: Map, boxes: Mapping[str, Box], seen: set[int], bad: set[Port]) -> Iterator[Line]:
    beside: dict[frozenset[str], int] = {}
    total = Counter(map(frozenset, drawn.links))
    for number, (a, b) in enumerate(drawn.links):
        ports = drawn.ports[number] if number < len(drawn.ports) else ("", "")
        if a not in boxes or b not in boxes:
            continue
        pair = frozenset((a, b))
        at = beside[pair] = beside.get(pair, -1) + 1
        shift = (at - (total[pair] - 1) / 2) * 18
        state: State = "bad" if {(a, ports[0]), (b, ports[1])} & bad else "good" if number in seen else "unseen"
        title = f"{a}:{ports[0]} – {b}:{ports[1]}" if ports[0] else f"{a} – {b}"
        yield Line(number, _straight(boxes[a], boxes[b], shift), state, title)


def _straight(a: Box, b: Box, shift: float) -> str:
    """A line between the facing sides of two boxes; an arc above boxes of one row that are not neighbours."""
    if a.y == b.y:
        left, right = sorted((a, b), key=lambda box: box.x)
        return (
            f"M{left.x:g} {left.top:g}Q{(left.x + right.x) / 2:g} {left.top - 40 - shift:g} {right.x:g} {right.top:g}"
        )
    upper, lower = sorted((a, b), key=lambda box: box.y)
    path = (upper.x + shift, upper.bottom, lower.x + shift, lower.top)
    x, y, u, v = path if a is upper else (path[2], path[3], path[0], path[1])
    return f"M{x:g} {y:g}L{u:g} {v:g}"


def _tunnels(drawn: Map, boxes: Mapping[str, Box], journeys: Sequence[Journey], bad: set[Port]) -> Iterator[Line]:
    carried = {
        (rung.node, rung.interface, rung.direction) for journey in journeys for rung in journey.ladder if rung.seen
    }
    words = len(drawn.tunnels) <= LABELS_MAX
    taken: list[tuple[float, float, int]] = []
    for number, tunnel in sorted(enumerate(drawn.tunnels), key=lambda item: not set(item[1].ends) & bad):
        one, two = tunnel.ends
        if one[0] not in boxes or two[0] not in boxes:
            continue
        used = any((*a, "out") in carried and (*b, "in") in carried for a, b in ((one, two), (two, one)))
        state: State = "bad" if {one, two} & bad else "good" if used else "unseen"
        ends = boxes[one[0]], boxes[two[0]]
        line = _free(*ends, shorten(tunnel.title, LABEL), taken) if words else (*_arc(*ends, HANG[number % 3]), "")
        path, x, y, label = line
        title = f"{tunnel.title}: {one[0]}:{one[1]} – {two[0]}:{two[1]}"
        kind = tunnel.kind if tunnel.kind in TUNNEL_KINDS else "other"
        yield Line(number, path, state, title, kind, label, x, y)


def _free(a: Box, b: Box, label: str, taken: list[tuple[float, float, int]]) -> tuple[str, float, float, str]:
    """The highest of some curves whose words stand clear of others', of which ``taken`` are the middles and letters.

    The last one, without words, where there is none.
    """
    for low in HANG:
        path, x, y = _arc(a, b, low)
        if all(abs(x - u) > (len(label) + count) * LETTER / 2 or abs(y - v) > LINE for u, v, count in taken):
            taken.append((x, y, len(label)))
            return path, x, y, label
    return path, x, y, ""


def _arc(a: Box, b: Box, low: int) -> tuple[str, float, float]:
    """A curve that hangs so far below its two boxes, and where its words stand."""
    left, right = sorted((a, b), key=lambda box: (box.x, box.y))
    x, start, end = (left.x + right.x) / 2, left.bottom, right.bottom
    if left.name == right.name:
        return f"M{left.x - 12:g} {start:g}q12 {low - 16} 24 0", x, start + low / 2
    inner, outer, bend = left.x + left.width / 4, right.x - right.width / 4, low + max(start, end)
    path = f"M{inner:g} {start:g}C{inner + 24:g} {bend:g} {outer - 24:g} {bend:g} {outer:g} {end:g}"
    return path, x, (start + end) / 8 + bend * 3 / 4


def _ways(
    journeys: Sequence[Journey],
    ends: Mapping[Port, tuple[int, str]],
    tunnels: Sequence[Tunnel],
    crosses: Mapping[int, int],
) -> Iterator[Way]:
    silent, back = unanswered(journeys), answers(journeys)
    for at, journey in enumerate(journeys):
        seen = {(rung.node, rung.interface) for rung in journey.ladder if rung.seen}
        passed = " ".join(str(number) for number, tunnel in enumerate(tunnels) if set(tunnel.ends) <= seen)
        links = "" if at in silent else " ".join(_crossings(journey, ends))
        yield Way(links, passed, "back" if at in back else "out", str(crosses.get(at, "")))
