"""Captures as evidence: for each packet its hop, its journey, and the promised headers that it kept or broke. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from reports.record.exhibits import Journey, Rung
from reports.render.captures import own_captures
from reports.render.pcapng import Key, commented
from reports.words import plain
from topology.wire.registry import UDP_PORTS


def annotated(capture: bytes, journeys: Iterable[Journey], name: str) -> Iterator[tuple[str, bytes]]:
    """The capture of a run with comments, under its file's name, and that of each failing journey under its own."""
    known = list(journeys)
    comments: dict[Key, list[str]] = {}
    for journey in known:
        for key, text in _comments(journey):
            comments.setdefault(key, []).append(text)
    texts = {key: "\n\n".join(dict.fromkeys(found)) for key, found in comments.items()}
    yield name, commented(capture, f"Open it with: {wireshark(known, name)}", texts)
    for place, file in own_captures(known).items():
        journey = known[place]
        own = dict(_comments(journey))
        about = f"{way_of(journey)}: {plain(journey.message)}\nOpen it with: {wireshark([journey], file)}"
        yield file, commented(capture, about, own, own.keys())


def wireshark(journeys: Iterable[Journey], file: str) -> str:
    """The command that shows a capture: ports of tunnels that Wireshark does not know by themselves are named."""
    return " ".join(["wireshark", *(f"-d udp.port=={port},{layer}" for layer, port in decode_as(journeys)), file])


def decode_as(journeys: Iterable[Journey]) -> list[tuple[str, int]]:
    """Tunnels on other than their assigned UDP ports, each as its header's name and the port."""
    found = set[tuple[str, int]]()
    for hop in (hop for journey in journeys for hop in journey.hops):
        for outer, inner in pairwise(hop.stack):
            port = outer.fields.get("dport")
            if outer.layer == "udp" and inner.layer in UDP_PORTS and isinstance(port, int):
                found |= {(inner.layer, port)} if port not in UDP_PORTS[inner.layer] else set()
    return sorted(found)


def way_of(journey: Journey) -> str:
    """A journey in few words."""
    return plain(f"{journey.source} -> {journey.target} ({journey.protocol})")


def _comments(journey: Journey) -> Iterator[tuple[Key, str]]:
    """A comment for each frame of a journey: those of its hops, and of requests for addresses on its ladder."""
    times = {f"{hop.node}:{hop.interface} {hop.direction}": hop.time_ns for hop in reversed(journey.hops)}
    seen = [rung for rung in journey.ladder if rung.seen is not None]
    start = journey.start_ns + (times.get(seen[0].where, 0) if seen else 0)
    texts: dict[Key, str] = {
        (f"{hop.node}:{hop.interface}", hop.direction, journey.start_ns + hop.time_ns): way_of(journey)
        for hop in journey.hops
    }
    for text, rung in _numbered(journey):
        if rung.time_ns is not None:
            texts[f"{rung.node}:{rung.interface}", rung.direction, start + rung.time_ns] = text
    yield from texts.items()


def _numbered(journey: Journey) -> Iterator[tuple[str, Rung]]:
    """Each rung with its comment; hops that nothing declares have no number. A loss is noted at the last good hop."""
    expected = sum(rung.expected is not None for rung in journey.ladder)
    number = 0
    test = f"\nof {plain(journey.test)}" if journey.test else ""
    for rung, following in zip(journey.ladder, [*journey.ladder[1:], None], strict=True):
        number += rung.expected is not None
        hop = f"hop {number} of {expected}" if rung.expected else "no declared hop"
        words = _words(rung)
        if following is journey.first_wrong and following is not None and following.seen is None:
            words += f"\n{_words(following)}"
        yield f"{hop}, {way_of(journey)}\n{words}{test}", rung


def _words(rung: Rung) -> str:
    """The promise about one hop, and whether it was kept."""
    if not rung.wrong:
        return plain(f"kept: {rung.expected}")
    if rung.seen is None:
        return plain(f"broke: expected at {rung.where}: {rung.expected}; seen nothing")
    return plain(f"broke: {rung.expected}: {rung.wrong}" if rung.expected else f"broke: {rung.wrong}")
