"""References from hops to the frames of a capture file that hopcheck wrote."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from reports.record.exhibits import Frame, Hop, Journey
from reports.render.pcapng import IF_NAME, INTERFACE, OUTBOUND, PACKET, SECTION

DIGEST = 32
"""Hexadecimal digits of a digest: 128 bits."""
Key = tuple[str, str, int]
"""A frame's interface as ``node:interface``, direction, and time in ns since the epoch."""


def with_frames(journeys: Iterable[Journey], capture: bytes) -> list[Journey]:
    """The journeys, each hop with the number and digest of its frame in the capture."""
    known = _frames(capture)
    return [replace(each, hops=[_referring(hop, each.start_ns, known) for hop in each.hops]) for each in journeys]


def _referring(hop: Hop, start: int, known: Mapping[Key, Frame]) -> Hop:
    key = (f"{hop.node}:{hop.interface}", hop.direction, start + hop.time_ns)
    return replace(hop, frame=known.get(key))


def _frames(capture: bytes) -> dict[Key, Frame]:
    """Every frame of a capture, numbered as Wireshark does; of two with one key the first."""
    found: dict[Key, Frame] = {}
    names: list[str] = []
    number = 0
    for kind, body in _blocks(capture):
        if kind == SECTION:
            names = []
        elif kind == INTERFACE:
            code, length = struct.unpack_from("=HH", body, 8)
            assert code == IF_NAME
            names.append(body[12 : 12 + length].decode())
        elif kind == PACKET:
            number += 1
            interface, high, low, length = struct.unpack_from("=IIII", body)
            (way,) = struct.unpack_from("=I", body, 24 + length + -length % 4)
            digest = hashlib.sha256(body[20 : 20 + length]).hexdigest()[:DIGEST]
            key = (names[interface], "out" if way == OUTBOUND else "in", high << 32 | low)
            found.setdefault(key, Frame(number, digest))
    return found


def _blocks(capture: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(capture):
        kind, size = struct.unpack_from("=II", capture, at)
        yield kind, capture[at + 8 : at + size - 4]
        at += size
