"""The capture as pcapng: one interface block per node and interface, timestamps in nanoseconds. Pure.

Format: the IETF's draft-ietf-opsawg-pcapng. scapy's writer has no nanoseconds, and its reader mixes up the interfaces
of several sections, which a run with workers writes.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from reports.evidence import Sighting
from reports.record.exhibits import Frame, Hop, Journey, Rung

SECTION, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6
LINKTYPE_ETHERNET, LINKTYPE_RAW = 1, 101
"""tcpdump.org/linktypes.html: frames with an Ethernet header; bare IP packets, as a GRE device shows them."""
COMMENT, IF_NAME, IF_TSRESOL, EPB_FLAGS = 1, 2, 9, 2
COMMENT_MAX = 0xFFFF
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
    """The journeys, each hop with the number and digest of its frame in a capture that ``pcapng`` wrote.

    A hop of a ladder that is none of the packet's own has them, too. Frames are numbered as Wireshark does; of two with
    one key the first counts.
    """
    known: dict[Key, Frame] = {}
    for number, packet in enumerate((block for block in _blocks(capture) if block.key), 1):
        if packet.key and packet.key not in known:
            known[packet.key] = Frame(number, hashlib.sha256(packet.data).hexdigest()[:DIGEST])

    return [_with_frames(journey, known) for journey in journeys]


def _with_frames(journey: Journey, known: Mapping[Key, Frame]) -> Journey:
    def frame(at: Hop | Rung, time_ns: int) -> Frame | None:
        return known.get((f"{at.node}:{at.interface}", at.direction, time_ns))

    hops = [replace(hop, frame=frame(hop, journey.start_ns + hop.time_ns)) for hop in journey.hops]
    ladder = [
        replace(rung, frame=frame(rung, journey.ladder_ns + (rung.time_ns or 0))) if rung.got else rung
        for rung in journey.ladder
    ]
    return replace(journey, hops=hops, ladder=ladder)


def commented(capture: bytes, about: str, comments: Mapping[Key, str], only: Collection[Key] | None = None) -> bytes:
    """A capture that ``pcapng`` wrote, with a comment about all of it and one for each packet that has one.

    With ``only`` the other packets are left out; of several packets with one key the first stays.
    """
    kept, seen = list[bytes](), set[Key]()
    for block in _blocks(capture):
        if block.kind == SECTION:
            kept.append(_with_comment(block.whole, about))
        elif block.key is None:
            kept.append(block.whole)
        elif only is None or (block.key in only and block.key not in seen):
            seen.add(block.key)
            kept.append(_with_comment(block.whole, comments.get(block.key, "")))
    return b"".join(kept)


def _with_comment(block: bytes, comment: str) -> bytes:
    """A block with one more option, a comment of at most 65 535 bytes; a section has no other options."""
    (kind,) = struct.unpack_from("=I", block)
    body = block[8:-4] if kind == SECTION else block[8:-8]
    text = comment.encode("utf-8", "replace")[:COMMENT_MAX].decode("utf-8", "ignore").encode()
    return _block(kind, body + _option(COMMENT, text) + _option(0, b"")) if comment else block


@dataclass(frozen=True)
class _Block:
    """A block of a capture; a packet has a key and its frame's bytes."""

    kind: int
    whole: bytes
    key: Key | None = None
    data: bytes = b""


def _blocks(capture: bytes) -> Iterator[_Block]:
    """The blocks of all sections of a capture that ``pcapng`` wrote."""
    names: list[str] = []
    at = 0
    while at < len(capture):
        kind, size = struct.unpack_from("=II", capture, at)
        whole, at = capture[at : at + size], at + size
        if kind == PACKET:
            interface, high, low, length = struct.unpack_from("=IIII", whole, 8)
            (way,) = struct.unpack_from("=I", whole, 32 + length + -length % 4)
            key = (names[interface], "out" if way == OUTBOUND else "in", high << 32 | low)
            yield _Block(kind, whole, key, whole[28 : 28 + length])
            continue
        if kind == SECTION:
            names = []
        elif kind == INTERFACE:
            (length,) = struct.unpack_from("=H", whole, 18)
            names.append(whole[20 : 20 + length].decode())
        yield _Block(kind, whole)
