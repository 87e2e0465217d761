"""What was measured, as a table with a sentence: for the terminal, for the page, and for results.json. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any


@dataclass(frozen=True)
class Measurement:
    """One table: what it is about, its columns, its rows; what it says in words; the figures behind it for JSON.

    What is ``of_the_run`` is said in the page's head, too: that is what everybody wants to know.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict, compare=False)
    of_the_run: bool = False


def measurement_entry(found: Measurement) -> dict[str, Any]:
    """One measurement for results.json."""
    rows = [dict(zip(found.head, row, strict=True)) for row in found.rows]
    said = {"title": found.title, "of_the_run": found.of_the_run, "rows": rows, "words": list(found.words)}
    return said | {"data": dict(found.data)}


def measurement_lines(entries: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Measurements as lines of text."""
    for entry in entries:
        yield ""
        yield entry["title"]
        yield from _table([list(row.values()) for row in _with_head(entry["rows"])])
        yield from (f"  {line}" for line in entry["words"])


def words_of_the_run(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """What measurements say of the run as a whole."""
    return [line for entry in entries if entry["of_the_run"] for line in entry["words"]]


def _with_head(rows: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    return [{name: name for name in rows[0]}, *rows] if rows else []


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def measurement_html(found: Measurement) -> str:
    """One measurement for the page."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in found.head)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in found.rows)
    words = "".join(f"<p>{escape(line)}</p>" for line in found.words)
    table = f'<table class="hc-ladder"><tr>{head}</tr>{rows}</table>' if found.rows else ""
    return f"<p><b>{escape(found.title)}</b></p>{table}{words}"
