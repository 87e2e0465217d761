"""What a pattern asks of a header: the values it gives, and what it implies where it gives none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from topology.wire.layers_transport import ICMP_ERRORS, ICMPV6_ERRORS
from topology.wire.walk import Value

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
"""Which layer can come behind which, as `decode` reads frames."""

Chain = Sequence[tuple[str, Mapping[str, Value]]]


@dataclass(frozen=True)
class Want:
    """One thing a field must satisfy: be `value` (None: be absent) under `mask`, or be none of `unlike`."""

    field: str
    value: Value | None = None
    mask: int | None = None
    unlike: frozenset[int] = frozenset()
    why: str = ""

    def holds(self, fields: Mapping[str, Value]) -> bool:
        """Whether a header with these fields satisfies it."""
        seen = fields.get(self.field)
        if self.unlike:
            return seen not in self.unlike
        if self.mask is not None and isinstance(seen, int):
            seen &= self.mask
        return seen == self.value

    def words(self, fields: Mapping[str, Value]) -> tuple[str, str]:
        """What was expected and what was seen, for a message."""
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
    """What layer `index` of a pattern must satisfy beyond what is given; the rules are listed in `stack`."""
    name, given = chain[index]
    if name in ("ether", "dot1q") and index + 1 < len(chain) and chain[index + 1][0] == "dot1q":
        yield from _unless(given, Want("type", 0x8100, why="0x8100 (802.1Q)"))
    elif name == "ipv4":
        yield from _unless(given, Want("flags", 0, mask=1, why="no MF flag (no fragment)"))
        yield from _unless(given, Want("frag", 0, why="0 (no fragment)"))
        if "options" not in given:
            yield from _unless(given, Want("ihl", 5, why="5 (no options)"))
    elif name == "ipv6":
        yield from _unless(given, Want("ext", None, why="no extension headers"))
    elif name == "icmp":
        yield from _unless(given, Want("type", unlike=_errors(chain, index), why="no error"))
    elif name == "gre":
        yield from _gre(given)
    elif name == "vxlan":
        yield from _unless(given, Want("flags", 8, mask=8, why="the I flag (0x08)"))
    elif name == "geneve":
        yield from _unless(given, Want("version", 0), Want("oam", 0, why="0 (no control message)"))
        if "options" not in given:
            yield from _unless(given, Want("optionlen", 0, why="0 (no options)"))


def _unless(given: Mapping[str, Value], *wants: Want) -> Iterator[Want]:
    return (want for want in wants if want.field not in given)


def _errors(chain: Chain, index: int) -> frozenset[int]:
    """The ICMP types that are errors under the IP version around layer `index`; both versions' if none is."""
    version = chain[index][1].get("version")
    around = [name for name, _ in chain[:index] if name in ("ipv4", "ipv6")]
    if version == 6 or (around and around[-1] == "ipv6"):
        return ICMPV6_ERRORS
    return ICMP_ERRORS if version == 4 or around else ICMP_ERRORS | ICMPV6_ERRORS


_GRE_PRESENCE: Mapping[str, tuple[str, ...]] = {
    "key_present": ("key",),
    "seqnum_present": ("sequence_number",),
    "chksum_present": ("chksum", "offset"),
    "routing_present": (),
}


def _gre(given: Mapping[str, Value]) -> Iterator[Want]:
    """GRE version 0, and exactly the optional fields that are given (RFC 2784, RFC 2890)."""
    yield from _unless(given, Want("version", 0))
    if given.get("version", 0) != 0:
        return
    if "key" not in given and "key_present" not in given:
        yield Want("key", why="none (no key)")  # which key it is says more than that there is one
    for bit, fields in _GRE_PRESENCE.items():
        value = int(any(field in given for field in fields))
        word = bit.partition("_")[0]
        yield from _unless(given, Want(bit, value, why=f"{value} ({'a' if value else 'no'} {word})"))
