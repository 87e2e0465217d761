"""What a fabric promises when nobody says: the pairs of customers that reach each other by the model. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from topology.expected import expected_journey, probe_between
from topology.model import Fabric, Node
from topology.promises import Kind, Pair

MAX_PAIRS = 200
"""As many pairs as are tried: each is two journeys, and later some tests."""


def with_derived_pairs(fabric: Fabric) -> Fabric:
    """The fabric with a pair for each two customers that reach each other both ways in one kind, and a note of it."""
    ends = [node for node in fabric.role("customer") if node.addresses]
    tried = list(islice(_by_distance(ends), MAX_PAIRS))
    pairs, silent = [], ""
    for source, target in tried:
        kinds, why = _kinds(fabric, source.name, target.name)
        if len(kinds) == 1:
            pairs.append(Pair(source.name, target.name, kinds.pop()))
        silent = silent or why
    return replace(fabric, pairs=tuple(pairs), notes=(*fabric.notes, _note(fabric, len(ends), tried, pairs, silent)))


def _by_distance(ends: Sequence[Node]) -> Iterator[tuple[Node, Node]]:
    """All pairs, those of neighbours in the file first, so that the first few name every node."""
    for distance in range(1, len(ends)):
        yield from zip(ends, ends[distance:], strict=False)


def _kinds(fabric: Fabric, source: str, target: str) -> tuple[set[Kind], str]:
    """In which kinds two nodes reach each other; none, and why, where one does not reach the other."""
    kinds: set[Kind] = set()
    for one, other in ((source, target), (target, source)):
        probe = probe_between(fabric, one, other)
        if probe.src.version != probe.dst.version:
            return set(), f"{one} and {other} have addresses of two IP versions"
        journey = expected_journey(fabric, probe)
        if journey.dropped or journey.kind is None:
            return set(), f"{one} -> {other}: {journey.dropped or 'no kind fits'}"
        kinds.add(journey.kind)
    return kinds, "" if len(kinds) == 1 else f"{source} and {target} reach each other in two kinds"


def _note(fabric: Fabric, ends: int, tried: Sequence[tuple[Node, Node]], pairs: Sequence[Pair], silent: str) -> str:
    possible = ends * (ends - 1) // 2
    words = f"{fabric.file} declares no pairs; {len(pairs)} are derived from what must arrive between {ends} customers"
    if possible > len(tried):
        words += f", {len(tried)} of {possible} possible ones tried"
    if len(pairs) < len(tried):
        words += f"; {len(tried) - len(pairs)} do not arrive, first {silent}"
    return words
