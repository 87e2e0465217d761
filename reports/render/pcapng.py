"""The capture as pcapng: one interface block per node and interface, timestamps in nanoseconds. Pure.

Format: the IETF's draft-ietf-opsawg-pcapng. scapy's writer has no nanoseconds, and its reader mixes up the interfaces
of several sections, which a run with workers writes.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator
from dataclasses import replace

from reports.evidence import Sighting
from reports.record.exhibits import Frame, Hop, Journey

SECTION, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6
LINKTYPE_ETHERNET, LINKTYPE_RAW = 1, 101
"""tcpdump.org/linktypes.html: frames with an Ethernet header; bare IP packets, as a GRE device shows them."""
IF_NAME, IF_TSRESOL, EPB_FLAGS = 2, 9, 2
NANOSECONDS = b"\x09"
INBOUND, OUTBOUND = 1, 2
DIGEST = 32
"""Hexadecimal digits of a frame's digest: 128 bits."""
Key = tuple[str, str, int]
"""A frame's interface as ``node:interface``, direction, and time in ns since the epoch."""


def pcapng(sightings: Iterable[Sighting]) -> bytes:
    """A capture file of every sighting, in the order of time; interfaces are called ``node:interface``."""
    return b"".join(_written(sorted(sightings, key=lambda seen: (seen.time_ns, seen.order))))


def _written(sightings: Iterable[Sighting]) -> Iterator[bytes]:
    yield _block(SECTION, struct.pack("=IHHq", 0x1A2B3C4D, 1, 0, -1))
    numbers: dict[tuple[str, str, bool], int] = {}
    for seen in sightings:
        key = (seen.node, seen.interface, seen.has_ethernet)
        if key not in numbers:
            numbers[key] = len(numbers)
            link_type = LINKTYPE_ETHERNET if seen.has_ethernet else LINKTYPE_RAW
            options = _option(IF_NAME, f"{seen.node}:{seen.interface}".encode()) + _option(IF_TSRESOL, NANOSECONDS)
            yield _block(INTERFACE, struct.pack("=HHI", link_type, 0, 0) + options + _option(0, b""))
        data, high, low = seen.wire, seen.time_ns >> 32, seen.time_ns & 0xFFFFFFFF
        head = struct.pack("=IIIII", numbers[key], high, low, len(data), max(seen.length, len(data)))
        flags = struct.pack("=I", OUTBOUND if seen.direction == "out" else INBOUND)
        yield _block(PACKET, head + _padded(data) + _option(EPB_FLAGS, flags) + _option(0, b""))


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("=I", len(body) + 12)
    return struct.pack("=I", kind) + size + body + size


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("=HH", code, len(value)) + _padded(value)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def with_frames(journeys: Iterable[Journey], capture: bytes) -> list[Journey]:
    """The journeys, each hop with the number and digest of its frame in a capture that ``pcapng`` wrote."""
    known = _frames(capture)

    def referring(hop: Hop, start: int) -> Hop:
        return replace(hop, frame=known.get((f"{hop.node}:{hop.interface}", hop.direction, start + hop.time_ns)))

    return [replace(each, hops=[referring(hop, each.start_ns) for hop in each.hops]) for each in journeys]


def _frames(capture: bytes) -> dict[Key, Frame]:
    """Every frame of a capture, numbered as Wireshark does; of two with one key the first."""
    found: dict[Key, Frame] = {}
    names: list[str] = []
    at = number = 0
    while at < len(capture):
        kind, size = struct.unpack_from("=II", capture, at)
        body, at = capture[at + 8 : at + size - 4], at + size
        if kind == SECTION:
            names = []
        elif kind == INTERFACE:
            (length,) = struct.unpack_from("=H", body, 10)
            names.append(body[12 : 12 + length].decode())
        else:
            number += 1
            interface, high, low, length = struct.unpack_from("=IIII", body)
            (way,) = struct.unpack_from("=I", body, 24 + length + -length % 4)
            digest = hashlib.sha256(body[20 : 20 + length]).hexdigest()[:DIGEST]
            key = (names[interface], "out" if way == OUTBOUND else "in", high << 32 | low)
            found.setdefault(key, Frame(number, digest))
    return found
