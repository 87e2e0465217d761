"""The search for sizes finds every boundary that it can find, with few probes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.checks.mtu import Zone, first_sizes, next_sizes, zones

FLOOR, CEILING = 84, 1500
ROUNDS = 6
"""More than the logarithm of the range to the base of 4."""


def found(ends: list[int], tried: list[int]) -> tuple[tuple[Zone[int], ...], int]:
    """The zones of a network in which something else happens behind each of the ends, and how many sizes it took."""

    def what(size: int) -> int:
        return sum(size > end for end in ends)

    known = {size: what(size) for size in tried}
    for _ in range(ROUNDS):
        for size in next_sizes(known):
            known[size] = what(size)
    assert next_sizes(known) == []
    return zones(known), len(known)


ENDS = st.lists(st.integers(FLOOR, CEILING - 1), max_size=5, unique=True).map(sorted)


@given(ENDS)
def test_computed_boundaries_are_confirmed_without_a_search(ends: list[int]) -> None:
    """If the network does what was computed, each boundary takes the two sizes beside it, and both ends."""
    seen, tries = found(ends, first_sizes(ends, FLOOR, CEILING))
    assert [zone.last for zone in seen] == [*ends, CEILING]
    assert tries <= 2 * len(ends) + 2


@given(st.integers(FLOOR, CEILING - 1), ENDS)
def test_a_boundary_elsewhere_is_found_to_the_byte(end: int, computed: list[int]) -> None:
    """One boundary is found wherever it is, whatever was computed, with three probes more for each quartering."""
    seen, tries = found([end], first_sizes(computed, FLOOR, CEILING))
    assert seen == (Zone(FLOOR, end, 0), Zone(end + 1, CEILING, 1))
    assert tries <= 2 * len(computed) + 2 + 3 * ROUNDS


@given(ENDS)
def test_boundaries_are_found_where_each_zone_has_a_size_that_was_tried(ends: list[int]) -> None:
    """With one size of each zone known, all boundaries are found."""
    seen, _ = found(ends, [FLOOR, *(end + 1 for end in ends), CEILING])
    assert [zone.last for zone in seen] == [*ends, CEILING]


@pytest.mark.parametrize("known", [{}, {84: "a"}, {84: "a", 85: "b"}, {84: "a", 1500: "a"}])
def test_nothing_is_left_to_try(known: dict[int, str]) -> None:
    """Neighbours that are the same, or one byte apart, need no more."""
    assert next_sizes(known) == []
