"""The console of what is printed outside a run of tests."""

from __future__ import annotations

from rich.console import Console

from reports.words import plain


class PlainConsole:
    """A console that prints any text as text: no markup, no control characters, and no line that is broken."""

    def __init__(self, stderr: bool = False) -> None:
        self._console = Console(soft_wrap=True, highlight=False, markup=False, emoji=False, stderr=stderr)

    def print(self, text: str, end: str = "\n", style: str | None = None) -> None:
        """Print lines of text, in a style of rich where the output has colours."""
        self._console.print(plain(text, kept="\n"), end=end, style=style)


def plain_console(stderr: bool = False) -> PlainConsole:
    """The console of standard output, or of standard error."""
    return PlainConsole(stderr)
