"""The console of what is printed outside a run of tests."""

from __future__ import annotations

from rich.console import Console


def plain_console(stderr: bool = False) -> Console:
    """A console that prints any text without markup, and breaks no line."""
    return Console(soft_wrap=True, highlight=False, markup=False, emoji=False, stderr=stderr)
