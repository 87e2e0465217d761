"""Every layer by its name, and how the next layer is selected. The modules of `layers` are registered automatically."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules

from topology.errors import Misuse, UnknownName
from topology.wire import fields, layers
from topology.wire.fields import Kind, Value
from topology.wire.layer import Chain, Layer
from topology.wire.rules import Want
from topology.wire.walk import Tables


def _found() -> Iterator[Layer]:
    for module in sorted(iter_modules(layers.__path__), key=lambda one: one.name):
        values = vars(import_module(f"{layers.__name__}.{module.name}")).values()
        yield from (value for value in values if isinstance(value, Layer))


LAYERS: Mapping[str, Layer] = {layer.name: layer for layer in _found()}
FIELDS: Mapping[str, Mapping[str, Kind]] = {name: layer.fields for name, layer in LAYERS.items()}
"""Every layer with every field that a header of it can have."""
FOLLOWS: Mapping[str, frozenset[str]] = {
    name: layer.carries
    | {other.name for other in LAYERS.values() if name in other.over}
    | ({"payload"} if layer.payload else set())
    for name, layer in LAYERS.items()
}
"""Layers that can follow each, as `decode` reads frames."""
UDP_PORTS: Mapping[str, frozenset[int]] = {n: layer.udp_ports for n, layer in LAYERS.items() if layer.udp_ports}
"""The registered UDP ports of the layers that have some."""
TABLES = Tables(
    layouts={name: layer.layout for name, layer in LAYERS.items()},
    ethertypes={number: name for name, layer in LAYERS.items() for number in layer.ethertypes},
    tunnelled={layer.tunnelled_as: name for name, layer in LAYERS.items() if layer.tunnelled_as is not None},
    protocols={
        version: {number: name for name, layer in LAYERS.items() for number in layer.protocols.get(version, ())}
        for version in (4, 6)
    },
    owns={name: layer.owns for name, layer in LAYERS.items() if layer.owns},
)
PARSERS = {name: layer.parse for name, layer in LAYERS.items()}


def implied(chain: Chain, index: int) -> Iterator[Want]:
    """Yield rules of layer `index` of a pattern beyond the given fields; the rules are listed in `stack`."""
    name, given = chain[index]
    wants = LAYERS[name].implies(chain, index)
    yield from (want for want in wants if want.field not in given and want.unless not in given)


def pack(layer: str, given: Mapping[str, Value]) -> bytes:
    """Return the header of a layer with these fields, all others of its layout 0; numbers and bytes only."""
    return fields.pack(LAYERS[layer].layout, LAYERS[layer].further, given)


def normal(layer: str, name: str, value: object) -> Value:
    """Return `value` in the form in which `decode` gives the field `name` of `layer`.

    Raises `UnknownName` for a layer or field that is not decoded, `Misuse` for a value that is none or more than one.
    """
    if layer not in FIELDS:
        raise UnknownName("layer", layer, FIELDS)
    if name not in FIELDS[layer]:
        raise UnknownName(f"field of layer {layer}", name, FIELDS[layer])
    kind = FIELDS[layer][name]
    found = fields.normal(kind, value)
    if found is None:
        right = f"one integer of {kind} bits" if isinstance(kind, int) else f"one value ({kind})"
        raise Misuse(f"stack, {layer}.{name} - not a value to compare - expected {right} - seen {value!r}")
    return found
