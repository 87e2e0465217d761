"""A broken promise in words: what was promised, what was seen, the ladders, the cause and its fix. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import dedent

from reports.record.exhibits import Cause
from reports.render.ladder import ending_lines

WHERE = re.compile(r"\n *\+ +(?:where|and) .*", re.DOTALL)
"""pytest's explanation of the values in a failed assertion."""
ECHO = re.compile("(an earlier test errored|the fabric broke|the underlay is broken): ")
"""Prefixes of the messages that repeat another test's reason."""


def said(error: BaseException | str | None) -> str:
    """The words of a failed assertion, without those that pytest puts around them."""
    first, newline, rest = WHERE.sub("", str(error).strip()).removeprefix("assert ").partition("\n")
    return f"{first}{newline}{dedent(rest)}"


def headline(text: str) -> str:
    """The first line of an assertion's message, without the cause, which stands beside it."""
    return text.partition("\n")[0].partition(" - cause: ")[0]


def common_words(text: str) -> str:
    """Return the words that tests with one reason share: the headline, without the prefix of an echo."""
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
