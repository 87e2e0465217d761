"""A broken promise in words: what was promised, what was seen, the ladders, the cause and its fix. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import dedent

from reports.evidence import Cause
from reports.render.ladder import ending_lines

WHERE = re.compile(r"\n *\+ +(?:where|and) .*", re.DOTALL)
"""What pytest says of the values in a failed assertion."""
ECHO = re.compile("(an earlier test errored|the fabric broke|the underlay is broken): ")
"""How a promise that was not proven says that another test knows why."""


def said(error: BaseException | None) -> str:
    """The words of a failed assertion, without those that pytest puts around them."""
    first, newline, rest = WHERE.sub("", str(error).strip()).removeprefix("assert ").partition("\n")
    return f"{first}{newline}{dedent(rest)}"


def headline(text: str) -> str:
    """The first line of what an assertion said, without the cause, which is told beside it."""
    return text.partition("\n")[0].partition(" - cause: ")[0]


def common_words(text: str) -> str:
    """What tests that end for the same reason say alike: the headline, as the first of them said it."""
    return ECHO.sub("", headline(text))


def failure_text(promise: str, text: str, ladders: Sequence[str], cause: Cause | None) -> str:
    """All of a failure, the cause once: at the end of a ladder where there is one."""
    first, newline, rest = text.partition("\n")
    words = f"{headline(first)}{newline}{rest}" if ladders else text
    parts = [f"promise: {promise}", words, *ladders]
    if cause is not None and not any("\ncause: " in part for part in parts):
        parts += ending_lines(cause)
    return "\n".join(parts) + "\n"


def failure_line(text: str, cause: Cause | None) -> str:
    """A failure on one line, as for JUnit: the headline and the cause."""
    return headline(text) if cause is None else f"{headline(text)} - cause: {cause}"
