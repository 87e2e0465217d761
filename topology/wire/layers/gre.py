"""GRE (RFC 2784, RFC 2890), the old form with routing (RFC 1701), and PPTP's version 1 (RFC 2637)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from topology.wire.fields import size_of, unpack
from topology.wire.layer import Chain, Fields, Layer
from topology.wire.rules import Want
from topology.wire.walk import Step, Walk
from topology.wire.words import pieces

_OPTIONS: Mapping[int, tuple[tuple[int, str], ...]] = {
    0: ((0xC000, "chksum:16 offset:16"), (0x2000, "key:32"), (0x1000, "sequence_number:32")),
    1: ((0xFFFF, "payload_len:16 call_id:16"), (0x1000, "sequence_number:32"), (0x0080, "ack_number:32")),
}
"""The optional fields by version, each with the bits of the first word that announce it."""
_ANNOUNCED: Mapping[str, tuple[str, ...]] = {
    "key": ("key",),
    "seqnum": ("sequence_number",),
    "chksum": ("chksum", "offset"),
    "routing": (),
}
"""The flags of version 0, and the fields that each announces."""


def gre(walk: Walk, at: int) -> Step:
    """Read GRE. Only version 0 without routing is looked into: behind any other header comes payload."""
    fields = walk.read("gre", at)
    if fields is None:
        return "payload", at
    word, version = int.from_bytes(walk.frame[at : at + 2]), int(fields["version"])
    if version not in _OPTIONS:
        walk.problem("gre", at, f"version {version} does not exist")
    options = " ".join(layout for bits, layout in _OPTIONS.get(version, ()) if word & bits)
    size = 4 + size_of(options)
    if walk.lacks("gre", at, size):
        return "payload", at
    walk.add("gre", fields | unpack(options, walk.frame[at + 4 : at + size]), at, size)
    plain = not version and not fields["routing_present"]
    return walk.tunnelled(int(fields["proto"])) if plain else "payload", at + size


def _implied(chain: Chain, index: int) -> Iterable[Want]:
    """Version 0, and of its optional fields exactly those that are given."""
    given = chain[index][1]
    yield Want("version", 0)
    if given.get("version"):
        return
    if "key_present" not in given:
        yield Want("key", why="none (no key)")  # the key's value says more than its presence
    for word, fields in _ANNOUNCED.items():
        value = int(any(field in given for field in fields))
        yield Want(f"{word}_present", value, why=f"{value} ({'a' if value else 'no'} {word})")


def _words(fields: Fields) -> Iterator[str]:
    key = "key {key}" if "key" in fields else "key_present?key"
    flags = ("chksum_present?checksum", "seqnum_present?sequence", "routing_present?routing")
    return pieces(fields, "version?version {version}", key, *flags)


GRE = Layer(
    "gre",
    gre,
    layout="chksum_present:1 routing_present:1 key_present:1 seqnum_present:1 strict_route_source:1"
    " recursion_control:3 flags:5 version:3 proto:16",
    further="chksum:16 offset:16 key:32 sequence_number:32 payload_len:16 call_id:16 ack_number:32",
    over=frozenset({"ipv4", "ipv6"}),
    carries=frozenset({"ether", "ipv4", "ipv6"}),
    protocols={4: (47,), 6: (47,)},
    implies=_implied,
    words=_words,
    scapy="GRE",
)
