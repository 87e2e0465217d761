"""Tenants files made up at random: rows that can be placed, written as untidily as is tolerated."""

from __future__ import annotations

import random
from dataclasses import dataclass

from hypothesis import strategies as st

TYPES = ("Bridge", "VXLAN", "L3", "GRE")
LAB_CUSTOMERS = {"cs1": 1, "cs2": 1, "cs3": 2, "cs4": 2, "cs5": 2}
"""The reference lab's customers, and the leaf that each is behind."""


@dataclass(frozen=True)
class Row:
    """A row's fields, and the leaves (1 or 2) that its ends must come to hang behind."""

    source: str
    target: str
    type: str
    leaves: tuple[int, int]


def sensible_rows(draws: list[tuple[int, int, int]]) -> list[Row]:
    """Rows out of numbers: those that cannot be placed, or say what an earlier one says, left out."""
    leaf, said, rows = dict(LAB_CUSTOMERS), set(), []
    for first, second, third in draws:
        source, target, kind = name(first), name(second), TYPES[third % 4]
        one, two = leaf.get(source), leaf.get(target)
        if kind == "Bridge":
            one = two = one or two or 1
            fits = leaf.get(source, one) == leaf.get(target, two) == one
        else:
            one, two = one or (2 if two == 1 else 1), two or (1 if one == 2 else 2)
            fits = one != two
        promise = (frozenset((source, target)), kind)
        if source != target and fits and promise not in said:
            said.add(promise)
            leaf |= {source: one, target: two}
            rows.append(Row(source, target, kind, (one, two)))
    return rows


def name(number: int) -> str:
    """A customer of the lab for small numbers, a new one for others."""
    known = list(LAB_CUSTOMERS)
    return known[number] if number < len(known) else f"x{number}"


def many_rows(count: int, seed: int) -> list[Row]:
    """Make rows, some customers in several of them."""
    dice = random.Random(seed)
    draws = [(dice.randrange(3 * count), dice.randrange(3 * count), dice.randrange(4)) for _ in range(2 * count)]
    return sensible_rows(draws)[:count]


def tidy(rows: list[Row]) -> str:
    """The rows as a file."""
    return "".join(f"{row.source},{row.target},{row.type}\n" for row in rows)


ROWS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 3)), min_size=1, max_size=45).map(
    lambda draws: sensible_rows(draws)[:30]
)
SPACE = st.sampled_from(["", " ", "  ", "\t", "\u00a0"])
NOISE = st.sampled_from(["", "", "", "# a comment", "  ", "   # Bridge, cs1, cs2"])


@st.composite
def untidy(draw: st.DrawFn, rows: list[Row]) -> str:
    """The rows as a typed file."""
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    lines = [draw(NOISE)]
    if draw(st.booleans()):
        lines.append(
            draw(st.sampled_from(["source,destination,type", "Source container, Destination container, TYPE"]))
        )
    for row in rows:
        kind = draw(st.sampled_from([row.type, row.type.lower(), row.type.upper(), row.type.swapcase()]))
        cells = [draw(st.sampled_from([cell, f'"{cell}"'])) for cell in (row.source, row.target, kind)]
        lines += [",".join(draw(SPACE) + cell + draw(SPACE) for cell in cells) + draw(NOISE), draw(NOISE)]
    return draw(st.sampled_from(["", "\ufeff"])) + end.join(lines) + draw(st.sampled_from(["", end]))
