"""The rules of a pattern: the values it gives for a header, and those it implies where it gives none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from topology.wire.fields import Value
from topology.wire.layers import ICMP_ERRORS, ICMPV6_ERRORS

_OVER_LINK = frozenset({"dot1q", "arp", "ipv4", "ipv6", "payload"})
_OVER_IP = frozenset({"icmp", "udp", "tcp", "gre", "ipip", "payload"})
_OVER_GRE = frozenset({"ether", "ipv4", "ipv6", "payload"})
_PAYLOAD = frozenset({"payload"})

FOLLOWS: Mapping[str, frozenset[str]] = {
    "ether": _OVER_LINK,
    "dot1q": _OVER_LINK,
    "arp": frozenset(),
    "ipv4": _OVER_IP,
    "ipv6": _OVER_IP,
    "icmp": _PAYLOAD,
    "udp": frozenset({"vxlan", "geneve", "payload"}),
    "tcp": _PAYLOAD,
    "gre": _OVER_GRE,
    "vxlan": frozenset({"ether"}),
    "geneve": _OVER_GRE,
    "ipip": frozenset({"ipv4", "ipv6"}),
    "payload": frozenset(),
}
"""Layers that can follow each, as `decode` reads frames."""

Chain = Sequence[tuple[str, Mapping[str, Value]]]


@dataclass(frozen=True)
class Want:
    """One thing a field must satisfy: be `value` (None: be absent) under `mask`, or be none of `unlike`."""

    field: str
    value: Value | None = None
    mask: int | None = None
    unlike: frozenset[int] = frozenset()
    why: str = ""
    unless: str = ""
    """Another field that, where a pattern gives it, makes this one free."""

    def holds(self, fields: Mapping[str, Value]) -> bool:
        """Return whether a header with these fields satisfies it."""
        seen = fields.get(self.field)
        if self.unlike:
            return seen not in self.unlike
        if self.mask is not None and isinstance(seen, int):
            seen &= self.mask
        return seen == self.value

    def words(self, fields: Mapping[str, Value]) -> tuple[str, str]:
        """Return the expected and the seen value, for a message."""
        seen = fields.get(self.field)
        if isinstance(self.value, bytes) and isinstance(seen, bytes):
            return _apart(self.value, seen)
        expected = self.why or _shown(self.field, self.value)
        return expected, _shown(self.field, seen)


def _shown(field: str, value: Value | None) -> str:
    if value is None:
        return "none"
    if isinstance(value, bytes):
        return f"{len(value)} bytes 0x{value[:16].hex()}{'…' if len(value) > 16 else ''}"
    if isinstance(value, int) and field in ("type", "proto", "ptype") and value > 0xFF:
        return f"0x{value:04x}"
    return str(value)


def _apart(expected: bytes, seen: bytes) -> tuple[str, str]:
    """Two different byte strings, from the first byte that differs."""
    same = next((i for i, (a, b) in enumerate(zip(expected, seen, strict=False)) if a != b), None)
    at = min(len(expected), len(seen)) if same is None else same

    def shown(data: bytes) -> str:
        return f"{len(data)} bytes, at byte {at} {'0x' + data[at : at + 8].hex() if data[at:] else 'the end'}"

    return shown(expected), shown(seen)


def implied(chain: Chain, index: int) -> Iterator[Want]:
    """Yield rules of layer `index` of a pattern beyond the given fields; the rules are listed in `stack`."""
    name, given = chain[index]
    wants = _IMPLIED.get(name, ())
    if name in ("ether", "dot1q") and index + 1 < len(chain) and chain[index + 1][0] == "dot1q":
        wants = (Want("type", 0x8100, why="0x8100 (802.1Q)"),)
    elif name == "icmp":
        wants = (Want("type", unlike=_errors(chain, index), why="no error"),)
    elif name == "gre" and not given.get("version"):
        wants = (*wants, *_gre(given))
    yield from (want for want in wants if want.field not in given and want.unless not in given)


def _errors(chain: Chain, index: int) -> frozenset[int]:
    """Return the ICMP types that are errors under the IP version around layer `index`; both versions' if none is."""
    version = chain[index][1].get("version")
    around = [name for name, _ in chain[:index] if name in ("ipv4", "ipv6")]
    if version == 6 or (around and around[-1] == "ipv6"):
        return ICMPV6_ERRORS
    return ICMP_ERRORS if version == 4 or around else ICMP_ERRORS | ICMPV6_ERRORS


def _gre(given: Mapping[str, Value]) -> Iterator[Want]:
    """Yield that exactly the optional fields are there that are given (RFC 2784, RFC 2890)."""
    if "key_present" not in given:
        yield Want("key", why="none (no key)")  # the key's value says more than its presence
    for word, fields in _GRE_OPTIONS.items():
        value = int(any(field in given for field in fields))
        yield Want(f"{word}_present", value, why=f"{value} ({'a' if value else 'no'} {word})")


_IMPLIED: Mapping[str, tuple[Want, ...]] = {
    "ipv4": (
        Want("flags", 0, mask=1, why="no MF flag (no fragment)"),
        Want("frag", 0, why="0 (no fragment)"),
        Want("ihl", 5, why="5 (no options)", unless="options"),
    ),
    "ipv6": (Want("ext", why="no extension headers"),),
    "gre": (Want("version", 0),),
    "vxlan": (Want("flags", 8, mask=8, why="the I flag (0x08)"),),
    "geneve": (
        Want("version", 0),
        Want("oam", 0, why="0 (no control message)"),
        Want("optionlen", 0, why="0 (no options)", unless="options"),
    ),
}
_GRE_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "key": ("key",),
    "seqnum": ("sequence_number",),
    "chksum": ("chksum", "offset"),
    "routing": (),
}
