"""Reads a rubric: how many points each promise of a submission is worth, and how much of a failure the student sees.

Its keys are described in docs/grading.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, ClassVar, Literal, TypeAlias, get_args

from pydantic import BeforeValidator, Field, PlainValidator

from topology.errors import LabError, Problem
from topology.formats import lab_values as values
from topology.formats.lab_refusals import read_spec
from topology.formats.lab_schema import Flag, Listed, Spec, _choice, _number, _one_or_more
from topology.formats.text_file import displayed, read_text, refuse_too_long
from topology.formats.yaml_positions import Tree, locate, parse
from topology.promises import TENANT_TYPES, TenantType

RowPromise: TypeAlias = Literal[
    "reaches", "both-ways", "kind", "own-vni", "no-leak", "largest-whole", "every-spine", "inside-gre", "beside-gre"
]
WholePromise: TypeAlias = Literal["builds", "underlay", "second-run", "other-csv", "cleans-up"]
PromiseName: TypeAlias = Literal[RowPromise, WholePromise]
Feedback: TypeAlias = Literal["result", "where", "cause", "full"]
ROW_PROMISES: tuple[str, ...] = get_args(RowPromise)
WHOLE_PROMISES: tuple[str, ...] = get_args(WholePromise)
PROMISES = (*ROW_PROMISES, *WHOLE_PROMISES)
FEEDBACK: tuple[Feedback, ...] = get_args(Feedback)
"""From the least that a student is shown to all of it."""
WITHOUT: Mapping[str, tuple[str, ...]] = {
    "own-vni": ("Bridge", "L3"),
    "every-spine": ("Bridge",),
    **dict.fromkeys(("inside-gre", "beside-gre"), ("Bridge", "L3", "GRE")),
}
"""Promises that rows of some types do not make: they have no tunnel, or stay behind one leaf."""
POINTS_MAX = 10_000
ID_MAX = 24
SHARE_MAX = Fraction(1, 2)
DEFAULT = Path(__file__).parents[1] / "labs" / "rubrics" / "ece792.yaml"
"""The assignment's rubric."""
HOLDS = "a rubric, with a list 'items:'"
_SHARE = re.compile(r"0(?:\.[0-9]{1,3})?", re.ASCII)


def effects_share(value: object) -> Fraction:
    """Read the part of an item's points that an effect of an earlier item's fault still earns."""
    found = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not _SHARE.fullmatch(found) or Fraction(found) > SHARE_MAX:
        raise values.wrong(f"{values.shown(value)} is no share of an item's points", "a number from 0 to 0.5")
    return Fraction(found)


class ItemSpec(Spec):
    """One entry of ``items``."""

    id: Annotated[str, PlainValidator(values.name("item", ID_MAX))]
    points: Annotated[int, _number("points", 1, POINTS_MAX)]
    needs: Annotated[Listed[Annotated[str, _choice("promise", PROMISES)]], BeforeValidator(_one_or_more)]
    rows: Annotated[Listed[Annotated[TenantType, _choice("type", TENANT_TYPES)]], BeforeValidator(_one_or_more)] = (
        Field(default={})
    )
    fixed: Flag = False
    after: Annotated[str, PlainValidator(values.name("item", ID_MAX))] = ""
    after_share: Annotated[Fraction, Field(alias="after-share"), PlainValidator(effects_share)] = Fraction(0)
    hidden: Flag = False
    extra: Flag = False
    needed: ClassVar[Mapping[str, str]] = {
        "id": "id: NAME",
        "points": "points: NUMBER",
        "needs": f"needs: one or more of {', '.join(PROMISES)}",
    }


class RubricSpec(Spec):
    """A whole rubric."""

    points: Annotated[int, _number("points", 1, POINTS_MAX)] = 100
    feedback: Annotated[Feedback, _choice("feedback", FEEDBACK)] = "where"
    items: Listed[ItemSpec]
    needed: ClassVar[Mapping[str, str]] = {"items": "items: with lines of '- {id: ..., points: ..., needs: [...]}'"}


@dataclass(frozen=True)
class Item:
    """One line of a score: ``points`` for promises that must all hold, split evenly among the rows of some types.

    ``rows`` is empty where the promises are those of the whole submission; with ``fixed`` they are the recipe's, else
    the CSV's. What failed only by a cause that the item ``after`` is charged with earns ``after_share``. Points of an
    ``extra`` item go beyond the full marks.
    """

    id: str
    points: int
    needs: tuple[str, ...]
    rows: tuple[TenantType, ...] = ()
    after: str = ""
    after_share: Fraction = Fraction(0)
    hidden: bool = False
    extra: bool = False
    fixed: bool = False

    def is_about(self, row_type: TenantType, fixed: bool) -> bool:
        """Return whether a row is one of the item's."""
        return row_type in self.rows and fixed == self.fixed


