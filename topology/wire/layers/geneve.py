"""GENEVE (RFC 8926)."""

from __future__ import annotations

from collections.abc import Iterable

from topology.wire.layer import Chain, Layer
from topology.wire.rules import Want
from topology.wire.walk import Step, Walk
from topology.wire.words import pieces


def geneve(walk: Walk, at: int) -> Step:
    """Read GENEVE; `optionlen` counts 4-byte words, `options` are the raw bytes."""
    fields = walk.read("geneve", at)
    if fields is None:
        return "payload", at
    size = 8 + 4 * int(fields["optionlen"])
    if walk.lacks("geneve", at, size):
        return "payload", at
    walk.add("geneve", {**fields, "options": walk.frame[at + 8 : at + size]}, at, size)
    if version := int(fields["version"]):
        walk.problem("geneve", at, f"version {version} does not exist")
        return "payload", at + size
    _options(walk, at, at + size, bool(fields["critical"]))
    return walk.tunnelled(int(fields["proto"])), at + size


def _options(walk: Walk, start: int, end: int, critical: bool) -> None:
    """Note an option that reaches beyond the header, or a critical one that the header conceals (section 3.5)."""
    at = start + 8
    while at < end:
        size = 4 + 4 * (walk.frame[at + 3] & 31)
        if at + size > end:
            walk.problem("geneve", start, f"an option says {size} bytes, {end - at} are left")
        elif walk.frame[at + 2] & 0x80 and not critical:
            walk.problem("geneve", start, "an option is critical, and the C bit is clear")
        at += size


def _implied(_: Chain, __: int) -> Iterable[Want]:
    return (
        Want("version", 0),
        Want("oam", 0, why="0 (no control message)"),
        Want("optionlen", 0, why="0 (no options)", unless="options"),
    )


GENEVE = Layer(
    "geneve",
    geneve,
    layout="version:2 optionlen:6 oam:1 critical:1 reserved:6 proto:16 vni:24 reserved2:8",
    further="options:bytes",
    over=frozenset({"udp"}),
    carries=frozenset({"ether", "ipv4", "ipv6"}),
    udp_ports=frozenset({6081}),
    # Where VXLAN has reserved bits (RFC 7348), Geneve has the protocol type of what it carries (RFC 8926).
    owns=lambda data: any(data[2:4]),
    implies=_implied,
    words=lambda fields: pieces(fields, "{vni}", "options?options {options}"),
    scapy="GENEVE",
)
