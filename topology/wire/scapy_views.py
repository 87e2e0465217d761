"""scapy packets in and out: one as a pattern (`declared`), and a frame as one (`dissected`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pkgutil import resolve_name
from typing import Any

from topology.errors import Misuse, UnknownName
from topology.wire.layers.icmp import ICMPV6_CLASSES
from topology.wire.registry import LAYERS

Declared = list[tuple[str, dict[str, object]]]
"""A chain as it was written: layer names and the fields that were set, values not yet normalised."""

_LAYERS: Mapping[str, str] = {layer.scapy: name for name, layer in LAYERS.items() if layer.scapy} | {"Dot1AD": "dot1q"}
_ICMPV6_TYPES: Mapping[str, int] = {name: number for number, name in ICMPV6_CLASSES.items()}


def dissected(frame: bytes) -> Any:
    """Return an Ethernet frame as scapy guesses it: UDP from or to 4789 is VXLAN, to any other port it is not."""
    return resolve_name("scapy.layers.l2:Ether")(frame)


def declared(packet: object) -> Declared:
    """Return the chain of a scapy `packet`, outermost first, with the fields that were set explicitly.

    Two IP headers in a row get the ``ipip`` marker between them; scapy's Padding is left out; the `data` of
    an ICMPv6 echo becomes payload. Raises `UnknownName` for a scapy layer that is not decoded and `Misuse`
    for what is no scapy packet, or has a Raw layer without bytes (scapy does not tell ``Raw()`` from
    ``Raw(b"")``). Does not import scapy.
    """
    chain: Declared = []
    for layer in _scapy_layers(packet):
        kind = type(layer).__name__
        fields = {name: value for name, value in layer.fields.items() if _is_set(value)}
        if kind in _ICMPV6_TYPES:
            chain.extend(_icmpv6(_ICMPV6_TYPES[kind], fields))
            continue
        if kind not in _LAYERS:
            raise UnknownName("scapy layer", kind, [*_LAYERS, *_ICMPV6_TYPES])
        name = _LAYERS[kind]
        if name == "payload" and not fields:
            right = "Raw(bytes), no Raw for no payload, or Stack.of(…, ('payload', {})) for any payload"
            raise Misuse(f"stack, layer {len(chain)} Raw - has no bytes - expected {right} - seen Raw()")
        if name in ("ipv4", "ipv6") and chain and chain[-1][0] in ("ipv4", "ipv6"):
            chain.append(("ipip", {}))
        if kind == "Dot1AD" and chain:
            chain[-1][1].setdefault("type", 0x88A8)
        chain.append((name, _fields(kind, fields)))
    return chain


def _scapy_layers(packet: object) -> Iterator[Any]:
    """Yield the packet's own layers, without Padding and the NoPayload at the end."""
    layer: Any = packet
    while type(layer).__name__ != "NoPayload":
        if not isinstance(getattr(layer, "fields", None), dict) or not hasattr(layer, "payload"):
            seen = type(layer).__name__
            raise Misuse(f"stack - not a pattern - expected a scapy packet, or Stack.of(…) - seen {seen}")
        if type(layer).__name__ != "Padding":
            yield layer
        layer = layer.payload


def _is_set(value: object) -> bool:
    """Return whether a field was given: scapy keeps an empty list or b"" where none was, None means "fill in"."""
    return value is not None and not (isinstance(value, list | bytes | str) and not value)


def _fields(kind: str, fields: dict[str, object]) -> dict[str, object]:
    """Return the fields under our names; options, which scapy holds as a list of packets, as the bytes they make."""
    options = fields.get("options")
    if kind in ("IP", "GENEVE") and isinstance(options, list):
        raw = b"".join(bytes(option) for option in options)
        fields["options"] = raw + bytes(-len(raw) % 4)
    if kind == "ICMP":
        fields["version"] = 4
    return fields


def _icmpv6(kind: int, fields: dict[str, object]) -> Declared:
    """Return an ICMPv6 header of that type, and what scapy keeps in its `data` as the payload it is on the wire."""
    data = fields.pop("data", None)
    if "cksum" in fields:
        fields["chksum"] = fields.pop("cksum")
    chain: Declared = [("icmp", {"version": 6, "type": kind} | fields)]
    return chain if data is None else [*chain, ("payload", {"load": data})]
