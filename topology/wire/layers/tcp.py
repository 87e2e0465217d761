"""TCP (RFC 9293)."""

from __future__ import annotations

from collections.abc import Iterator

from topology.wire.layer import Fields, Layer
from topology.wire.walk import Step, Walk
from topology.wire.words import number, pieces

_FLAGS = "FSRPAUECN"


def tcp(walk: Walk, at: int) -> Step:
    """Read TCP; its options belong to the header's length and are no field."""
    fields = walk.read("tcp", at)
    if fields is None:
        return "payload", at
    size = int(fields["dataofs"]) * 4
    if size < 20:
        walk.problem("tcp", at, f"its data offset says {size} bytes, a header has at least 20")
        return "payload", at
    return "payload", at if walk.lacks("tcp", at, size) else walk.add("tcp", fields, at, size)


def _words(fields: Fields) -> Iterator[str]:
    letters = "".join(letter for bit, letter in enumerate(_FLAGS) if number(fields, "flags") >> bit & 1)
    return pieces(fields, "{sport}>{dport}", *filter(None, [letters]))


TCP = Layer(
    "tcp",
    tcp,
    layout="sport:16 dport:16 seq:32 ack:32 dataofs:4 reserved:3 flags:9 window:16 chksum:16 urgptr:16",
    over=frozenset({"ipv4", "ipv6"}),
    protocols={4: (6,), 6: (6,)},
    words=_words,
    scapy="TCP",
)
