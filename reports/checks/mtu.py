"""Judges the packet sizes seen to cross between two nodes against those computed and promised by the declaration. Pure.

There are three separate results: the largest packet whose journey has no fragment, which the declaration computes; the
largest with DF that arrives at all; and the fate of larger ones. The search tries computed sizes first. Between two
neighbouring tried sizes with the same fate it stops; between others it goes on until they differ by one byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Generic, TypeVar

from reports.checks import Subject
from reports.evidence import Cause, Finding, first_broken
from reports.judge.attempt import Outcome
from reports.judge.trip import Leg
from topology.expected import probes_of
from topology.limits import Bottleneck, Limit, bottlenecks, can_be_narrowed, first_router
from topology.model import Fabric
from topology.promises import Kind, MtuPromise, Pair

T = TypeVar("T")
AS_IT_MUST = frozenset(("whole", "refused"))
"""The fates that every packet may have: to arrive whole, or not to be sent."""
WHOLE = frozenset(("whole",))


def ipv4_pairs(lab: Fabric, *kinds: Kind) -> Iterator[Pair]:
    """The pairs of some kinds whose ends have IPv4 addresses: sizes are searched for those alone."""
    pairs = lab.pairs if lab.nodes else ()
    return (pair for pair in pairs if pair.kind in kinds and probes_of(lab, pair)[0].src.version == 4)


def narrowed(lab: Fabric, where: Callable[[Fabric, Pair], Iterable[Bottleneck]], *kinds: Kind) -> list[Bottleneck]:
    """The bottlenecks that can be narrowed, of the first pair that has any."""
    for pair in ipv4_pairs(lab, *kinds):
        if found := [one for one in where(lab, pair) if can_be_narrowed(lab, one)]:
            return found
    return []


SUBJECTS = {
    "bottleneck": Subject("no overlay to narrow", lambda lab: narrowed(lab, bottlenecks, "l2-overlay", "l3-overlay")),
    "first_router": Subject(
        "no router to narrow", lambda lab: narrowed(lab, first_router, "l3-overlay", "routed"), first=True
    ),
}


@dataclass(frozen=True)
class Zone(Generic[T]):
    """Neighbouring sizes of one fate."""

    first: int
    last: int
    what: T


def first_sizes(limits: Iterable[int], floor: int, ceiling: int) -> list[int]:
    """Return the first sizes: both ends, and of each limit the size that passes and the next one."""
    around = {size for limit in limits for size in (limit, limit + 1)}
    return sorted({floor, ceiling} | {size for size in around if floor <= size <= ceiling})


def next_sizes(known: Mapping[int, object]) -> list[int]:
    """Return the next sizes: the quarters between each two neighbours that differ; empty where everything is known.

    A round costs more than a probe, and quarters need half as many rounds as halves.
    """
    apart = [(low, high) for low, high in pairwise(sorted(known)) if high - low > 1 and known[low] != known[high]]
    return sorted({low + (high - low) * part // 4 for low, high in apart for part in (1, 2, 3)} - set(known))


def zones(known: Mapping[int, T]) -> tuple[Zone[T], ...]:
    """Return the sizes that were tried as zones, from the smallest to the largest."""
    found: list[Zone[T]] = []
    for size in sorted(known):
        if found and found[-1].what == known[size]:
            found[-1] = Zone(found[-1].first, size, known[size])
        else:
            found.append(Zone(size, size, known[size]))
    return tuple(found)


@dataclass(frozen=True, eq=False)
class LegMtu:
    """One direction between two nodes: the fate of each size that was tried, with DF and without (``plain``).

    ``computed`` are the deciding limits of each legal path, narrowest first; where no path ``is_declared``, the
    limit of the sender's own device. ``leg`` is the journey of the smallest packet that did not cross as computed,
    ``causes`` why. ``reached`` is False where not even a small packet arrived.
    """

    source: str
    target: str
    computed: tuple[Limit, ...]
    promise: MtuPromise
    with_df: Mapping[int, Outcome]
    plain: Mapping[int, Outcome]
    reached: bool = True
    leg: Leg | None = None
    causes: tuple[Cause, ...] = ()
    is_declared: bool = True

    @property
    def name(self) -> str:
        """``SOURCE -> TARGET``."""
        return f"{self.source} -> {self.target}"

    @property
    def cause(self) -> Cause | None:
        """The most likely cause; None where none was found."""
        return next(iter(self.causes), None)

    @property
    def promised(self) -> int:
        """The largest packet that customers may send: as declared, else as computed, else as seen to cross whole."""
        if self.promise.customers is not None:
            return self.promise.customers
        return self.computed[0].largest if self.is_declared else self.largest_whole_with_df or 0

    @property
    def zones(self) -> tuple[Zone[Outcome], ...]:
        """The fates of packets with DF, from the smallest size that was tried to the sender's own MTU."""
        return zones(self.with_df)

    @property
    def largest_whole(self) -> int | None:
        """The size up to which packets cross without a fragment, without DF; None where the smallest does not."""
        return _up_to(self.plain)

    @property
    def largest_whole_with_df(self) -> int | None:
        """The same with DF."""
        return _up_to(self.with_df)

    @property
    def largest_with_df(self) -> int | None:
        """The largest packet with DF that arrives at all."""
        return max((size for size, what in self.with_df.items() if what.arrives), default=None)

    @property
    def above(self) -> tuple[Zone[Outcome], ...]:
        """Fates of packets with DF that are larger than those that arrive, where the sender can send them."""
        found = zones({size: what for size, what in self.with_df.items() if size > (self.largest_with_df or 0)})
        return tuple(zone for zone in found if zone.what.fate != "refused")

    @property
    def whole_as_computed(self) -> Finding:
        """Return whether the largest packet that crosses unfragmented is the computed one, with DF and without."""
        return first_broken(self._as_computed())

    @property
    def promise_kept(self) -> Finding:
        """Return whether every packet that customers may send crosses whole, with DF and without."""
        return first_broken(
            self._fails(
                what.node or self.source, f"{size} bytes {_df(df)}", f"it arrives whole up to {self.promised}", what
            )
            for df, size, what in self._all()
            if size <= self.promised and what.fate != "whole"
        )

    @property
    def above_as_allowed(self) -> Finding:
        """Return whether larger packets with DF meet only fates that the lab allows."""
        allowed = AS_IT_MUST | set(self.promise.above)
        larger = zones({size: what for size, what in self.with_df.items() if size > self.promised})
        words = f"only {' or '.join(self.promise.above)} above {self.promised}"
        return first_broken(
            self._fails(zone.what.node, f"{_span(zone)} with DF", words, zone.what)
            for zone in larger
            if zone.what.fate not in allowed
        )

    @property
    def first_wrong(self) -> tuple[int, Outcome] | None:
        """The smallest packet with DF that should have crossed whole, or met what is not allowed."""
        allowed = AS_IT_MUST | set(self.promise.above)
        fates = ((size, self.with_df[size]) for size in sorted(self.with_df))
        return next(
            ((n, what) for n, what in fates if what.fate not in (allowed if n > self.promised else WHOLE)), None
        )

    def crosses(self, size: int) -> tuple[int, Outcome] | None:
        """The smallest packet with DF, up to a size, that was tried and did not arrive; None where all did."""
        lost = [tried for tried, what in self.with_df.items() if tried <= size and not what.arrives]
        return (min(lost), self.with_df[min(lost)]) if lost else None

    def _all(self) -> Iterator[tuple[bool, int, Outcome]]:
        """Yield every outcome, small sizes first."""
        for size in sorted({*self.plain, *self.with_df}):
            yield from ((df, size, known[size]) for df, known in self._known if size in known)

    @property
    def _known(self) -> tuple[tuple[bool, Mapping[int, Outcome]], ...]:
        return (False, self.plain), (True, self.with_df)

    def _as_computed(self) -> Iterator[Finding]:
        sizes = {limit.largest for limit in self.computed}
        limit = self.computed[0]
        for df, known in self._known:
            seen = _up_to(known)
            if seen in sizes:
                continue
            beyond = known.get((seen or 0) + 1) or known[min(known)]
            guilty = limit.node if seen is not None and seen > limit.largest else beyond.node
            expected = f"{limit.largest} ({limit})"
            evidence = f"{seen or 'none'}; the next size {beyond}"
            yield self._fails(guilty, f"largest packet without a fragment, {_df(df)}", expected, evidence)

    def _fails(self, node: str, what: str, expected: str, seen: object) -> Finding:
        cause, node = (f" - cause: {self.cause}", self.cause.node) if self.cause else ("", node)
        return Finding(False, f"{node} - {self.name}, {what} - expected {expected} - seen {seen}{cause}", self.causes)


