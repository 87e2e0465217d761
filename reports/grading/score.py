"""The score of a submission: a pure function of its record, a rubric, and what an instructor overrode.

Nothing unproven earns points. A promise that errored, or that the record does not hold, leaves the score between two
bounds and needs a person, or a run. What is worse for a promise is never better for either bound.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction

from reports.grading.record import Graded, Promise, Row
from topology.formats.rubric import Item, Rubric

ALONE = ("reaches", "builds", "underlay")
"""Promises that prove something by themselves; every other one also holds where nothing was built."""
ENDED: Mapping[str, str] = {
    "deadline": "hit its deadline",
    "output": "hit its limit of output",
    "memory": "hit its limit of memory",
    "processes": "hit its limit of processes",
    "lost": "lost the machine",
}
"""What ended a command that did not end by itself."""


class State(Enum):
    """The state of a part of an item."""

    KEPT = "ok"
    BROKEN = "failed"
    ERRORED = "errored"
    UNRUN = "needs a run"

    @property
    def open(self) -> bool:
        """True where the points are not settled."""
        return self in (State.ERRORED, State.UNRUN)


@dataclass(frozen=True)
class Override:
    """The points that a person gave for an item of a submission, why, and who."""

    submission: str
    item: str
    points: Fraction
    reason: str
    by: str


@dataclass(frozen=True)
class Part:
    """An item's share for one row, or for the whole submission.

    ``against`` are the promises that keep it from its points; ``unrun`` those that the record does not hold. ``under``
    is the item that was charged with all its causes.
    """

    row: Row | None
    points: Fraction
    state: State
    earned: Fraction
    against: tuple[Promise, ...] = ()
    unrun: tuple[str, ...] = ()
    under: str = ""


class Bounded(ABC):
    """Points that are not settled yet, where ``low`` and ``high`` differ."""

    @property
    @abstractmethod
    def low(self) -> Fraction:
        """The points that are proven, or given by a person."""

    @property
    @abstractmethod
    def high(self) -> Fraction:
        """The points if all that is open were kept."""

    def between(self, to: str = "..") -> str:
        """Both bounds as they are shown, or the one number."""
        return number(self.low) if self.low == self.high else f"{number(self.low)}{to}{number(self.high)}"


@dataclass(frozen=True)
class ItemScore(Bounded):
    """The points of an item."""

    item: Item
    parts: tuple[Part, ...]
    override: Override | None = None

    @property
    def low(self) -> Fraction:
        """The points that are proven, or given by a person."""
        return self.override.points if self.override else sum((part.earned for part in self.parts), Fraction(0))

    @property
    def high(self) -> Fraction:
        """The points if all that is open were kept."""
        return self.low if self.override else self.low + sum(part.points for part in self.parts if part.state.open)

    @property
    def state(self) -> str:
        """The column of the class's table in which it counts: full, part, none or err."""
        if self.low != self.high:
            return "err"
        return "full" if self.low >= self.item.points else "part" if self.low else "none"


@dataclass(frozen=True)
class Score(Bounded):
    """The score of one submission."""

    graded: Graded
    rubric: Rubric
    items: tuple[ItemScore, ...]

    @property
    def low(self) -> Fraction:
        """All points that are proven."""
        return sum((item.low for item in self.items), Fraction(0))

    @property
    def high(self) -> Fraction:
        """All points if all that is open were kept."""
        return sum((item.high for item in self.items), Fraction(0))

    @property
    def overrides(self) -> list[Override]:
        """The overrides that a person gave."""
        return [item.override for item in self.items if item.override]

    @property
    def person(self) -> list[str]:
        """The reasons for which a person has to look; an override says that one has looked at the build."""
        ended = [f"{step.part} {ENDED[step.ended]}" for step in self.graded.build if step.ended in ENDED]
        builds = [] if self.overrides else ended
        return list(dict.fromkeys((*builds, *self._open())))

    def _open(self) -> Iterator[str]:
        parts = [part for item in self.items if not item.override for part in item.parts if part.state.open]
        if any(part.state is State.ERRORED for part in parts):
            yield "errored twice" if self.graded.first else "errored"
        unrun = dict.fromkeys(name for part in parts for name in part.unrun)
        if unrun:
            yield f"needs a run: {', '.join(unrun)}"


def score(graded: Graded, rubric: Rubric, overrides: Iterable[Override] = ()) -> Score:
    """Return a submission's score; of the overrides those of this submission's items are applied, last."""
    proven = [ItemScore(item, tuple(_parts(graded, item))) for item in rubric.items]
    given = {override.item.casefold(): override for override in overrides}
    shared = _with_effects(proven)
    return Score(graded, rubric, tuple(replace(one, override=given.get(one.item.id.casefold())) for one in shared))


