"""The promises of a file: its pairs, its segments and the pairs derived from them, separations, and management."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
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
from topology.promises import ABOVE, ANSWERED, Management, MtuPromise, Pair, Segment, Separation

Promising: TypeAlias = LabSpec | PairsSpec | ExpectSpec

Sizes: TypeAlias = Callable[[MtuSpec, tuple[Step, ...]], MtuPromise]
"""The promise about sizes of a pair, by what it says itself and its place in the file."""


class Promises(TypedDict):
    """The fields of a fabric that hold what a file promises."""

    pairs: tuple[Pair, ...]
    segments: tuple[Segment, ...]
    apart: tuple[Separation, ...]
    management: Management


def promises_of(spec: Promising, tree: Tree) -> Promises:
    """Return the promises of a file; a separation of unknown segments is left out."""
    segments = tuple(_segments(spec.segments, tree))
    common = MtuSpec() if isinstance(spec, PairsSpec) else spec.mtu
    alone = isinstance(spec, ExpectSpec) or (isinstance(spec, LabSpec) and any(one.frr for one in spec.nodes.values()))
    mtu = partial(_mtu, common, alone, tree)
    declared = [_pair(said, mtu, tree, ("pairs", index)) for index, said in spec.pairs.items()]
    derived = {_ends(pair): pair for segment in segments for pair in _derived(segment, mtu, tree)}
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


def _derived(segment: Segment, mtu: Sizes, tree: Tree) -> Iterator[Pair]:
    """Yield a segment's pairs, each at the place of its second host."""
    for source, target in segment.ends:
        where = locate(tree, ("segments", segment.name, "hosts", segment.hosts.index(target)))
        yield Pair(
            source,
            target,
            segment.kind,
            mtu=mtu(MtuSpec(), ()),
            within=segment.within,
            segment=segment.name,
            where=where,
        )


def _pair(said: PairSpec | ExpectedPair, mtu: Sizes, tree: Tree, path: tuple[Step, ...]) -> Pair:
    promised = mtu(said.mtu, path)
    return Pair(said.source, said.target, said.kind, mtu=promised, within=said.within, where=locate(tree, path))


def _mtu(common: MtuSpec, alone: bool, tree: Tree, own: MtuSpec, path: tuple[Step, ...]) -> MtuPromise:
    """Return the promise about sizes; ``common`` holds that for pairs without their own.

    Where no declaration says how pairs are carried (``alone``), and no size is promised, packets that do not cross must
    be answered.
    """
    above = own.above if own.above is not None else common.above
    customers = own.customers if own.customers is not None else common.customers
    unstated = ANSWERED if alone and customers is None else ABOVE
    return MtuPromise(
        customers=customers,
        above=tuple(dict.fromkeys(above.values())) if above is not None else unstated,
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
