"""A class in one table, as text and as CSV: how many earn an item in full, in part or not at all, and why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from reports.grading.feedback import FAILED
from reports.grading.score import ItemScore, Score, State, number
from reports.grading.words import cell, csv_text, in_class, one_line
from reports.words import listed
from topology.formats.rubric import Item, Rubric

INDEX, TABLE = "index.html", "class.csv"
STATES = ("full", "part", "none", "err")
PERSONS_MAX = 12


@dataclass(frozen=True)
class ItemRow:
    """An item's row: the number of submissions in each state, in their order, and the commonest cause of a loss."""

    item: Item
    counts: tuple[int, ...]
    cause: str


def item_rows(scores: Sequence[Score], rubric: Rubric) -> list[ItemRow]:
    """Return a row for each item of the rubric."""
    return [_item_row([score.items[place] for score in scores], item) for place, item in enumerate(rubric.items)]


def _item_row(found: Sequence[ItemScore], item: Item) -> ItemRow:
    states = Counter(one.state for one in found)
    causes = Counter(words for one in found for words in set(_causes(one)))
    commonest = f"{causes.most_common(1)[0][0]} ({causes.most_common(1)[0][1]})" if causes else ""
    return ItemRow(item, tuple(states[state] for state in STATES), commonest)


def _causes(one: ItemScore) -> Iterator[str]:
    """Yield what cost a submission points of an item: the first cause of each failure, else what failed."""
    for part in one.parts:
        if part.under:
            yield f"what lost points in {part.under}"
        elif part.state is State.BROKEN:
            promise = next((one for one in part.against if one.name == "reaches"), part.against[0])
            yield in_class(promise.causes[0]) if promise.causes else FAILED[promise.name]


def persons(scores: Iterable[Score]) -> list[str]:
    """Return the submissions that need a person, each with the reasons."""
    return [one_line(f"{one.graded.name} ({', '.join(one.person)})") for one in scores if one.person]


def outcome(scores: Sequence[Score]) -> str:
    """Return the middle of a class, and its ends, in a line."""
    lows = [score.low for score in scores]
    full = sum(score.low >= score.rubric.points for score in scores)
    zero = sum(score.high == 0 for score in scores)
    return f"median {number(median(lows))}, full marks {full}, zero {zero}" if lows else "nothing is graded yet"


def class_lines(scores: Sequence[Score], rubric: Rubric, folder: str) -> Iterator[str]:
    """Yield the end of a class for the terminal."""
    needy = persons(scores)
    yield f"graded {len(scores) - len(needy)}, need a person {len(needy)}" + (
        f": {listed(needy, PERSONS_MAX)}" if needy else ""
    )
    rows = item_rows(scores, rubric)
    width = max(len(row.item.id) for row in rows)
    yield f"{'item':<{width}}  points  full  part  none   err  commonest cause"
    for row in rows:
        counts = "".join(f"{count:>6}" for count in row.counts)
        yield f"{row.item.id:<{width}}  {row.item.points:>6}{counts}  {row.cause}".rstrip()
    yield f"{outcome(scores)}      page: {folder}/{INDEX}   table: {folder}/{TABLE}"


def class_csv(scores: Sequence[Score], rubric: Rubric) -> str:
    """Return class.csv: both bounds of each score, who has to look, and the points of each item."""
    ids = (item.id for item in rubric.items)
    head = ["submission", "people", "score_min", "score_max", "person", "overridden", *ids]
    return csv_text([head, *map(_cells, scores)])


def _cells(score: Score) -> list[str]:
    given = [f"{one.item}: {one.reason} ({one.by})" for one in score.overrides]
    words = [score.graded.name, score.graded.people]
    notes = ["; ".join(score.person), "; ".join(given)]
    points = (one.between() for one in score.items)
    return [*map(cell, words), number(score.low), number(score.high), *map(cell, notes), *points]
