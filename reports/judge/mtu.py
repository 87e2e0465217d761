"""Which sizes cross between two nodes, as seen, against what the declaration computes and promises. Pure.

Three results, apart: the largest packet whose journey has no fragment, which the declaration computes; the largest with
DF that arrives at all; and what becomes of larger ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from reports.evidence import Cause, Finding, first_broken
from reports.judge.attempt import Outcome
from reports.judge.sizes import Zone, zones
from reports.judge.trip import Leg
from topology.limits import Limit
from topology.promises import MtuPromise

AS_IT_MUST = frozenset(("whole", "refused"))
"""What may become of any packet: to arrive whole, or not to be sent."""


@dataclass(frozen=True, eq=False)
class WayMtu:
    """One way between two nodes: what became of each size that was tried, with DF and without (``plain``).

    ``computed`` is what decides on each legal path, narrowest first. ``leg`` is the journey of the smallest packet that
    did not cross as computed, ``cause`` why. ``reached`` is False where not even a small packet arrived.
    """

    source: str
    target: str
    computed: tuple[Limit, ...]
    promise: MtuPromise
    with_df: Mapping[int, Outcome]
    plain: Mapping[int, Outcome]
    reached: bool = True
    leg: Leg | None = None
    cause: Cause | None = field(default=None)

    @property
    def name(self) -> str:
        """The way in words."""
        return f"{self.source} -> {self.target}"

    @property
    def promised(self) -> int:
        """The largest packet that customers may send: as declared, else as computed."""
        return self.promise.customers if self.promise.customers is not None else self.computed[0].largest

    @property
    def zones(self) -> tuple[Zone[Outcome], ...]:
        """What becomes of packets with DF, from the smallest size that was tried to the sender's own MTU."""
        return zones(self.with_df)

    @property
    def largest_whole(self) -> int | None:
        """Up to which size packets cross without a fragment, without DF; None where the smallest does not."""
        return _up_to(self.plain, frozenset(("whole",)))

    @property
    def largest_whole_with_df(self) -> int | None:
        """The same with DF."""
        return _up_to(self.with_df, frozenset(("whole",)))

    @property
    def largest_with_df(self) -> int | None:
        """The largest packet with DF that arrives at all."""
        return max((size for size, what in self.with_df.items() if what.arrives), default=None)

    @property
    def above(self) -> tuple[Zone[Outcome], ...]:
        """What becomes of packets with DF that are larger than those that arrive, where the sender can send them."""
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
        """Return whether nothing becomes of larger packets with DF but what the lab allows."""
        allowed = AS_IT_MUST | set(self.promise.above)
        larger = zones({size: what for size, what in self.with_df.items() if size > self.promised})
        words = f"only {' or '.join(self.promise.above)} above {self.promised}"
        return first_broken(
            self._fails(zone.what.node, f"{_span(zone)} with DF", words, zone.what)
            for zone in larger
            if zone.what.fate not in allowed
        )

    def crosses(self, size: int) -> tuple[int, Outcome] | None:
        """The smallest packet with DF, up to a size, that was tried and did not arrive; None where all did."""
        lost = [tried for tried, what in self.with_df.items() if tried <= size and not what.arrives]
        return (min(lost), self.with_df[min(lost)]) if lost else None

    def _all(self) -> Iterator[tuple[bool, int, Outcome]]:
        """Every outcome, small sizes first."""
        both = [
            (size, df, what)
            for df, known in ((False, self.plain), (True, self.with_df))
            for size, what in known.items()
        ]
        for size, df, what in sorted(both, key=lambda entry: entry[:2]):
            yield df, size, what

    def _as_computed(self) -> Iterator[Finding]:
        sizes = {limit.largest for limit in self.computed}
        limit = self.computed[0]
        for df, seen, known in (
            (False, self.largest_whole, self.plain),
            (True, self.largest_whole_with_df, self.with_df),
        ):
            if seen in sizes:
                continue
            beyond = known.get((seen or 0) + 1) or known[min(known)]
            guilty = limit.node if seen is not None and seen > limit.largest else beyond.node
            expected = f"{limit.largest} ({limit})"
            evidence = f"{_or_none(seen)}; the next size {beyond}"
            yield self._fails(guilty, f"largest packet without a fragment, {_df(df)}", expected, evidence)

    def _fails(self, node: str, what: str, expected: str, seen: object) -> Finding:
        cause, node = (f" - cause: {self.cause}", self.cause.node) if self.cause else ("", node)
        return Finding(False, f"{node} - {self.name}, {what} - expected {expected} - seen {seen}{cause}", self.cause)


@dataclass(frozen=True, eq=False)
class PairMtu:
    """Both ways of a pair."""

    out: WayMtu
    back: WayMtu

    def __repr__(self) -> str:
        return f"the sizes between {self.out.source} and {self.out.target}"

    @property
    def ways(self) -> tuple[WayMtu, WayMtu]:
        """Out and back."""
        return (self.out, self.back)

    @property
    def reached(self) -> Finding:
        """Return whether small packets arrive on both ways; without that, sizes say nothing."""
        lost = (way for way in self.ways if not way.reached)
        words = (f"{way.source} does not reach {way.target}, not even with small packets" for way in lost)
        return first_broken(Finding(False, why) for why in words)

    @property
    def whole_as_computed(self) -> Finding:
        """Return whether on both ways the largest packet that crosses without a fragment is the computed one."""
        return first_broken(way.whole_as_computed for way in self.ways)

    @property
    def promise_kept(self) -> Finding:
        """Return whether on both ways every packet that customers may send crosses whole."""
        return first_broken(way.promise_kept for way in self.ways)

    @property
    def above_as_allowed(self) -> Finding:
        """Return whether on both ways nothing becomes of larger packets but what the lab allows."""
        return first_broken(way.above_as_allowed for way in self.ways)


def _up_to(known: Mapping[int, Outcome], fates: frozenset[str]) -> int | None:
    """The end of the zone that starts with the smallest size, as far as its fates are these."""
    last = None
    for size in sorted(known):
        if known[size].fate not in fates:
            break
        last = size
    return last


def _df(df: bool) -> str:
    return "with DF" if df else "without DF"


def _or_none(size: int | None) -> str:
    return "none" if size is None else str(size)


def _span(zone: Zone[Outcome]) -> str:
    return f"{zone.first} bytes" if zone.first == zone.last else f"{zone.first} to {zone.last} bytes"
