"""One line for people: a chain of headers, seen or expected, in the same words, to stand side by side."""

from __future__ import annotations

from collections.abc import Iterable

from topology.wire.layer import Fields
from topology.wire.registry import LAYERS


def describe(chain: Iterable[tuple[str, Fields]]) -> str:
    """Return the chain as ``ether / ipv4 26.0.0.2>28.0.0.2 ttl 63 / gre / …``, without fields that are not given."""
    return " / ".join(_words(layer, fields) for layer, fields in chain)


def _words(layer: str, fields: Fields) -> str:
    if layer == "payload":
        load = fields.get("load")
        if not isinstance(load, bytes):
            return "any bytes"
        return "1 byte" if len(load) == 1 else f"{len(load)} bytes"
    name = "icmpv6" if layer == "icmp" and fields.get("version") == 6 else layer
    return " ".join([name, *(LAYERS[layer].words(fields) if layer in LAYERS else ())])
