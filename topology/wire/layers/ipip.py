"""The marker before an IP header directly in another one (RFC 2003, 2473, 4213): a layer without bytes."""

from __future__ import annotations

from topology.wire.layer import Layer
from topology.wire.walk import Step, Walk

PROTOCOLS = {4: "ipv4", 41: "ipv6"}
"""The protocol numbers that lead to an inner IP header."""


def ipip(walk: Walk, at: int) -> Step:
    """Add the marker; the protocol number of the outer header says which IP version follows."""
    return PROTOCOLS[walk.protocol], walk.add("ipip", {}, at, 0)


IPIP = Layer(
    "ipip",
    ipip,
    over=frozenset({"ipv4", "ipv6"}),
    carries=frozenset({"ipv4", "ipv6"}),
    payload=False,
    protocols={4: tuple(PROTOCOLS), 6: tuple(PROTOCOLS)},
)
