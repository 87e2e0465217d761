"""Words that judges and renderers share."""

from __future__ import annotations

from typing import Literal

NOTHING, MISSING = "nothing", "missing"
"""Absent on one side, declared or live, present on the other."""


def counted(number: int, noun: str) -> str:
    """A number of things: ``1 link``, ``2 links``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


class _Escapes(dict[int, str]):
    """What each character is shown as, found once."""

    def __missing__(self, code: int) -> str:
        shown = chr(code) if chr(code).isprintable() else chr(code).encode("unicode_escape").decode()
        self[code] = shown
        return shown


_ESCAPES = {kept: _Escapes({ord(one): one for one in kept}) for kept in ("", "\n", "\n\t")}


def plain(text: str, kept: Literal["", "\n", "\n\t"] = "") -> str:
    """Text from outside as any output can show it: control and direction characters as escapes, except ``kept``."""
    return text if text.isprintable() else text.translate(_ESCAPES[kept])