def number(points: Fraction) -> str:
    """Return points as they are shown, to two places at most."""
    return f"{float(round(points, 2)):.2f}".rstrip("0").rstrip(".")


def _parts(graded: Graded, item: Item) -> Iterator[Part]:
    rows = [row for row in graded.rows if item.is_about(row.kind, row.fixed)] if item.rows else [None]
    if not rows:
        missing = f"a {'fixed ' if item.fixed else ''}row of type {' or '.join(item.rows)}"
        yield Part(None, Fraction(item.points), State.UNRUN, Fraction(0), unrun=(missing,))
    for row in rows:
        yield _part(graded, item.needs, row, Fraction(item.points, len(rows)))


def _part(graded: Graded, needs: Sequence[str], row: Row | None, points: Fraction) -> Part:
    found = {promise.name: promise for promise in graded.promises if promise.row == row}
    against = [found[name] for name in needs if name in found and found[name].outcome != "kept"]
    unrun = [name for name in needs if name not in found]
    if any(need not in ALONE for need in needs):
        ground = _ground(graded, row)
        against += [promise for promise in ground if promise not in against]
        unrun += [] if ground or _reached(graded, row) else ["reaches"]
    broken = [promise for promise in against if promise.outcome in ("broken", "does-not-apply")]
    if broken:
        return Part(row, points, State.BROKEN, Fraction(0), tuple(broken))
    if against or unrun:
        state = State.ERRORED if against else State.UNRUN
        return Part(row, points, state, Fraction(0), tuple(against), tuple(dict.fromkeys(unrun)))
    return Part(row, points, State.KEPT, points)


def _reached(graded: Graded, row: Row | None) -> bool:
    """Return whether a row reaches, or any at all where the whole is asked for."""
    found = [promise for promise in graded.promises if promise.name == "reaches" and row in (None, promise.row)]
    return any(promise.outcome == "kept" for promise in found)


def _ground(graded: Graded, row: Row | None) -> list[Promise]:
    """Return what keeps a promise from proving anything: nothing leaks, and all can be repeated, where nothing
    reaches. Where a row errored, it is that one alone, which may have reached."""
    if _reached(graded, row):
        return []
    found = [promise for promise in graded.promises if promise.name == "reaches" and row in (None, promise.row)]
    errored = [promise for promise in found if promise.outcome == "errored"]
    known = {promise.row for promise in found}
    complete = row is not None or known >= set(graded.rows)
    return errored or (found if complete else [])


@dataclass
class _Charge:
    """A failed part of an item: its causes, and the points that it lost which no effect has earned back."""

    item: str
    causes: frozenset[object]
    left: Fraction


def _with_effects(items: Sequence[ItemScore]) -> Iterator[ItemScore]:
    """Yield the items with the points for effects of what an earlier item is charged with.

    The effects of one failure earn together at most what it lost, so that nobody gains by breaking what held.
    """
    known = {one.item.id.casefold(): one.item for one in items}
    charges: list[_Charge] = []
    for one in items:
        chain = list(_chain(one.item, known))
        ahead = [charge for name in chain for charge in charges if charge.item == name]
        parts = [_as_effect(part, one.item, ahead) for part in one.parts]
        broken = (part for part in one.parts if part.state is State.BROKEN)
        charges += [_Charge(one.item.id.casefold(), _causes(part), part.points) for part in broken]
        yield replace(one, parts=tuple(parts))


def _chain(item: Item, known: Mapping[str, Item]) -> Iterator[str]:
    """Yield the items that one is after, the first of them first."""
    after = known.get(item.after.casefold())
    if after is not None:
        yield from _chain(after, known)
        yield after.id.casefold()


def _as_effect(part: Part, item: Item, ahead: Sequence[_Charge]) -> Part:
    """Return a part under the first failure that is charged with every cause of its own, if there is one."""
    if part.state is not State.BROKEN or not all(promise.causes for promise in part.against):
        return part
    charge = next((charge for charge in ahead if _causes(part) <= charge.causes), None)
    if charge is None:
        return part
    earned = min(part.points * item.after_share, charge.left)
    charge.left -= earned
    return replace(part, under=charge.item, earned=earned)


def _causes(part: Part) -> frozenset[object]:
    """Return what two reports of one cause share, of all causes of a part's failure."""
    causes = (cause for promise in part.against for cause in promise.causes)
    return frozenset((cause.kind, cause.node, cause.interface) for cause in causes)
