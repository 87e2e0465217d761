"""overrides.csv: the points that a person gives, applied last and at every regrading."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from reports.grading.record import Graded
from reports.grading.score import Override
from reports.grading.words import cell
from topology.errors import LabError, Problem
from topology.formats.lab_values import suggest
from topology.formats.rubric import Item, Rubric
from topology.formats.tenants_csv import Cell, cells_of
from topology.formats.text_file import displayed, read_text, refuse_too_long

OVERRIDES = "overrides.csv"
COLUMNS = ("submission", "item", "points", "reason", "by")
_RIGHT = f"{', '.join(COLUMNS)}, as in: s0417, vxlan, 20, built by hand in the lab, Ada"
_POINTS = re.compile(r"[0-9]{1,5}(?:\.[0-9]{1,2})?", re.ASCII)


def read_overrides(folder: Path, graded: Sequence[Graded], rubric: Rubric) -> dict[str, list[Override]]:
    """Return a class's overrides by the names of submissions; none where there is no file.

    Raises LabError with every problem of the file, Misuse if it cannot be read.
    """
    path = folder / OVERRIDES
    return overrides_of(read_text(path, _RIGHT), displayed(path), graded, rubric) if path.exists() else {}


def overrides_of(text: str, file: str, graded: Sequence[Graded], rubric: Rubric) -> dict[str, list[Override]]:
    """Return the same for a text; ``file`` is its name in messages."""
    refuse_too_long(len(text), file)
    names = {cell(one.name): one.name for one in graded}
    items = {item.id.casefold(): item for item in rubric.items}
    found: dict[str, list[Override]] = {}
    problems: list[Problem] = []
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        row = list(cells_of(line, file, number)) if line.strip() else []
        if not row or (number == 1 and row[0].text.casefold() == COLUMNS[0]):
            continue
        wrong = list(_problems(row, names, items))
        problems += wrong
        if not wrong:
            name, item = names[row[0].text], items[row[1].text.casefold()].id
            if any(other.item == item for other in found.get(name, ())):
                problems.append(Problem(row[1].where, f"{item} of {row[0].text} is there already", "once"))
            override = Override(name, item, Fraction(row[2].text), row[3].text, row[4].text)
            found.setdefault(name, []).append(override)
    if problems:
        raise LabError(problems)
    return found


def _problems(row: Sequence[Cell], names: dict[str, str], items: dict[str, Item]) -> Iterator[Problem]:
    if len(row) != len(COLUMNS):
        yield Problem(row[0].where, f"a row of {len(row)} cells", f"{_RIGHT}; a reason with a comma in quotes")
        return
    submission, item, points, reason, by = row
    if submission.text not in names:
        yield Problem(submission.where, f"no submission {submission.text!r}", suggest(submission.text, names))
    known = items.get(item.text.casefold())
    if known is None:
        yield Problem(item.where, f"unknown item {item.text!r}", suggest(item.text, [one.id for one in items.values()]))
    if not _POINTS.fullmatch(points.text) or (known and Fraction(points.text) > known.points):
        right = f"a number from 0 to {known.points}" if known else "a number"
        yield Problem(points.where, f"{points.text!r} are no points of this item", right)
    for what, given in (("reason", reason), ("name of who says so", by)):
        if not given.text:
            yield Problem(given.where, f"the {what} is empty", _RIGHT)
