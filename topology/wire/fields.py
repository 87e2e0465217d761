"""Fields of headers: how a layout says where they lie, and the form in which their values are compared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

Value = int | str | bytes
Kind = int | str
"""The width of an integer in bits, or ``mac``, ``ip4``, ``ip6``, ``bytes``, ``text``."""

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_FAMILIES = {"ip4": AF_INET, "ip6": AF_INET6}
_BITS = {"mac": 48, "ip4": 32, "ip6": 128}


def kinds(layout: str) -> dict[str, Kind]:
    """``"ttl:8 src:ip4"`` as ``{"ttl": 8, "src": "ip4"}``."""
    pairs = (word.split(":") for word in layout.split())
    return {name: int(kind) if kind.isdigit() else kind for name, kind in pairs}


@cache
def _slices(layout: str) -> tuple[tuple[str, Kind, int, int], ...]:
    """Name, kind, width and shift of each field."""
    widths = {name: kind if isinstance(kind, int) else _BITS[kind] for name, kind in kinds(layout).items()}
    ends, left = [], sum(widths.values())
    for name, kind in kinds(layout).items():
        left -= widths[name]
        ends.append((name, kind, widths[name], left))
    return tuple(ends)


@cache
def size_of(layout: str) -> int:
    """Return the bytes that the fields of a layout fill."""
    return sum(width for _, _, width, _ in _slices(layout)) // 8


def unpack(layout: str, raw: bytes) -> dict[str, Value]:
    """Read the fields of a layout from exactly its bytes; fields named ``_…`` are left out."""
    number, found = int.from_bytes(raw), dict[str, Value]()
    for name, kind, mask, shift in _readable(layout):
        bits = number >> shift & mask
        found[name] = bits if isinstance(kind, int) else _read(kind, bits)
    return found


@cache
def _readable(layout: str) -> tuple[tuple[str, Kind, int, int], ...]:
    """Name, kind, mask and shift of each field that is read."""
    return tuple((name, kind, (1 << width) - 1, left) for name, kind, width, left in _slices(layout) if name[0] != "_")


def pack(layout: str, further: str, given: Mapping[str, Value]) -> bytes:
    """Return a header with these fields: all of the layout, 0 where not given, and the further ones that are given.

    Takes numbers and bytes only.
    """
    number = 0
    for name, _, width, _ in _slices(layout):
        number = number << width | int(given.get(name, 0))
    header = number.to_bytes(size_of(layout))
    for name, kind in kinds(further).items():
        if name in given:
            value = given[name]
            header += value if isinstance(value, bytes) else int(value).to_bytes(int(kind) // 8)
    return header


def _read(kind: str, bits: int) -> Value:
    raw = bits.to_bytes(_BITS[kind] // 8)
    return raw.hex(":") if kind == "mac" else inet_ntop(_FAMILIES[kind], raw)


def normal(kind: Kind, value: object) -> Value | None:
    """Return `value` in the form in which `decode` gives a field of that kind; None if it is none or more than one.

    Takes ints, bytes, MAC and IP addresses as text, `ipaddress` objects, scapy's flag values and single-host nets.
    """
    if isinstance(kind, int):
        return _number(value, kind)
    return _address(value, kind) if kind in _FAMILIES else _text(value, kind)


def _number(value: object, bits: int) -> Value | None:
    if type(value).__name__ == "FlagValue":  # scapy's; it has no __index__, and scapy is not imported here
        value = getattr(value, "value", None)
    return int(value) if isinstance(value, int) and 0 <= value < 1 << bits else None


def _address(value: object, kind: str) -> Value | None:
    if isinstance(value, IPv4Interface | IPv6Interface):
        value = value.ip
    if type(value).__name__ in ("Net", "Net6") and getattr(value, "count", 0) == 1:  # scapy's
        value = str(value)
    if not isinstance(value, str | IPv4Address | IPv6Address):
        return None
    family = _FAMILIES[kind]
    try:
        return inet_ntop(family, inet_pton(family, str(value)))
    except (OSError, ValueError):
        return None


def _text(value: object, kind: str) -> Value | None:
    if kind == "bytes":
        return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else None
    if kind == "mac":
        value = value.hex(":") if isinstance(value, bytes) else str(value).lower()
        return value if _MAC.fullmatch(value) else None
    return value if isinstance(value, str) else None
