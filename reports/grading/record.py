"""The record of one graded submission: what was built, and what became of each promise. All that is shown is made of
records and a rubric, so a class is scored again without a machine.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from reports.record.exhibits import Cause, Count, Journey, Strict, Whole
from reports.record.files import write_atomically
from reports.record.model import Map, Seconds
from reports.record.store import Document, RecordRefused, parse_document, read_document, record_bytes
from topology.formats.rubric import PromiseName
from topology.promises import TenantType

SCHEMA = 1
RECORDS = "records"
"""The folder of the records, in that of a class."""
CLASS_MAX = 10_000
Outcome: TypeAlias = Literal["kept", "broken", "errored", "does-not-apply"]
Ended: TypeAlias = Literal["exited", "deadline", "output", "memory", "processes", "lost"]
Part: TypeAlias = Literal["build", "second-run", "other-csv", "cleanup"]


@dataclass(frozen=True)
class Row(Strict):
    """A row of the CSV: two customers and how their traffic is to be carried; ``number`` counts from 1.

    A ``fixed`` one stands in the recipe instead: every submission builds it, whatever the CSV.
    """

    number: Count
    source: str
    target: str
    kind: TenantType
    fixed: bool = False


@dataclass(frozen=True)
class Step(Strict):
    """A command of a submission that was run; ``exit`` is None where it did not end by itself.

    ``ended`` says what ended it: itself, its deadline, its output's limit, its memory's, or the loss of the machine.
    ``tail`` is the end of what it printed.
    """

    command: str
    exit: Whole | None
    seconds: Seconds
    ended: Ended
    tail: str = ""
    part: Part = "build"


@dataclass(frozen=True)
class Promise(Strict):
    """What became of a promise of a row, or of the whole submission; ``said`` is our message.

    ``causes`` are those of the diagnosis, the most likely first; ``ladder`` is the journey that shows the failure.
    """

    name: PromiseName
    row: Row | None
    outcome: Outcome
    said: str = ""
    causes: list[Cause] = field(default_factory=list)
    ladder: Journey | None = None


@dataclass(frozen=True)
class Graded(Strict):
    """One submission, graded in one machine.

    ``key`` is made of the contents of submission, CSV and recipe, of the image and of hopcheck's version. ``rows`` are
    all of the CSV. ``nodes`` is the fabric as found, as text, ``map`` the same for a picture; ``people`` are those who
    submitted it. ``first`` are the promises of a first attempt in which something errored. ``files`` is a digest of the
    files that were submitted, wherever they lie.
    """

    schema: Literal[1]
    name: str
    key: str
    kernel: str
    started: str
    seconds: Seconds
    rows: list[Row]
    build: list[Step]
    promises: list[Promise]
    nodes: str = ""
    people: str = ""
    notes: list[str] = field(default_factory=list)
    first: list[Promise] = field(default_factory=list)
    files: str = ""
    map: Map | None = None


GRADED = Document(Graded, SCHEMA, "a record of a submission", "grade it again")
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}", re.ASCII)


def file_name(name: str) -> str:
    """Return a submission's name as that of a file: plain ones as they are, of others what is plain and a digest."""
    if _PLAIN.fullmatch(name) and not name.endswith("."):
        return name
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:60].strip("-")
    return f"{plain or 'submission'}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def write_graded(folder: Path, graded: Graded) -> Path:
    """Write a record into a class's folder, whole; return its path."""
    path = folder / RECORDS / f"{file_name(graded.name)}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, record_bytes(graded))
    return path


def read_graded(path: Path) -> Graded:
    """Return the record in a file; RecordRefused names the file's fault in one line."""
    return _sound(read_document(path, GRADED), str(path))


def parse_graded(content: bytes, name: str) -> Graded:
    """Return the record in a document called ``name``."""
    return _sound(parse_document(content, name, GRADED), name)


def _sound(graded: Graded, name: str) -> Graded:
    """Return a record that does not contradict itself."""
    places = Counter((promise.name, promise.row) for promise in graded.promises)
    twice = next((name for (name, _), count in places.items() if count > 1), None)
    rows = {row.number for row in graded.rows}
    if twice or len(rows) < len(graded.rows) or any(p.row and p.row not in graded.rows for p in graded.promises):
        what = f"{twice} is given twice for one row" if twice else "its rows contradict each other"
        raise RecordRefused(f"{name}: damaged: {what}; {GRADED.again}")
    return graded


def read_class(folder: Path) -> list[Graded]:
    """Return every record of a class, by name; RecordRefused where one is damaged, or there is none."""
    paths = sorted((folder / RECORDS).glob("*.json"))[: CLASS_MAX + 1]
    if not paths or len(paths) > CLASS_MAX:
        what = f"more than {CLASS_MAX} records" if paths else "no records of submissions"
        raise RecordRefused(f"{folder}: {what}; name the folder of a class that was graded")
    found = [read_graded(path) for path in paths]
    for path, graded in zip(paths, found, strict=True):
        if path.name != f"{file_name(graded.name)}.json":
            right = f"{file_name(graded.name)}.json"
            raise RecordRefused(f"{path}: holds the record of another submission; it belongs into {right}")
    return sorted(found, key=lambda graded: (graded.name.casefold(), graded.name))
