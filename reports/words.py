"""Words and groups that judges and renderers share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypeVar

T = TypeVar("T")
K = TypeVar("K")

NOTHING, MISSING = "nothing", "missing"
"""Absent on one side, declared or live, present on the other."""
COPY = "a duplicate: the same packet was seen here before"
"""What is wrong about a second sighting at a hop."""
IT_MAY = " (it may: not evaluated: "
"""The words behind what is not sure to explain anything, before the reason; further evidence makes them void."""


def counted(number: int, noun: str) -> str:
    """A number of things: ``1 link``, ``2 links``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def listed(items: Sequence[str], at_most: int) -> str:
    """Some items with commas; those over a number are counted."""
    more = f" and {len(items) - at_most} more" if len(items) > at_most else ""
    return ", ".join(items[:at_most]) + more


def grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """The items by what they have in common, both in the order in which they come."""
    found: dict[K, list[T]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found


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
