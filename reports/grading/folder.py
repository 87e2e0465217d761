"""The folder of a class: records, pages, class.csv, and the scores, which a regrading compares with new ones."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from reports.grading.gradescope import results_bytes
from reports.grading.overrides import read_overrides
from reports.grading.pages import index_page, instructor_page, student_page
from reports.grading.record import file_name, read_class
from reports.grading.score import ItemScore, Score, score
from reports.grading.table import INDEX, TABLE, class_csv, class_lines
from reports.grading.words import one_line
from reports.record.exhibits import Strict
from reports.record.files import write_atomically
from reports.record.store import Document, read_document, record_bytes
from reports.words import counted
from topology.formats.rubric import Item, Rubric, load_rubric, rubric_of_text

STUDENTS, INSTRUCTOR, GRADESCOPE = "students", "instructor", "gradescope"
SCORES, BEFORE = "scores.json", "before"
PERSON_NEEDED = 6
"""The exit code of grading where some submissions need a person."""


@dataclass(frozen=True)
class Kept(Strict):
    """A score as it was: its bounds, those of each item, and the words of each override."""

    key: str
    low: float
    high: float
    items: dict[str, tuple[float, float]]
    overrides: dict[str, str]


@dataclass(frozen=True)
class Scores(Strict):
    """The scores of a class, and the text of the rubric that gave them."""

    schema: Literal[1]
    rubric: str
    scores: dict[str, Kept]


SCORES_FORM = Document(Scores, 1, "a class's scores.json", "remove it and grade the class again")


def regrade(folder: Path, rubric_file: Path | None = None) -> tuple[list[str], int]:
    """Score a class again from its records, write its pages, and return the lines to print and the exit code.

    Without a rubric the one of the scores before is used, else the assignment's. The scores before are kept where any
    changed. Raises RecordRefused, LabError or Misuse, before anything is written, for what cannot be read.
    """
    before = read_document(folder / SCORES, SCORES_FORM) if (folder / SCORES).exists() else None
    rubric = _rubric(rubric_file, before)
    graded = read_class(folder)
    given = read_overrides(folder, [one.name for one in graded], rubric)
    scores = [score(one, rubric, given.get(one.name, ())) for one in graded]
    changes = list(_changes(before, scores)) if before else []
    if before and before != scores_of(scores, rubric):
        changes += [f"the scores before are kept in {_keep(folder)}"]
    write_class(folder, scores, rubric)
    return [*changes, *class_lines(scores, rubric, str(folder))], class_code(scores)


def class_code(scores: Iterable[Score]) -> int:
    """Return the exit code of grading a class."""
    return PERSON_NEEDED if any(one.person for one in scores) else 0


def write_class(folder: Path, scores: Sequence[Score], rubric: Rubric, progress: str = "") -> None:
    """Write everything that is made of a class's scores."""
    for one in scores:
        write_submission(folder, one)
    write_index(folder, scores, rubric, progress)


def write_submission(folder: Path, one: Score) -> None:
    """Write the pages of a submission, and Gradescope's results."""
    name = file_name(one.graded.name)
    _write(folder / STUDENTS / f"{name}.html", student_page(one))
    _write(folder / INSTRUCTOR / f"{name}.html", instructor_page(one))
    _write(folder / GRADESCOPE / f"{name}.json", results_bytes(one))


def write_index(folder: Path, scores: Sequence[Score], rubric: Rubric, progress: str = "") -> None:
    """Write the class's page, class.csv and scores.json."""
    _write(folder / INDEX, index_page(scores, rubric, progress))
    _write(folder / TABLE, class_csv(scores, rubric))
    _write(folder / SCORES, record_bytes(scores_of(scores, rubric)))


def scores_of(scores: Iterable[Score], rubric: Rubric) -> Scores:
    """Return what scores.json holds of a class."""
    return Scores(1, rubric.text, {one.graded.name: _kept(one) for one in scores})


def _write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content if isinstance(content, bytes) else content.encode("utf-8", "replace"))


def _rubric(file: Path | None, before: Scores | None) -> Rubric:
    if file is None and before is not None:
        return rubric_of_text(before.rubric, f"{SCORES}'s rubric")
    return load_rubric(file) if file else load_rubric()


def _kept(one: Score) -> Kept:
    items = {item.item.id: (float(round(item.low, 2)), float(round(item.high, 2))) for item in one.items}
    overrides = {given.item: f"{given.reason} ({given.by})" for given in one.overrides}
    return Kept(one.graded.key, float(round(one.low, 2)), float(round(one.high, 2)), items, overrides)


def _keep(folder: Path) -> Path:
    """Copy what was made of the scores before, and the overrides as they are now, into a folder of its own."""
    kept = next(path for n in range(1, 1_000_000) if not (path := folder / f"{BEFORE}-{n}").exists())
    kept.mkdir()
    for name in (SCORES, TABLE, INDEX):
        if (folder / name).exists():
            shutil.copyfile(folder / name, kept / name)
    return kept


def _changes(before: Scores, scores: Iterable[Score]) -> Iterator[str]:
    """Yield a line for each submission whose score changes: by how much, and why; then how many change."""
    old = {item.id: item for item in rubric_of_text(before.rubric, SCORES).items}
    count, total = 0, 0
    for one in scores:
        total += 1
        was, now = before.scores.get(one.graded.name), _kept(one)
        if was is None or (was.low, was.high) != (now.low, now.high):
            count += 1
            yield one_line(_change(one, was, now, old))
    yield f"{counted(total, 'submission')}, the scores of {count} change"


def _change(one: Score, was: Kept | None, now: Kept, old: Mapping[str, Item]) -> str:
    if was is None:
        return f"{one.graded.name} new: {_between(now.low, now.high)}"
    difference = now.low - was.low
    by = f" ({difference:+g})" if difference else ""
    whys = [*_whys(one, was, now, old), *(f"{item} is gone" for item in was.items if item not in now.items)]
    return f"{one.graded.name} {_between(was.low, was.high)} -> {_between(now.low, now.high)}{by}: {', '.join(whys)}"


def _whys(one: Score, was: Kept, now: Kept, old: Mapping[str, Item]) -> Iterator[str]:
    for item in one.items:
        name = item.item.id
        if name not in was.items:
            yield f"{name} is new: {_between(*now.items[name])}"
        elif was.items[name] != now.items[name]:
            points = f"{name} {_between(*was.items[name])} -> {_between(*now.items[name])}"
            yield f"{points} ({_why(item, was, now, old.get(name))})"


def _why(one: ItemScore, was: Kept, now: Kept, old: Item | None) -> str:
    name = one.item.id
    if was.overrides.get(name) != now.overrides.get(name):
        return f"overridden: {now.overrides[name]}" if name in now.overrides else "no longer overridden"
    if was.key != now.key:
        return "graded again"
    changed = [
        key.name.replace("_", "-") for key in fields(Item) if getattr(old, key.name) != getattr(one.item, key.name)
    ]
    if old and "points" in changed:
        return f"points {old.points} -> {one.item.points}"
    return f"other {', '.join(changed)}" if changed else f"another {one.item.after or 'record'}"


def _between(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g}..{high:g}"
