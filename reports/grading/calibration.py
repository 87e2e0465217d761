"""A rubric tried before it is used: what a solution, an empty folder, and the solution under faults score. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from reports.grading.feedback import item_lines
from reports.grading.record import Graded
from reports.grading.score import ItemScore, Score, number, score
from reports.grading.words import cell, csv_text, one_line
from topology.formats.rubric import Rubric

OF_BUILDS = ("builds", "second-run", "other-csv", "cleans-up")
"""Promises about building: a fault of what stands changes none of them."""
NOTHING_LOST, OPEN = ".", "?"


@dataclass(frozen=True)
class UnderFault:
    """The solution under a fault at a place; without a record where the fault could not be tried, ``why`` says so.

    ``suite`` is the suite of checks that must catch the fault.
    """

    kind: str
    place: str
    words: str
    suite: str
    graded: Graded | None
    why: str = ""

    def __str__(self) -> str:
        return f"{self.kind}@{self.place}" if self.place else self.kind


@dataclass(frozen=True)
class FaultRow:
    """A line of the table: by item the points that a fault costs; None where they are open."""

    fault: UnderFault
    lost: tuple[Fraction | None, ...]

    @property
    def is_free(self) -> bool:
        """True where the fault costs nothing."""
        return not any(points is None or points for points in self.lost)


def wrong_ends(solution: Score, empty: Score) -> Iterator[str]:
    """Yield the errors at the two extremes: items that the solution does not earn, and items that an empty folder
    earns.
    """
    for one in solution.items:
        if one.low < one.item.points:
            yield f"the solution earns {_of(one)}; expected all of them"
            yield from item_lines(one, "full", answers=True)
    for one in empty.items:
        if one.high:
            yield f"an empty folder earns {_of(one)}; expected 0"


def _of(one: ItemScore) -> str:
    return f"{one.between()} of {one.item.points} points of {one.item.id}"


def fault_rows(solution: Score, tried: Sequence[UnderFault]) -> list[FaultRow]:
    """Return the table: what each fault that could be tried costs."""
    return [_row(solution, one, score(one.graded, solution.rubric)) for one in tried if one.graded]


def _row(solution: Score, fault: UnderFault, under: Score) -> FaultRow:
    pairs = zip(solution.items, under.items, strict=True)
    return FaultRow(fault, tuple(full.low - now.low if now.low == now.high else None for full, now in pairs))


def table_lines(rows: Sequence[FaultRow], rubric: Rubric) -> Iterator[str]:
    """Yield the table for the terminal, points that each fault costs by item, faults in their order."""
    width = max((len(str(row.fault)) for row in rows), default=0)
    columns = [max(len(item.id), 5) for item in rubric.items]
    heads = (item.id.rjust(size) for item, size in zip(rubric.items, columns, strict=True))
    yield f"{'points lost by':<{max(width, 14)}}  {'  '.join(heads)}"
    for row in rows:
        cells = (_cell(points).rjust(size) for points, size in zip(row.lost, columns, strict=True))
        yield one_line(f"{row.fault!s:<{max(width, 14)}}  {'  '.join(cells)}")


def _cell(points: Fraction | None) -> str:
    return OPEN if points is None else number(points) if points else NOTHING_LOST


def end_lines(rows: Sequence[FaultRow], tried: Sequence[UnderFault], rubric: Rubric) -> Iterator[str]:
    """Yield the summary of a table: items that no fault loses, faults that cost nothing, faults not tried."""
    for place, item in enumerate(rubric.items):
        if not any(row.lost[place] for row in rows):
            only = set(item.needs) <= {*OF_BUILDS}
            why = "it is about building, which these faults do not touch" if only else ", ".join(item.needs)
            yield f"no fault loses {item.id}: {why}"
    free = [f"{row.fault} ({row.fault.suite})" for row in rows if row.is_free]
    if free:
        yield one_line(f"cost nothing: {', '.join(free)}")
    unclear = [str(row.fault) for row in rows if None in row.lost]
    if unclear:
        yield one_line(f"could not be established under: {', '.join(unclear)}")
    for one in tried:
        if one.graded is None:
            yield one_line(f"not tried: {one}: {one.why}")


def table_csv(rows: Sequence[FaultRow], rubric: Rubric) -> str:
    """Return the table for a spreadsheet: points that each fault costs; blank where they are open."""
    head = ["fault", "place", "words", "suite", *(item.id for item in rubric.items)]
    return csv_text([head, *map(_cells, rows)])


def _cells(row: FaultRow) -> list[str]:
    fault, lost = row.fault, ("" if points is None else number(points) for points in row.lost)
    return [*map(cell, (fault.kind, fault.place, fault.words, fault.suite)), *lost]
