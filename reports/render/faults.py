"""The kill matrix: which faults were caught, and how well they were explained, by kind; for the page and for
faults.json."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from operator import attrgetter
from statistics import median
from typing import Literal

from reports.record.exhibits import Diagnosis, FaultTried
from reports.record.model import Record
from reports.words import grouped

FAULTS = "faults.json"
COLUMNS: tuple[tuple[str, bool, Callable[[Diagnosis], bool]], ...] = (
    ("caught", True, lambda said: said.caught),
    ("by traffic", False, lambda said: said.traffic),
    ("by the kernel's answers", False, lambda said: said.kernel),
    ("by declared state", False, lambda said: said.declaration),
    ("node right", True, lambda said: said.node == "right"),
    ("cause first", True, lambda said: said.rank == 1),
    ("among three", True, lambda said: said.rank is not None and said.rank <= NEAR),
)
"""What is counted of a diagnosis, and whether all should be so."""
HEAD = (*(name for name, *_ in COLUMNS), "seconds")
"""The names of a row's cells."""
SIDES = ("with the declaration", "by pairs alone")
NODE = {"right": "right node", "wrong": "wrong node", "none": "no node"}
NEAR = 3
"""A right cause is worth reading among so many."""


@dataclass(frozen=True)
class Cell:
    """Words, and their grade, which the page shows as a colour."""

    words: str
    grade: Literal["good", "fair", "odd", "bad", ""] = ""
    title: str = ""


@dataclass(frozen=True)
class Row:
    """A kind of fault, or all of them, with its cells: those with the declaration, then those without.

    ``squares`` has a cell for each fault, on both sides.
    """

    kind: str
    words: str
    declared: list[Cell]
    undeclared: list[Cell]
    squares: tuple[list[Cell], list[Cell]]


def matrix(tried: Sequence[FaultTried]) -> list[Row]:
    """All faults together, then each kind, in the order of the record."""
    groups = {"all": list(tried), **grouped(tried, attrgetter("kind"))} if tried else {}
    return [_row(name, group) for name, group in groups.items()]


def _row(name: str, group: Sequence[FaultTried]) -> Row:
    words = f"{len(group)} faults" if name == "all" else f"{group[0].words} ({group[0].suite}, {len(group)})"
    declared, undeclared = [one.declared for one in group], [*filter(None, map(_by_pairs, group))]
    squares = [_square(one.place, one.declared) for one in group], [_square(one.place, _by_pairs(one)) for one in group]
    return Row(name, words, _cells(declared), _cells(undeclared), squares)


def _square(place: str, said: Diagnosis | None) -> Cell:
    """What was said of one fault, by a sign and a colour."""
    if said is None:
        return Cell("·", "", f"{place}: not about traffic")
    title = f"{place}: {_found(said)}"
    if not said.caught:
        return Cell("✗", "bad", title)
    if said.rank == 1:
        return Cell("●", "good", title)
    return Cell("◐", "fair", title) if said.rank and said.rank <= NEAR else Cell("○", "odd", title)


def _found(said: Diagnosis) -> str:
    rank = f"right cause at place {said.rank}" if said.rank else "right cause not named"
    return f"{NODE[said.node]}, {rank}" if said.caught else "not caught"


SIGNS = {"●": "right cause first", "◐": f"among {NEAR}", "○": "caught, right cause further down", "✗": "not caught"}
"""The squares' signs in words."""


def _by_pairs(one: FaultTried) -> Diagnosis | None:
    """What was said without a declaration, where packets of a pair's size and number can show the fault."""
    return one.undeclared if one.suite == "overlay" else None


def _cells(said: Sequence[Diagnosis]) -> list[Cell]:
    counted = [_counted(sum(map(holds, said)), len(said), graded) for _, graded, holds in COLUMNS]
    times = [one.seconds for one in said if one.seconds is not None]
    return [*counted, Cell(f"{median(times):.1f}" if times else "–")]


def _counted(good: int, of: int, graded: bool) -> Cell:
    if not of:
        return Cell("–")
    return Cell(f"{good} of {of}", "" if not graded else "good" if good == of else "odd" if good else "bad")


def total_lines(tried: Sequence[FaultTried]) -> Iterator[str]:
    """All faults in a line for each side; none where none was tried."""
    for side, cells in _totals(tried):
        yield f"faults {side}: {', '.join(f'{name} {words}' for name, words in cells.items())}"


def _totals(tried: Sequence[FaultTried]) -> Iterator[tuple[str, dict[str, str]]]:
    for row in matrix(tried)[:1]:
        for side, cells in zip(SIDES, (row.declared, row.undeclared), strict=True):
            yield side, {name: cell.words for name, cell in zip(HEAD, cells, strict=True)}


def misses(tried: Iterable[FaultTried]) -> Iterator[str]:
    """A line for each diagnosis in which the right cause is not the first one, with what was said."""
    for one in tried:
        for side, said in zip(SIDES, (one.declared, _by_pairs(one)), strict=True):
            if said is not None and said.rank != 1:
                words = said.said.partition(" - evidence: ")[0]
                yield f"{one.kind}@{one.place} {side}: {_found(said)}{words and f': {words}'}"


def fault_bytes(record: Record) -> bytes:
    """The document faults.json: totals, misses, and every fault with what was said of it."""
    totals = [{"side": side, **cells} for side, cells in _totals(record.faults)]
    faults = [asdict(one) for one in record.faults]
    content = {"totals": totals, "misses": list(misses(record.faults)), "faults": faults}
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "replace")
