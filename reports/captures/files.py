"""Reads captures frame by frame: pcap and pcapng, both byte orders, microseconds and nanoseconds.

Formats: the IETF's draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng. A file that ends within a frame, as a killed
tool leaves it, is read up to the frame before.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn, TypeAlias

from topology.errors import Misuse

Frame: TypeAlias = tuple[int, int, int, bytes]
"""Time in ns since the epoch, link type (tcpdump.org/linktypes.html), length on the wire, bytes that were kept."""
SUFFIXES = (".pcap", ".pcapng")
PCAPS = {
    struct.pack(order + "I", magic): (order, unit_ns)
    for order in "<>"
    for magic, unit_ns in ((0xA1B2C3D4, 1000), (0xA1B23C4D, 1))
}
SECTION_BYTES, ORDERS = b"\n\r\r\n", {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
INTERFACE, ENHANCED = 1, 6
TSRESOL, MICROSECONDS = 9, 6
FRAME_MAX, BLOCK_MAX, CHUNK = 1 << 18, 1 << 24, 1 << 20
"""Bytes of the largest frame (libpcap's MAXIMUM_SNAPLEN) and block, and of one read."""
EXPECTED = "expected a pcap or pcapng file"


@dataclass(frozen=True)
class Capture:
    """A file, and the node and interface that its name says: ``NODE--INTERFACE.pcap``."""

    node: str
    interface: str
    path: Path

    def frames(self) -> Iterator[Frame]:
        """Yield its frames in their order; Misuse, in one line, if the file is not a capture."""
        try:
            with self.path.open("rb", buffering=CHUNK) as file:
                magic = file.read(4)
                if magic in PCAPS:
                    yield from _pcap(file, self.path, *PCAPS[magic])
                elif magic == SECTION_BYTES:
                    yield from _pcapng(file, self.path)
                else:
                    _refuse(self.path, f"it starts with {magic.hex() or 'nothing'}")
        except OSError as error:
            raise Misuse(f"{self.path}: cannot be read: {error.strerror}") from None


def captures_in(folder: Path) -> list[Capture]:
    """Return the captures of a folder; Misuse for a folder without any, and for files of other names."""
    if not folder.is_dir():
        raise Misuse(f"--captures {folder}: no such folder; one with files NODE--INTERFACE.pcap or .pcapng")
    found = []
    for path in sorted(folder.iterdir()):
        if path.suffix in SUFFIXES:
            node, dashes, interface = path.stem.rpartition("--")
            if not dashes or not node or not interface:
                raise Misuse(f"{path}: its name says no node and interface; NODE--INTERFACE{path.suffix}")
            found.append(Capture(node, interface, path))
    if not found:
        raise Misuse(f"--captures {folder}: no capture in it; files NODE--INTERFACE.pcap or .pcapng")
    return found


def _refuse(path: Path, seen: str) -> NoReturn:
    raise Misuse(f"{path}: {EXPECTED} - seen {seen}")


def _pcap(file: IO[bytes], path: Path, order: str, unit_ns: int) -> Iterator[Frame]:
    head = file.read(20)
    if len(head) < 20:
        _refuse(path, "its end in the first header")
    link = struct.unpack(order + "HHiIII", head)[-1] & 0xFFFF
    record = struct.Struct(order + "IIII")
    while len(raw := file.read(record.size)) == record.size:
        seconds, fraction, kept, length = record.unpack(raw)
        if kept > FRAME_MAX:
            _refuse(path, f"a frame of {kept} bytes at byte {file.tell() - record.size}")
        data = file.read(kept)
        if len(data) < kept:
            return
        yield seconds * 1_000_000_000 + fraction * unit_ns, link, length, data


def _pcapng(file: IO[bytes], path: Path) -> Iterator[Frame]:
    order, interfaces, head = "", list[tuple[int, int]](), SECTION_BYTES + file.read(4)
    while len(head) == 8:
        start = file.tell() - 8
        is_section = head[:4] == SECTION_BYTES
        if is_section:
            order, interfaces = ORDERS.get(file.read(4), ""), []
            if not order:
                _refuse(path, f"no byte order at byte {start}")
        kind, size = struct.unpack(order + "II", head)
        left = size - (12 if is_section else 8)
        if not 4 <= left <= BLOCK_MAX or size % 4:
            _refuse(path, f"a block of {size} bytes at byte {start}")
        body = file.read(left)
        if len(body) < left:
            return
        try:
            if kind == INTERFACE:
                interfaces.append(_interface(order, body))
            elif kind == ENHANCED:
                yield _frame(order, body, interfaces)
        except (struct.error, IndexError, ValueError):
            _refuse(path, f"a damaged block at byte {start}")
        head = file.read(8)


def _interface(order: str, body: bytes) -> tuple[int, int]:
    """Return the link type of an interface block, and how many units of time a second has."""
    (link,), resolution, at = struct.unpack_from(order + "H", body), MICROSECONDS, 8
    while at + 8 <= len(body):  # an option's head, and the block's size behind the last one
        code, size = struct.unpack_from(order + "HH", body, at)
        if code == TSRESOL:
            resolution = body[at + 4]
        at += 4 + size + -size % 4
    return link, 2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution


def _frame(order: str, body: bytes, interfaces: list[tuple[int, int]]) -> Frame:
    number, high, low, kept, length = struct.unpack_from(order + "IIIII", body)
    if kept > min(FRAME_MAX, len(body) - 24):
        raise ValueError(f"a frame of {kept} bytes")
    link, per_second = interfaces[number]
    return (high << 32 | low) * 1_000_000_000 // per_second, link, length, body[20 : 20 + kept]
