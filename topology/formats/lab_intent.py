"""The promises of a file: its pairs, its segments and the pairs derived from them, what is apart, and management."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias, TypedDict

from topology.formats.lab_schema import (
    Apart,
    ExpectedPair,
    ExpectSpec,
    LabSpec,
    ManagementItem,
    MtuSpec,
    PairSpec,
    PairsSpec,
    SegmentSpec,
)
from topology.formats.yaml_positions import Step, Tree, locate
from topology.promises import ABOVE, Management, MtuPromise, Pair, Segment, Separation

Promising: TypeAlias = LabSpec | PairsSpec | ExpectSpec


class Promises(TypedDict):
    """The fields of a fabric that hold what a file promises."""

    pairs: tuple[Pair, ...]
    segments: tuple[Segment, ...]
    apart: tuple[Separation, ...]
    management: Management


def promises_of(spec: Promising, tree: Tree) -> Promises:
    """Return the promises of a file; a separation of unknown segments is left out."""
    segments = tuple(_segments(spec.segments, tree))
    common = spec.mtu if isinstance(spec, LabSpec) else MtuSpec()
    declared = [_pair(said, common, tree, ("pairs", index)) for index, said in spec.pairs.items()]
    derived = {_ends(pair): pair for segment in segments for pair in _derived(segment, common, tree)}
    declared = [_completed(pair, derived.get(_ends(pair))) for pair in declared]
    known = {_ends(pair) for pair in declared}
    return {
        "pairs": (*declared, *(pair for ends, pair in derived.items() if ends not in known)),
        "segments": segments,
        "apart": tuple(_separations(spec.apart, {segment.name: segment for segment in segments}, tree)),
        "management": _management(spec.management),
    }


def _ends(pair: Pair) -> frozenset[str]:
    return frozenset((pair.source, pair.target))


def _completed(pair: Pair, derived: Pair | None) -> Pair:
    """Return a declared pair with its segment's tunnel where it leaves that open."""
    if derived is None or pair.kind != derived.kind:
        return pair
    return replace(pair, within=pair.within.completed(derived.within))


def _segments(said: Mapping[str, SegmentSpec], tree: Tree) -> Iterator[Segment]:
    for name, one in said.items():
        where = locate(tree, ("segments", name), key=True)
        yield Segment(name, one.kind, tuple(one.hosts.values()), one.within, where)


def _derived(segment: Segment, common: MtuSpec, tree: Tree) -> Iterator[Pair]:
    """Yield a segment's pairs, each at the place of its second host."""
    mtu = _mtu(MtuSpec(), common, tree, ())
    for source, target in segment.ends:
        where = locate(tree, ("segments", segment.name, "hosts", segment.hosts.index(target)))
        yield Pair(source, target, segment.kind, mtu=mtu, within=segment.within, segment=segment.name, where=where)


def _pair(said: PairSpec | ExpectedPair, common: MtuSpec, tree: Tree, path: tuple[Step, ...]) -> Pair:
    mtu = _mtu(said.mtu if isinstance(said, PairSpec) else MtuSpec(), common, tree, path)
    return Pair(said.source, said.target, said.kind, mtu=mtu, within=said.within, where=locate(tree, path))


def _mtu(own: MtuSpec, common: MtuSpec, tree: Tree, path: tuple[Step, ...]) -> MtuPromise:
    """Return the promise about sizes; ``common`` holds that for pairs without their own."""
    above = own.above if own.above is not None else common.above
    return MtuPromise(
        customers=own.customers if own.customers is not None else common.customers,
        above=tuple(dict.fromkeys(above.values())) if above is not None else ABOVE,
        where=locate(tree, (*(path if own.customers is not None else ()), "mtu", "customers")),
    )


def _separations(said: Apart, segments: Mapping[str, Segment], tree: Tree) -> Iterator[Separation]:
    """Yield each two segments of each list, at the place of the second one."""
    for index, names in said.items():
        known = [(place, segments[name]) for place, name in names.items() if name in segments]
        for number, (_, one) in enumerate(known):
            for place, other in known[number + 1 :]:
                yield Separation(one, other, locate(tree, ("apart", index, place)))


def _management(said: Mapping[int, ManagementItem]) -> Management:
    names = frozenset(item for item in said.values() if isinstance(item, str))
    return Management(names, frozenset(item for item in said.values() if not isinstance(item, str)))
