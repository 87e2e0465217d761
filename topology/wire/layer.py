"""The definition of one kind of header: its fields, how it is decoded, what a pattern of it implies, how it is
printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from topology.wire.fields import Kind, Value, kinds
from topology.wire.rules import Want
from topology.wire.walk import Parser

Fields: TypeAlias = Mapping[str, Value]
Chain: TypeAlias = Sequence[tuple[str, Fields]]


def no_rules(_: Chain, __: int) -> Iterable[Want]:
    """Imply nothing."""
    return ()


def no_words(_: Fields) -> Iterator[str]:
    """Say only the name."""
    yield from ()


@dataclass(frozen=True)
class Layer:
    """One kind of header; it can follow the layers `over` which it lies, and those that `carries` name can follow it.

    `layout` are the fields that every header of it starts with, in the order of their bits; `further` those that only
    some have. A layer is found by its EtherTypes, by its protocol numbers under each IP version (IANA), by its type
    inside GRE (RFC 2784, RFC 1701) and GENEVE (RFC 8926), or by its UDP ports.
    """

    name: str
    parse: Parser
    layout: str = ""
    further: str = ""
    over: frozenset[str] = frozenset()
    carries: frozenset[str] = frozenset()
    payload: bool = True
    """True where payload can follow it."""
    ethertypes: tuple[int, ...] = ()
    protocols: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    tunnelled_as: int | None = None
    udp_ports: frozenset[int] = frozenset()
    owns: Callable[[bytes], bool] | None = None
    """Return whether the bytes behind a UDP header are this layer's, where another has the same port."""
    implies: Callable[[Chain, int], Iterable[Want]] = no_rules
    """The rules of a pattern's layer at an index beyond the given fields."""
    words: Callable[[Fields], Iterator[str]] = no_words
    """The words for people behind the layer's name."""
    scapy: str = ""
    """The name of scapy's class."""

    @property
    def fields(self) -> Mapping[str, Kind]:
        """Every field that a header of it can have."""
        return kinds(f"{self.layout} {self.further}")
