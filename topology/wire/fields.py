"""The fields of every layer: where they lie in a header, and the form in which their values are compared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from topology.errors import Misuse, UnknownName

Value = int | str | bytes
Kind = int | str
"""The width of an integer in bits, or ``mac``, ``ip4``, ``ip6``, ``bytes``, ``text``."""

LAYOUTS: Mapping[str, str] = {
    "ether": "dst:mac src:mac type:16",
    "dot1q": "prio:3 dei:1 vlan:12 type:16",
    "arp": "hwtype:16 ptype:16 hwlen:8 plen:8 op:16",
    "ipv4": "version:4 ihl:4 tos:8 len:16 id:16 flags:3 frag:13 ttl:8 proto:8 chksum:16 src:ip4 dst:ip4",
    "ipv6": "version:4 tc:8 fl:20 plen:16 nh:8 hlim:8 src:ip6 dst:ip6",
    "icmp": "type:8 code:8 chksum:16",
    "udp": "sport:16 dport:16 len:16 chksum:16",
    "tcp": "sport:16 dport:16 seq:32 ack:32 dataofs:4 reserved:3 flags:9 window:16 chksum:16 urgptr:16",
    "gre": "chksum_present:1 routing_present:1 key_present:1 seqnum_present:1 strict_route_source:1"
    " recursion_control:3 flags:5 version:3 proto:16",
    "vxlan": "flags:8 reserved1:24 vni:24 reserved2:8",
    "geneve": "version:2 optionlen:6 oam:1 critical:1 reserved:6 proto:16 vni:24 reserved2:8",
    "ipip": "",
    "payload": "",
}
"""The fields that every header of a layer starts with, in the order of their bits."""

_FURTHER: Mapping[str, str] = {
    "arp": "hwsrc:mac psrc:ip4 hwdst:mac pdst:ip4",
    "ipv4": "options:bytes",
    "ipv6": "ext:text jumbo:32",
    "icmp": "version:4 id:16 seq:16 nexthopmtu:16 gw:ip4 mtu:32 ptr:32",
    "gre": "chksum:16 offset:16 key:32 sequence_number:32 payload_len:16 call_id:16 ack_number:32",
    "geneve": "options:bytes",
    "payload": "load:bytes",
}
"""The fields that only some headers of a layer have."""

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_FAMILIES = {"ip4": AF_INET, "ip6": AF_INET6}
_BITS = {"mac": 48, "ip4": 32, "ip6": 128}


def _kinds(layout: str) -> dict[str, Kind]:
    """``"ttl:8 src:ip4"`` as ``{"ttl": 8, "src": "ip4"}``."""
    pairs = (word.split(":") for word in layout.split())
    return {name: int(kind) if kind.isdigit() else kind for name, kind in pairs}


FIELDS: Mapping[str, Mapping[str, Kind]] = {
    layer: _kinds(f"{layout} {_FURTHER.get(layer, '')}") for layer, layout in LAYOUTS.items()
}
"""Every layer with every field that a header of it can have."""


@cache
def _slices(layout: str) -> tuple[tuple[str, Kind, int, int], ...]:
    """Name, kind, width and shift of each field."""
    widths = {name: kind if isinstance(kind, int) else _BITS[kind] for name, kind in _kinds(layout).items()}
    ends, left = [], sum(widths.values())
    for name, kind in _kinds(layout).items():
        left -= widths[name]
        ends.append((name, kind, widths[name], left))
    return tuple(ends)


@cache
def size_of(layout: str) -> int:
    """Return the bytes that the fields of a layout fill."""
    return sum(width for _, _, width, _ in _slices(layout)) // 8


def unpack(layout: str, raw: bytes) -> dict[str, Value]:
    """Read the fields of a layout from exactly its bytes; fields named ``_…`` are left out."""
    number = int.from_bytes(raw)
    found = ((name, kind, width, number >> shift) for name, kind, width, shift in _slices(layout))
    return {name: _read(kind, bits & (1 << width) - 1) for name, kind, width, bits in found if name[0] != "_"}


def pack(layer: str, fields: Mapping[str, Value]) -> bytes:
    """Return the header of a layer with these fields, all others 0; numbers and bytes only."""
    number = 0
    for name, _, width, _ in _slices(LAYOUTS[layer]):
        number = number << width | int(fields.get(name, 0))
    header = number.to_bytes(size_of(LAYOUTS[layer]))
    for name, kind in _kinds(_FURTHER.get(layer, "")).items():
        if name in fields:
            value = fields[name]
            header += value if isinstance(value, bytes) else int(value).to_bytes(int(kind) // 8)
    return header


def _read(kind: Kind, bits: int) -> Value:
    if isinstance(kind, int):
        return bits
    raw = bits.to_bytes(_BITS[kind] // 8)
    return raw.hex(":") if kind == "mac" else inet_ntop(_FAMILIES[kind], raw)


def normal(layer: str, name: str, value: object) -> Value:
    """Return `value` in the form in which `decode` gives the field `name` of `layer`.

    Takes ints, bytes, MAC and IP addresses as text, `ipaddress` objects, scapy's flag values and single-host
    nets. Raises `UnknownName` for a layer or field that is not decoded, `Misuse` for a value that is none or
    more than one.
    """
    if layer not in FIELDS:
        raise UnknownName("layer", layer, FIELDS)
    if name not in FIELDS[layer]:
        raise UnknownName(f"field of layer {layer}", name, FIELDS[layer])
    kind = FIELDS[layer][name]
    if isinstance(kind, int):
        found = _number(value, kind)
    elif kind in _FAMILIES:
        found = _address(value, kind)
    else:
        found = _text(value, kind)
    if found is None:
        right = f"one integer of {kind} bits" if isinstance(kind, int) else f"one value ({kind})"
        raise Misuse(f"stack, {layer}.{name} - not a value to compare - expected {right} - seen {value!r}")
    return found


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
