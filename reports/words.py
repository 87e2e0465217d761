"""Words that judges and renderers share."""

from __future__ import annotations

NOTHING, MISSING = "nothing", "missing"
"""Absent on one side, declared or live, present on the other."""


def counted(number: int, noun: str) -> str:
    """A number of things: ``1 link``, ``2 links``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def visible(text: str) -> str:
    """Return text with every character that is not printed, or that turns the direction of writing, spelled out;
    line ends and tabs stay."""
    if text.isprintable():
        return text
    return "".join(letter if letter in "\n\t" or letter.isprintable() else _spelled(letter) for letter in text)


def _spelled(letter: str) -> str:
    code = ord(letter)
    return {"\r": "\\r"}.get(letter, f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")
