"""Writes sightings as pcapng: one interface block per node and interface, timestamps in nanoseconds. Pure.

Format: the IETF's draft-ietf-opsawg-pcapng. scapy's writer has no nanoseconds, so this is our own.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from reports.evidence import Sighting

SECTION, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6
LINKTYPE_ETHERNET, LINKTYPE_RAW = 1, 101
"""tcpdump.org/linktypes.html: frames with an Ethernet header; bare IP packets, as a GRE device shows them."""
IF_NAME, IF_TSRESOL, EPB_FLAGS = 2, 9, 2
NANOSECONDS = b"\x09"
INBOUND, OUTBOUND = 1, 2


def pcapng(sightings: Iterable[Sighting]) -> bytes:
    """A capture file of every sighting, in the order of time; interfaces are called ``node:interface``."""
    return b"".join(_blocks(sorted(sightings, key=lambda seen: (seen.time_ns, seen.order))))


def _blocks(sightings: Iterable[Sighting]) -> Iterator[bytes]:
    yield _block(SECTION, struct.pack("=IHHq", 0x1A2B3C4D, 1, 0, -1))
    numbers: dict[tuple[str, str, bool], int] = {}
    for seen in sightings:
        key = (seen.node, seen.interface, seen.has_ethernet)
        if key not in numbers:
            numbers[key] = len(numbers)
            link_type = LINKTYPE_ETHERNET if seen.has_ethernet else LINKTYPE_RAW
            options = _option(IF_NAME, f"{seen.node}:{seen.interface}".encode()) + _option(IF_TSRESOL, NANOSECONDS)
            yield _block(INTERFACE, struct.pack("=HHI", link_type, 0, 0) + options + _option(0, b""))
        yield _block(PACKET, _packet(seen, numbers[key]))


def _packet(seen: Sighting, interface: int) -> bytes:
    data = seen.wire
    high, low = seen.time_ns >> 32, seen.time_ns & 0xFFFFFFFF
    head = struct.pack("=IIIII", interface, high, low, len(data), max(seen.length, len(data)))
    way = OUTBOUND if seen.direction == "out" else INBOUND
    return head + _padded(data) + _option(EPB_FLAGS, struct.pack("=I", way)) + _option(0, b"")


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("=I", len(body) + 12)
    return struct.pack("=I", kind) + size + body + size


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("=HH", code, len(value)) + _padded(value)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