@dataclass(frozen=True, eq=False)
class PairMtu:
    """Both directions of a pair."""

    out: LegMtu
    back: LegMtu

    def __repr__(self) -> str:
        return f"the sizes between {self.out.source} and {self.out.target}"

    @property
    def legs(self) -> tuple[LegMtu, LegMtu]:
        """Out and back."""
        return (self.out, self.back)

    @property
    def reached(self) -> Finding:
        """Return whether small packets arrive in both directions; without that, sizes prove nothing."""
        words = "not even with small packets"
        return first_broken(
            Finding(leg.reached, f"{leg.source} does not reach {leg.target}, {words}") for leg in self.legs
        )

    @property
    def whole_as_computed(self) -> Finding:
        """Return whether in both directions the largest packet that crosses unfragmented is the computed one."""
        return first_broken(leg.whole_as_computed for leg in self.legs)

    @property
    def promise_kept(self) -> Finding:
        """Return whether in both directions every packet that customers may send crosses whole."""
        return first_broken(leg.promise_kept for leg in self.legs)

    @property
    def above_as_allowed(self) -> Finding:
        """Return whether in both directions larger packets meet only fates that the lab allows."""
        return first_broken(leg.above_as_allowed for leg in self.legs)


def _up_to(known: Mapping[int, Outcome]) -> int | None:
    """Return the largest size up to which all packets arrive whole, None where the smallest does not."""
    whole = list(takewhile(lambda size: known[size].fate == "whole", sorted(known)))
    return whole[-1] if whole else None


def _df(df: bool) -> str:
    return "with DF" if df else "without DF"


def _span(zone: Zone[Outcome]) -> str:
    return f"{zone.first} bytes" if zone.first == zone.last else f"{zone.first} to {zone.last} bytes"
