"""VXLAN (RFC 7348)."""

from __future__ import annotations

from collections.abc import Iterator

from topology.wire.layer import Fields, Layer
from topology.wire.rules import Want
from topology.wire.walk import Step, Walk
from topology.wire.words import number, pieces


def vxlan(walk: Walk, at: int) -> Step:
    """Read VXLAN, whatever its flags; `reserved1` is 24 bits before the VNI, `reserved2` 8 after it."""
    fields = walk.read("vxlan", at)
    return ("payload", at) if fields is None else ("ether", walk.add("vxlan", fields, at, 8))


def _words(fields: Fields) -> Iterator[str]:
    return pieces(fields, "{vni}", *(() if number(fields, "flags", 8) & 8 else ("without I flag",)))


VXLAN = Layer(
    "vxlan",
    vxlan,
    layout="flags:8 reserved1:24 vni:24 reserved2:8",
    over=frozenset({"udp"}),
    carries=frozenset({"ether"}),
    payload=False,
    udp_ports=frozenset({4789}),
    implies=lambda _, __: (Want("flags", 8, mask=8, why="the I flag (0x08)"),),
    words=_words,
    scapy="VXLAN",
)
