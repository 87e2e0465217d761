"""Words that judges and renderers share."""

from __future__ import annotations

NOTHING, MISSING = "nothing", "missing"
"""Absent on one side, declared or live, present on the other."""


def counted(number: int, noun: str) -> str:
    """A number of things: ``1 link``, ``2 links``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
