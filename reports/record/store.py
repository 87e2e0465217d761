"""Records: written atomically, and read back strictly; any other file is refused in one line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from reports.record.model import SCHEMA, Record

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")

SIZE_MAX = 256 << 20
"""Bytes of a results.json that is read: far more than the largest lab writes."""


class RecordRefused(Exception):
    """A file that is not a record, or not one that this version can read."""


@dataclass(frozen=True)
class Document(Generic[T]):
    """A kind of record: its class, its schema's number, its name, and how another one is made."""

    kind: type[T]
    schema: int
    name: str
    again: str


RUN = Document(Record, SCHEMA, "a run's results.json", "run the tests again")


def record_bytes(record: object) -> bytes:
    """The document: each part on a line of its own, and each item of a list.

    Characters that UTF-8 has no form for, as of undecodable file names, become question marks.
    """
    parts = ",\n ".join(f"{json.dumps(key)}: {_lines(part)}" for key, part in vars(record).items())
    return f"{{\n {parts}\n}}\n".encode("utf-8", "replace")


def _lines(part: object) -> str:
    if not isinstance(part, list) or not part:
        return _json(part)
    return "[\n  " + ",\n  ".join(map(_json, part)) + "\n ]"


def _json(part: object) -> str:
    return json.dumps(part, ensure_ascii=False, default=vars)


def read_record(path: Path) -> Record:
    """The record of a run in a file; RecordRefused names the file's fault in one line."""
    return read_document(path, RUN)


def read_document(path: Path, form: Document[T]) -> T:
    """The record of any kind in a file."""
    try:
        with path.open("rb") as file:
            content = file.read(SIZE_MAX + 1)
    except OSError as error:
        raise RecordRefused(f"{path}: cannot be read: {error.strerror}; name {form.name}") from None
    if len(content) > SIZE_MAX:
        raise RecordRefused(f"{path}: larger than {SIZE_MAX >> 20} MiB; name {form.name}")
    return parse_document(content, str(path), form)


def parse_record(content: bytes, name: str) -> Record:
    """The record of a run in a document called ``name``."""
    return parse_document(content, name, RUN)


def parse_document(content: bytes, name: str, form: Document[T]) -> T:
    """The record of any kind in a document."""
    from pydantic import ValidationError  # 0.2 s, which a run that only writes does without

    try:
        read: T = _adapter(form).validate_json(content)
        return read
    except ValidationError as error:
        raise RecordRefused(f"{name}: {_wrong(content, list(_problems(error)), form)}") from None


@cache
def _adapter(form: Document[Any]) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(form.kind)


def _problems(error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        place = ".".join(map(str, problem["loc"]))
        yield f"{place}: {problem['msg']}" if place else problem["msg"]


def _wrong(content: bytes, problems: list[str], form: Document[Any]) -> str:
    """The reason for a refusal: another schema, if the document names one, else its first problem."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return f"no JSON that can be read: {_shown(problems[0])}; name {form.name}"
    schema = found.get("schema") if isinstance(found, dict) else None
    if isinstance(schema, int) and schema > form.schema:
        return f"schema {str(schema)[:20]} is newer than {form.schema}; use the hopcheck that wrote it"
    if isinstance(schema, str) and schema.startswith("hopcheck-results/"):
        return f"schema {_shown(schema)} is older than {form.schema}; {form.again}"
    if schema != form.schema:
        return f"not {form.name}: no schema {form.schema}; name one"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"damaged: {_shown(problems[0])}{more}; {form.again}"


def _shown(text: str) -> str:
    """Text from a file as it can stand on one line of a terminal."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in text)
    return plain if len(plain) <= 160 else f"{plain[:160]}…"
