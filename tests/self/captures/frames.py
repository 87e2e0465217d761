"""Frames and captures as other tools write them."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from pathlib import Path

MACS = {"a": b"\x02\0\0\0\0\x0a", "b": b"\x02\0\0\0\0\x0b", "r": b"\x02\0\0\0\0\x0c"}
ECHO, ECHO_REPLY = 8, 0
SECOND = 1_000_000_000
Kept = tuple[int, bytes]
"""Time in ns, and a frame."""


def ether(source: str, target: str, content: bytes, kind: int = 0x0800) -> bytes:
    return MACS[target] + MACS[source] + struct.pack("!H", kind) + content


def ipv4(src: str, dst: str, protocol: int, content: bytes, ttl: int = 64, number: int = 1) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(content), number, 0x4000, ttl, protocol, 0)
    return head + ip_address(src).packed + ip_address(dst).packed + content


def echo(kind: int, number: int = 1) -> bytes:
    return struct.pack("!BBHHH", kind, 0, number * 7 & 0xFFFF, 99, number) + number.to_bytes(8) * 7


def request(ttl: int = 64, number: int = 1, back: bool = False) -> bytes:
    """An echo request from 42.0.0.1 to 42.0.0.2, or its answer."""
    ends = ("42.0.0.2", "42.0.0.1") if back else ("42.0.0.1", "42.0.0.2")
    return ipv4(*ends, 1, echo(ECHO_REPLY if back else ECHO, number), ttl, number)


def datagram(content: bytes, port: int, src: str = "10.0.0.1", dst: str = "10.0.0.2") -> bytes:
    return ipv4(src, dst, 17, struct.pack("!HHHH", 40000, port, 8 + len(content), 0) + content)


def vxlan(frame: bytes, vni: int = 42, port: int = 4789) -> bytes:
    return ether("r", "r", datagram(struct.pack("!II", 0x08000000, vni << 8) + frame, port))


def gre(packet: bytes) -> bytes:
    return ether("r", "r", ipv4("10.0.0.1", "10.0.0.2", 47, struct.pack("!HH", 0, 0x0800) + packet))


def pcap(frames: Iterable[Kept], order: str = "<", nano: bool = True, link: int = 1) -> bytes:
    """A file of pcap, in either byte order and unit of time."""
    out = [struct.pack(order + "IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, 262144, link)]
    for time_ns, frame in frames:
        seconds, ns = divmod(time_ns, SECOND)
        out += [struct.pack(order + "IIII", seconds, ns if nano else ns // 1000, len(frame), len(frame)), frame]
    return b"".join(out)


def pcapng(frames: Iterable[Kept], order: str = "<", resolution: int = 9, link: int = 1) -> bytes:
    """The same of pcapng, with a block that is not known."""

    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        return struct.pack(order + "II", kind, len(body) + 12) + body + struct.pack(order + "I", len(body) + 12)

    option = struct.pack(order + "HHB3x", 9, 1, resolution) + struct.pack(order + "HH", 0, 0)
    out = [block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)), block(0x0BAD, b"?")]
    out.append(block(1, struct.pack(order + "HHI", link, 0, 0) + option))
    per_second = 2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution
    for time_ns, frame in frames:
        ticks = time_ns * per_second // SECOND
        out.append(
            block(6, struct.pack(order + "IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, *[len(frame)] * 2) + frame)
        )
    return b"".join(out)


def folder(place: Path, captures: Mapping[str, Iterable[Kept]]) -> Path:
    """A folder of captures by their names."""
    place.mkdir(exist_ok=True)
    for name, frames in captures.items():
        (place / f"{name}.pcap").write_bytes(pcap(frames))
    return place
