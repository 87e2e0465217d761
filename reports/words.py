"""Words that judges and renderers share."""

from __future__ import annotations

NOTHING, MISSING = "nothing", "missing"
"""What is declared, or live, where the other side has something."""


def counted(number: int, noun: str) -> str:
    """A number of things: ``1 link``, ``2 links``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