@dataclass(frozen=True)
class Rubric:
    """The items in their order, and the text that they were read from; ``points`` are full marks."""

    points: int
    feedback: Feedback
    items: tuple[Item, ...]
    text: str = ""


def load_rubric(path: Path = DEFAULT) -> Rubric:
    """Return a file's rubric; raises LabError with every problem of the content, Misuse if it cannot be read."""
    return rubric_of_text(read_text(path, "a YAML file with a list items:"), displayed(path))


def rubric_of_text(text: str, file: str = "<rubric>") -> Rubric:
    """Return the same for a text; ``file`` is its name in messages."""
    refuse_too_long(len(text), file)
    tree, form = parse(text, file, HOLDS)
    spec, refused, _ = read_spec(tree, RubricSpec)
    problems = [*form, *refused]
    if spec is not None and not problems:
        rubric = Rubric(spec.points, spec.feedback, tuple(map(_item, spec.items.values())), text)
        problems += _problems(rubric, tree)
        if not problems:
            return rubric
    raise LabError(problems)


def _item(spec: ItemSpec) -> Item:
    needs, rows = tuple(spec.needs.values()), tuple(spec.rows.values())
    return Item(spec.id, spec.points, needs, rows, spec.after, spec.after_share, spec.hidden, spec.extra, spec.fixed)


def _problems(rubric: Rubric, tree: Tree) -> Iterator[Problem]:
    earlier: dict[str, int] = {}
    for number, item in enumerate(rubric.items):
        if item.id.casefold() in earlier:
            yield Problem(locate(tree, ("items", number, "id")), f"the item {item.id!r} is there already", "another id")
        yield from _wrong_after(rubric, number, earlier, tree)
        yield from _wrong_needs(item, number, tree)
        earlier[item.id.casefold()] = number
    total = sum(item.points for item in rubric.items if not item.extra)
    if total != rubric.points:
        what = f"the items without 'extra' come to {total} points, the full marks are {rubric.points}"
        yield Problem(locate(tree, ("points",), key=True), what, f"points: {total}, or other points for the items")


def _wrong_after(rubric: Rubric, number: int, earlier: Mapping[str, int], tree: Tree) -> Iterator[Problem]:
    item = rubric.items[number]
    if item.after and item.after.casefold() not in earlier:
        known = [one.id for one in rubric.items[:number]]
        below = next((one.id for one in rubric.items[number:] if one.id.casefold() == item.after.casefold()), "")
        what = f"no item {item.after!r} comes before this one"
        right = f"move {below} above it" if below not in ("", item.id) else values.suggest(item.after, known)
        yield Problem(locate(tree, ("items", number, "after")), what, right)
    if item.after_share and not item.after:
        where = locate(tree, ("items", number, "after-share"), key=True)
        yield Problem(where, "'after-share' is given without 'after'", "also after: an earlier item's id")


def _wrong_needs(item: Item, number: int, tree: Tree) -> Iterator[Problem]:
    where = locate(tree, ("items", number, "needs"))
    if not item.needs:
        yield Problem(where, f"{item.id} needs nothing", ItemSpec.needed["needs"])
    known, others = (ROW_PROMISES, WHOLE_PROMISES) if item.rows else (WHOLE_PROMISES, ROW_PROMISES)
    for place, need in enumerate(item.needs):
        where = locate(tree, ("items", number, "needs", place))
        if need in item.needs[:place]:
            yield Problem(where, f"{need!r} is given a second time", "each promise once")
        if need in others:
            of, right = ("the whole", "an item without 'rows'") if item.rows else ("a row", "also rows: TYPE")
            yield Problem(where, f"{need!r} is a promise of {of}", f"{right}, or one of: {', '.join(known)}")
        for kind in item.rows:
            if kind in WITHOUT.get(need, ()):
                fitting = ", ".join(one for one in TENANT_TYPES if one not in WITHOUT[need])
                yield Problem(where, f"a row of type {kind} has no {need!r}", f"rows of other types: {fitting}")
    if item.fixed and not item.rows:
        yield Problem(
            locate(tree, ("items", number, "fixed"), key=True), "'fixed' is given without 'rows'", "rows: TYPE"
        )
    if len(set(item.rows)) < len(item.rows):
        yield Problem(locate(tree, ("items", number, "rows")), "a type is given twice", "each type once")
