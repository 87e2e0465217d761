"""YAML text -> values that remember their line and column; hostile text is refused within fixed bounds.

PyYAML (libyaml) supplies the events, and nothing else of it is used: no constructor runs, so no tag can make
an object, nothing recurses, and an alias is followed only while the expanded document stays small.
Scalars are read by YAML 1.2's core schema (section 10.3), without floats, which no lab file needs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, cast

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    ScalarEvent,
)
from yaml.reader import ReaderError

from topology.errors import LabError, Position, Problem

Plain: TypeAlias = "str | int | bool | list[Plain] | dict[str, Plain] | None"
Step: TypeAlias = str | int

MAX_DEPTH = 12
"""Nested mappings and lists; a lab file needs six."""
MAX_VALUES = 200_000
"""Scalars, lists and mappings, aliases expanded: a file of the largest size that is mostly values."""
_INTEGER = re.compile(r"[-+]?[0-9]{1,20}|0x[0-9a-fA-F]{1,16}|0o[0-7]{1,20}", re.ASCII)
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}


@dataclass(frozen=True)
class Scalar:
    """One scalar; ``bare`` when it is written without quotes, and so may be a number or a word."""

    where: Position
    text: str
    bare: bool = False

    def plain(self) -> Plain:
        """The value as YAML 1.2 reads it."""
        if not self.bare:
            return self.text
        if self.text in _WORDS:
            return _WORDS[self.text]
        if not _INTEGER.fullmatch(self.text):
            return self.text
        return int(self.text, 0 if self.text[:2] in ("0x", "0o") else 10)


@dataclass(frozen=True)
class Items:
    """A list."""

    where: Position
    items: list[Tree] = field(default_factory=list)

    def plain(self) -> Plain:
        """The list without its positions."""
        return [item.plain() for item in self.items]


@dataclass(frozen=True)
class Table:
    """A mapping; each key is kept with its own position."""

    where: Position
    entries: dict[str, tuple[Position, Tree]] = field(default_factory=dict)

    def plain(self) -> Plain:
        """The mapping without its positions."""
        return {key: tree.plain() for key, (_, tree) in self.entries.items()}


Tree: TypeAlias = Scalar | Items | Table


def locate(tree: Tree, path: Sequence[Step], *, key: bool = False) -> Position:
    """Locate the value at ``path``, or with ``key`` the key that names it.

    A path that the file does not follow to its end (a default) ends at the deepest key or item that it does
    name; a step into a list that the file writes without brackets, or into a mapping that it writes as a
    list, is no step. An empty value has no place of its own, so its key stands for it.
    """
    name = tree.where
    for step in path:
        if isinstance(tree, Table) and step in tree.entries:
            name, tree = tree.entries[str(step)]
        elif isinstance(tree, Items) and isinstance(step, int) and step < len(tree.items):
            tree = tree.items[step]
            name = tree.where
        elif isinstance(tree, Table) or isinstance(tree, Items) == isinstance(step, int):
            return name
    return name if key or (isinstance(tree, Scalar) and tree.bare and not tree.text) else tree.where


def parse(text: str, file: str, holds: str = "a lab, starting with 'lab: NAME'") -> tuple[Tree, Sequence[Problem]]:
    """The one document in ``text``, and the faults of its form that do not stop its reading.

    ``holds`` is the format's content, for the message about an empty file.

    Raises LabError where the text is not YAML, is empty, or exceeds the bounds above.
    """
    builder = _Builder(file)
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        raise LabError([*builder.problems, _syntax_problem(error, text, builder.last)]) from None
    if builder.root is None:
        raise LabError([Problem(Position(file), "the file is empty", holds)])
    return builder.root, builder.problems


@dataclass
class _Open:
    """A list or mapping whose end has not come yet."""

    tree: Items | Table
    anchor: str | None
    began: int
    height: int = 1
    key: Tree | None = None


@dataclass(frozen=True)
class _Anchored:
    tree: Tree
    size: int
    height: int


class _Builder:
    """Takes parser events one by one; keeps the open collections on a list, not on Python's stack."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.root: Tree | None = None
        self.last = Position(file)
        self.problems: list[Problem] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, _Anchored] = {}
        self._size = 0

    def take(self, event: Event) -> None:
        """Adds an event; raises LabError beyond the bounds."""
        mark = cast("yaml.error.Mark", event.start_mark)
        where = self.last = Position(self.file, mark.line + 1, mark.column + 1)
        if isinstance(event, DocumentStartEvent) and self.root is not None:
            self._stop(where, "a second document starts here", "one lab in one file")
        tag = event.tag if isinstance(event, ScalarEvent | CollectionStartEvent) else None
        if tag is not None:
            self._note(where, f"the tag {str(tag)[:40]!r} is refused", "a plain value")
        if isinstance(event, AliasEvent):
            self._alias(event.anchor or "", where)
        elif isinstance(event, ScalarEvent):
            self._size += 1
            scalar = Scalar(where, event.value, bare=not event.style)
            self._done(scalar, event.anchor, size=1, height=0)
        elif isinstance(event, CollectionStartEvent):
            self._size += 1
            tree = Table(where) if isinstance(event, MappingStartEvent) else Items(where)
            self._open.append(_Open(tree, event.anchor, self._size - 1))
        elif isinstance(event, CollectionEndEvent):
            opened = self._open.pop()
            self._done(opened.tree, opened.anchor, self._size - opened.began, opened.height)
        self._check_bounds(where)

    def _alias(self, anchor: str, where: Position) -> None:
        if anchor not in self._anchors:
            self._stop(where, f"*{anchor[:40]} names no value that ends before it", "a plain value")
        found = self._anchors[anchor]
        self._size += found.size
        self._check_bounds(where, found.height)
        self._done(found.tree, None, found.size, found.height)

    def _check_bounds(self, where: Position, height: int = 0) -> None:
        if len(self._open) + height > MAX_DEPTH:
            self._stop(where, "nested too deeply", f"at most {MAX_DEPTH} lists and mappings in one another")
        if self._size > MAX_VALUES:
            self._stop(where, "too many values", f"at most {MAX_VALUES}, aliases expanded")

    def _done(self, tree: Tree, anchor: str | None, size: int, height: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = _Anchored(tree, size, height)
        if not self._open:
            self.root = tree
            return
        parent = self._open[-1]
        parent.height = max(parent.height, height + 1)
        if isinstance(parent.tree, Items):
            parent.tree.items.append(tree)
        elif parent.key is None:
            parent.key = tree
        else:
            self._entry(parent.tree, parent.key, tree)
            parent.key = None

    def _entry(self, table: Table, key: Tree, value: Tree) -> None:
        if not isinstance(key, Scalar):
            self._note(key.where, "a list or mapping is used as a key", "a name as the key")
        elif key.text in table.entries:
            first = table.entries[key.text][0]
            self._note(key.where, f"{key.text[:40]!r} is given a second time", f"once, as on line {first.line}")
        else:
            table.entries[key.text] = (key.where, value)

    def _note(self, where: Position, what: str, right: str) -> None:
        self.problems.append(Problem(where, what, right))

    def _stop(self, where: Position, what: str, right: str) -> None:
        raise LabError([*self.problems, Problem(where, what, right)])


def _syntax_problem(error: Exception, text: str, last: Position) -> Problem:
    """The parser's error at its place, or where it has none, behind the last event."""
    file = last.file
    if isinstance(error, ReaderError):
        where = _behind(text[: error.position], file)
        return Problem(where, f"the character {chr(error.character)!a} is not allowed in YAML", "printable text")
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return Problem(last, f"not YAML after this: {_short(error)}", "YAML 1.2")
    mark = error.problem_mark
    ended = mark.index >= len(text)
    where = _behind(text.rstrip(), file) if ended else Position(file, mark.line + 1, mark.column + 1)
    if text[mark.index : mark.index + 1] == "\t":
        return Problem(where, "a tab indents this line", "spaces")
    right = "check indentation, colons, quotes and brackets up to here"
    return Problem(where, f"not YAML: {_short(error.problem)}", right)


def _behind(text: str, file: str) -> Position:
    return Position(file, text.count("\n") + 1, len(text) - text.rfind("\n"))


def _short(reason: object) -> str:
    return " ".join(str(reason).split())[:200]
