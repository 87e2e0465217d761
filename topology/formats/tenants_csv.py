"""Reads a tenants file, CSV: rows of ``source, destination, type``, one for each pair of customers.

Tolerated: spaces around cells, quotes, blank lines, comments from ``#`` on, a header row, any line ending, a byte
order mark, and types in any case. Everything else is a problem with its place, and all problems are found at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pydantic_core import PydanticCustomError

from topology.errors import Position, Problem
from topology.formats.lab_values import name, shown, suggest
from topology.formats.text_file import displayed, read_text, refuse_too_long
from topology.model import NAME_MAX
from topology.promises import TENANT_TYPES, TenantType
from topology.tenants.rows import TenantRow, TenantRows

MAX_ROWS = 10_000
"""More pairs than a run proves; a row's number has five digits at most, and the names made of it fit."""
COLUMNS = ("source", "destination", "type")
_RIGHT = f"{', '.join(COLUMNS)}, as in: cs1, cs5, VXLAN"
_LINE_END = re.compile(r"\r\n|\n|\r")
_CELL = re.compile(r'\s*(?:"((?:[^"]|"")*)"\s*|([^,]*))(,|$)')
"""RFC 4180, section 2, with spaces around a cell; a quote anywhere else is a character like any other."""
_customer_name = name("node", NAME_MAX)


class Cell(NamedTuple):
    """A cell's text, without the spaces around it, and its place."""

    text: str
    where: Position


def read_tenants(path: str | Path) -> TenantRows:
    """The rows of a file; raises Misuse for one that cannot be read, LabError for one that is no text."""
    path = Path(path)
    return read_tenants_text(read_text(path, f"a CSV file with rows of {_RIGHT}"), displayed(path))


def read_tenants_text(text: str, file: str = "<tenants>") -> TenantRows:
    """The rows of a file's text; ``file`` is its name in messages."""
    refuse_too_long(len(text), file)
    reading = _Reading()
    for cells in _rows(text.removeprefix("\ufeff"), file):
        if reading.number == MAX_ROWS:
            reading.problems.append(
                Problem(cells[0].where, f"the file has more than {MAX_ROWS} rows", f"at most {MAX_ROWS}")
            )
            break
        reading.take(cells)
    if not reading.number:
        reading.problems.append(Problem(Position(file), "the file has no rows", _RIGHT))
    return TenantRows(file, tuple(reading.rows), tuple(reading.problems), frozenset(reading.doubtful))


def _rows(text: str, file: str) -> Iterator[list[Cell]]:
    """The lines that hold a row, as cells; the header, if there is one, left out."""
    first = True
    for number, line in enumerate(_LINE_END.split(text), 1):
        content = line.partition("#")[0]
        if content.strip():
            cells = list(cells_of(content, file, number))
            if not (first and _is_header(cells)):
                yield cells
            first = False


def cells_of(line: str, file: str, number: int) -> Iterator[Cell]:
    """The cells of a line, each with the column at which it starts, which the csv module does not tell."""
    at, end = 0, ","
    while end:
        found = _CELL.match(line, at)
        assert found, line
        quoted, plain, end = found.groups()
        indent = len(found.group()) - len(found.group().lstrip())
        text = plain if quoted is None else quoted.replace('""', '"')
        yield Cell(text.strip(), Position(file, number, at + (indent if text.strip() else 0) + 1))
        at = found.end()


def _is_header(cells: list[Cell]) -> bool:
    """True if a row names the columns, as ``source container, destination container, type`` does."""
    words = [cell.text.casefold().split() for cell in cells]
    return len(words) == len(COLUMNS) and all(said[:1] == [column] for said, column in zip(words, COLUMNS, strict=True))


@dataclass
class _Reading:
    """The rows read so far."""

    number: int = 0
    rows: list[TenantRow] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    doubtful: set[str] = field(default_factory=set)
    first: dict[tuple[frozenset[str], str], int] = field(default_factory=dict)

    def take(self, cells: list[Cell]) -> None:
        """Read one row; where it is refused, its names are doubtful in the others."""
        self.number += 1
        row, problems = _row(self.number, cells)
        if row is None or problems:
            self.doubtful |= {cell.text.casefold() for cell in cells[:2]}
        elif earlier := self._earlier(row):
            what = f"the row {row.source}, {row.target}, {row.type} is already on line {earlier}"
            problems = [Problem(row.where, what, "each pair once with each type")]
        else:
            self.rows.append(row)
        self.problems += problems

    def _earlier(self, row: TenantRow) -> int | None:
        """The line of a row that promises the same, in either direction."""
        promise = (frozenset((row.source.casefold(), row.target.casefold())), row.type)
        line = self.first.setdefault(promise, row.where.line)
        return line if line != row.where.line else None


def _row(number: int, cells: list[Cell]) -> tuple[TenantRow | None, list[Problem]]:
    if len(cells) != len(COLUMNS):
        extra = cells[len(COLUMNS) :]
        counted = f"a row of {len(cells)} cell{'s' if len(cells) > 1 else ''}"
        return None, [Problem(extra[0].where if extra else cells[0].where, counted, _RIGHT)]
    source, target, kind = cells
    problems = [*_name_problems("source", source), *_name_problems("destination", target)]
    known = _tenant_type(kind.text)
    if known is None:
        what = f"unknown type {shown(kind.text)}" if kind.text else "the type is empty"
        problems.append(Problem(kind.where, what, suggest(kind.text, TENANT_TYPES)))
    elif not problems and source.text.casefold() == target.text.casefold():
        problems.append(Problem(target.where, f"{source.text} is paired with itself", "two nodes"))
    if known is None or problems:
        return None, problems
    return TenantRow(number, source.text, target.text, known, source.where, target.where, kind.where), []


def _tenant_type(text: str) -> TenantType | None:
    return next((known for known in TENANT_TYPES if known.casefold() == text.casefold()), None)


def _name_problems(column: str, cell: Cell) -> Iterator[Problem]:
    if not cell.text:
        yield Problem(cell.where, f"the {column} is empty", "a node's name")
        return
    try:
        _customer_name(cell.text)
    except PydanticCustomError as error:
        context = error.context or {}
        yield Problem(cell.where, str(context.get("what")), str(context.get("right")))
