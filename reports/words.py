"""Words that judges and renderers share."""

from __future__ import annotations

NOTHING, MISSING = "nothing", "missing"
"""Absent on one side, declared or live, present on the other."""


def counted(number: int, noun: str) -> str:
    """A number of things: ``1 link``, ``2 links``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def plain(text: str, kept: str = "") -> str:
    """Text from outside as any output can show it: control and direction characters as escapes, except ``kept``."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in kept else one.encode("unicode_escape").decode() for one in text)
