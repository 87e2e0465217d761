"""`Stack`: an ordered and exhaustive pattern of the headers of a frame.

A frame matches if its chain has exactly the pattern's layers, from the outermost header to the last byte of
payload, and every field that the pattern gives has that value.

A pattern also fixes fields that it does not give. Unless the pattern gives the field itself:

- a frame with problems (truncated, lengths that do not fit) never matches; padding does not matter;
- without a final payload, there are no payload bytes; ``("payload", {})`` is any payload of at least one
  byte;
- an 802.1Q tag has TPID 0x8100 (Dot1AD: 0x88A8);
- IPv4 is no fragment and has no options (MF 0, fragment offset 0, ihl 5); IPv6 has no extension headers;
- ICMP is no error, as an error quotes another packet;
- GRE has version 0 and neither key, sequence number, checksum nor routing; a key that is given implies its
  bit;
- VXLAN has the I flag; its reserved bits are ignored, as RFC 7348 section 5 has it;
- GENEVE has version 0, no options, and is no control message (O bit).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from topology.errors import Misuse, UnknownName
from topology.wire.fields import Value
from topology.wire.headers import Headers
from topology.wire.layer import Chain
from topology.wire.registry import FIELDS, FOLLOWS, implied, normal
from topology.wire.rules import Want
from topology.wire.scapy_views import declared
from topology.wire.summary import describe
from topology.wire.walk import Header

_ENDS = ("src", "dst", "psrc", "pdst")
_LENGTHS = frozenset((("ipv4", "len"), ("ipv6", "plen"), ("udp", "len")))
"""The lengths that a header states of all that is inside it: where one is wrong, something inside says why."""


@dataclass(frozen=True)
class Mismatch:
    """The first place, from outside, where a frame departs from a `Stack`.

    `index` counts headers from 0, `layer` is the expected layer there (or the first one too many; ``frame``
    if the frame is malformed as a whole), `field` is None where the layer itself is another one.
    """

    index: int
    layer: str
    field: str | None
    what: str
    expected: str
    seen: str

    def __str__(self) -> str:
        where = "frame" if self.layer == "frame" else f"header {self.index + 1} {self.layer}"
        if self.field is not None:
            where += f".{self.field}"
        return f"{where} - {self.what} - expected {self.expected} - seen {self.seen}"


@dataclass(frozen=True)
class _Layer:
    """One layer of a pattern: its name, the fields given, and all that a header of it must satisfy, lengths apart."""

    name: str
    given: tuple[tuple[str, Value], ...]
    wants: tuple[Want, ...]
    lengths: tuple[Want, ...]

    def __str__(self) -> str:
        return describe([(self.name, dict(self.given))])

    def mismatch(self, index: int, header: Header, wants: Iterable[Want]) -> Mismatch | None:
        """Return the first of these wants that a header does not satisfy."""
        if header.layer != self.name:
            return Mismatch(index, self.name, None, "another header", str(self), _line(header))
        broken = next((want for want in wants if not want.holds(header.fields)), None)
        if broken is None:
            return None
        return Mismatch(index, self.name, broken.field, "another value", *broken.words(header.fields))


class Stack:
    """An ordered, exhaustive pattern of headers; compare it with `Headers` by ``==``, in either direction.

    ``Stack(Ether() / IP(src="26.0.0.2") / GRE() / …)`` takes a scapy packet: fields set explicitly are
    compared. `Stack.of` makes one without scapy. Two stacks are equal if they were given the same layers and
    fields.
    """

    __slots__ = ("_layers",)

    def __init__(self, packet: object) -> None:
        self._layers = _compiled(declared(packet))

    @classmethod
    def of(cls, *layers: tuple[str, Mapping[str, object]]) -> Stack:
        """A pattern from ``(layer, {field: value})`` pairs, outermost first; names as in `registry.FIELDS`.

        Raises `UnknownName` for a layer or field that is not decoded, `Misuse` for a value that cannot be
        compared, an empty pattern, or a layer that cannot follow the one before it.
        """
        stack = cls.__new__(cls)
        stack._layers = _compiled(layers)
        return stack

    @property
    def layers(self) -> tuple[str, ...]:
        """The layer names, outermost first."""
        return tuple(layer.name for layer in self._layers)

    @property
    def given(self) -> tuple[tuple[str, Mapping[str, Value]], ...]:
        """The layers with the fields that were given, outermost first."""
        return tuple((layer.name, dict(layer.given)) for layer in self._layers)

    def mismatch(self, headers: Headers) -> Mismatch | None:
        """The first divergence of `headers` from this pattern, outermost first; None if they match.

        Lengths are compared last: the cause of a longer packet says more than its length.
        """
        if headers.problems:
            seen = "; ".join(headers.problems)
            return Mismatch(len(headers), "frame", None, "malformed", "whole, well-formed headers", seen)
        for index, layer in enumerate(self._layers):
            if index >= len(headers):
                return Mismatch(index, layer.name, None, "the frame ends early", str(layer), "the end")
            if found := layer.mismatch(index, headers[index], layer.wants):
                return found
        if len(headers) > len(self._layers):
            index, extra = len(self._layers), headers[len(self._layers)]
            return Mismatch(index, extra.layer, None, "the frame goes on", "the end", _line(extra))
        pairs = enumerate(zip(self._layers, headers, strict=True))
        wrong = (layer.mismatch(index, header, layer.lengths) for index, (layer, header) in pairs)
        return next(filter(None, wrong), None)

    def summary(self) -> str:
        """The expected chain in one line, in the words of `Headers.summary`, given fields only."""
        return describe(self.given)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Stack):
            return self._layers == other._layers
        if isinstance(other, Headers):
            return self.mismatch(other) is None
        return NotImplemented

    def __hash__(self) -> int:
        """The pattern's own: a `Stack` is equal to many `Headers`, so do not mix both in one set."""
        return hash(self._layers)

    def __repr__(self) -> str:
        return f"Stack({self.summary()})"


def _compiled(layers: Iterable[tuple[str, Mapping[str, object]]]) -> tuple[_Layer, ...]:
    """Return the layers with normalised values and the implied rules; refuses chains that no frame can have."""
    chain: list[tuple[str, Mapping[str, Value]]] = []
    for index, (name, fields) in enumerate(layers):
        if name not in FIELDS:
            raise UnknownName("layer", name, FIELDS)
        if chain and name not in FOLLOWS[chain[-1][0]]:
            _refuse(index, chain[-1][0], name)
        chain.append((name, {field: normal(name, field, value) for field, value in fields.items()}))
    if not chain:
        raise Misuse("stack - no layers - expected at least one - seen none")
    return tuple(_layer(chain, index) for index in range(len(chain)))


def _layer(chain: Chain, index: int) -> _Layer:
    name, given = chain[index]
    # Addresses come first: a wrong one says more than the TTL that is wrong with it.
    explicit = sorted((Want(*item) for item in given.items()), key=lambda want: want.field not in _ENDS)
    wants = [want for want in (*explicit, *implied(chain, index)) if (name, want.field) not in _LENGTHS]
    lengths = [want for want in explicit if (name, want.field) in _LENGTHS]
    return _Layer(name, tuple(sorted(given.items())), tuple(wants), tuple(lengths))


def _refuse(index: int, before: str, name: str) -> None:
    known = ", ".join(sorted(FOLLOWS[before])) or "nothing"
    hint = " (a quoted packet is payload, see headers.quoted)" if before == "icmp" else ""
    raise Misuse(f"stack, layer {index} - cannot follow {before} - expected {known}{hint} - seen {name}")


def _line(header: Header) -> str:
    return describe([(header.layer, header.fields)])
