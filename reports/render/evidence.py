"""Captures as evidence: for each packet its hop, its journey, and the promised headers that it kept or broke. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from reports.record.exhibits import Journey, Rung
from reports.record.model import Record
from reports.render.captures import own_captures
from reports.render.pcapng import Key, commented
from reports.words import plain
from topology.wire.registry import UDP_PORTS


def annotated(capture: bytes, record: Record, name: str) -> Iterator[tuple[str, bytes]]:
    """The capture of a run with comments, under its file's name, and that of each failing journey under its own."""
    comments: dict[Key, list[str]] = {}
    for journey in record.journeys:
        for key, text in _comments(journey):
            comments.setdefault(key, []).append(text)
    texts = {key: "\n\n".join(dict.fromkeys(found)) for key, found in comments.items()}
    yield name, commented(capture, f"Open it with: {wireshark(record, name)}", texts)
    for place, file in own_captures(record.journeys).items():
        journey = record.journeys[place]
        own = dict(_comments(journey))
        about = f"{way_of(journey)}: {plain(journey.message)}\nOpen it with: {wireshark(record, file)}"
        yield file, commented(capture, about, own, own.keys())


def wireshark(record: Record, file: str) -> str:
    """The command that shows a capture: ports of tunnels that Wireshark does not know by themselves are named."""
    return " ".join(["wireshark", *(f"-d udp.port=={port},{layer}" for layer, port in decode_as(record)), file])


def decode_as(record: Record) -> list[tuple[str, int]]:
    """Tunnels on other than their assigned UDP ports, declared or seen: each as its header's name and the port."""
    declared = record.lab.udp_ports if record.lab else {}
    found = {(layer, port) for layer, ports in declared.items() for port in ports}
    for hop in (hop for journey in record.journeys for hop in journey.hops):
        for outer, inner in pairwise(hop.stack):
            port = outer.fields.get("dport")
            if outer.layer == "udp" and inner.layer in UDP_PORTS and isinstance(port, int):
                found.add((inner.layer, port))
    return sorted((layer, port) for layer, port in found if port not in UDP_PORTS.get(layer, ()))


def way_of(journey: Journey) -> str:
    """A journey in few words."""
    return plain(f"{journey.source} -> {journey.target} ({journey.protocol})")


def _comments(journey: Journey) -> Iterator[tuple[Key, str]]:
    """A comment for each frame of a journey: those of its hops, and of requests for addresses on its ladder."""
    texts: dict[Key, str] = {
        (f"{hop.node}:{hop.interface}", hop.direction, journey.start_ns + hop.time_ns): way_of(journey)
        for hop in journey.hops
    }
    for text, rung in _numbered(journey):
        if rung.time_ns is not None:
            texts[f"{rung.node}:{rung.interface}", rung.direction, journey.ladder_ns + rung.time_ns] = text
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
