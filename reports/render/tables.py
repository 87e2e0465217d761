"""Tables for a terminal, by rich."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

WIDTH = 10_000
"""Columns are as wide as their text: the terminal wraps what is wider, and nothing is cut."""


def table_lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table as lines of text; markup in cells is text."""
    from rich.console import Console  # 0.1 s, which a run without tables does without
    from rich.table import Column, Table
    from rich.text import Text

    made = Table(*(Column(Text(cell)) for cell in head), box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for row in rows:
        made.add_row(*map(Text, row))
    console = Console(width=WIDTH, color_system=None, force_terminal=False)
    with console.capture() as caught:
        console.print(made)
    return [line.rstrip() for line in caught.get().splitlines()]
