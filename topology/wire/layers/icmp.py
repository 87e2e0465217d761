"""ICMP (RFC 792, RFC 1191) and ICMPv6 (RFC 4443)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from topology.wire.fields import Value, unpack
from topology.wire.layer import Chain, Fields, Layer
from topology.wire.rules import Want
from topology.wire.walk import Step, Walk
from topology.wire.words import pieces

ERRORS: Mapping[int, frozenset[int]] = {4: frozenset({3, 4, 5, 11, 12}), 6: frozenset({1, 2, 3, 4})}
"""The types by IP version whose payload is a quoted packet."""
_ECHO = "id:16 seq:16"
_REST: Mapping[tuple[int, int], str] = {
    (4, 0): _ECHO,
    (4, 3): "_:16 nexthopmtu:16",
    (4, 5): "gw:ip4",
    (4, 8): _ECHO,
    (4, 12): "ptr:8 _:24",
    (6, 2): "mtu:32",
    (6, 4): "ptr:32",
    (6, 128): _ECHO,
    (6, 129): _ECHO,
}
"""The second word of a header by IP version and type."""
_NAMES: Mapping[bool, Mapping[Value | None, str]] = {
    False: {
        0: "echo-reply",
        3: "unreachable",
        5: "redirect",
        8: "echo-request",
        11: "time-exceeded",
        12: "parameter-problem",
    },
    True: {
        1: "unreachable",
        2: "packet-too-big",
        3: "time-exceeded",
        4: "parameter-problem",
        128: "echo-request",
        129: "echo-reply",
        135: "neighbour-solicitation",
        136: "neighbour-advertisement",
    },
}
ICMPV6_CLASSES: Mapping[int, str] = {
    1: "ICMPv6DestUnreach",
    2: "ICMPv6PacketTooBig",
    3: "ICMPv6TimeExceeded",
    4: "ICMPv6ParamProblem",
    128: "ICMPv6EchoRequest",
    129: "ICMPv6EchoReply",
}
"""scapy's class for each ICMPv6 type."""


def icmp(walk: Walk, at: int) -> Step:
    """Read ICMP: `id` and `seq` for echo; `nexthopmtu`, `gw`, `mtu`, `ptr` for some errors."""
    fields = walk.read("icmp", at, 8)
    if fields is None:
        return "payload", at
    version = 6 if walk.headers[-1].layer == "ipv6" else 4
    rest = _REST.get((version, int(fields["type"])))
    further = unpack(rest, walk.frame[at + 4 : at + 8]) if rest else {}
    return "payload", walk.add("icmp", {"version": version, **fields, **further}, at, 8)


def _implied(chain: Chain, index: int) -> Iterable[Want]:
    return (Want("type", unlike=_errors(chain, index), why="no error"),)


def _errors(chain: Chain, index: int) -> frozenset[int]:
    """Return the types that are errors under the IP version around layer `index`; both versions' if none is."""
    version = chain[index][1].get("version")
    around = [name for name, _ in chain[:index] if name in ("ipv4", "ipv6")]
    if version == 6 or (around and around[-1] == "ipv6"):
        return ERRORS[6]
    return ERRORS[4] if version == 4 or around else ERRORS[4] | ERRORS[6]


def _words(fields: Fields) -> Iterator[str]:
    name = _NAMES[fields.get("version") == 6].get(fields.get("type"), "type {type}")
    return pieces(fields, name, "code?code {code}")


ICMP = Layer(
    "icmp",
    icmp,
    layout="type:8 code:8 chksum:16",
    further="version:4 id:16 seq:16 nexthopmtu:16 gw:ip4 mtu:32 ptr:32",
    over=frozenset({"ipv4", "ipv6"}),
    protocols={4: (1,), 6: (58,)},
    implies=_implied,
    words=_words,
    scapy="ICMP",
)
