"""The search for the sizes at which something else happens: few probes, and the computed sizes first. Pure.

What happens to a size is any value that can be compared. Between two neighbouring sizes that were tried and came to the
same, nothing else is looked for; between two that did not, the search goes on until they differ by one byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Zone(Generic[T]):
    """Neighbouring sizes that all come to the same."""

    first: int
    last: int
    what: T


def first_sizes(limits: Iterable[int], floor: int, ceiling: int) -> list[int]:
    """What to try first: both ends, and of each limit the size that it lets pass and the next one that it does not."""
    around = {size for limit in limits for size in (limit, limit + 1)}
    return sorted({floor, ceiling} | {size for size in around if floor <= size <= ceiling})


def next_sizes(known: Mapping[int, object]) -> list[int]:
    """What to try next: the quarters between each two neighbours that differ; empty where everything is known.

    A round costs more than a probe, and quarters need half as many rounds as halves.
    """
    apart = [(low, high) for low, high in pairwise(sorted(known)) if high - low > 1 and known[low] != known[high]]
    return sorted({low + (high - low) * part // 4 for low, high in apart for part in (1, 2, 3)} - set(known))


def zones(known: Mapping[int, T]) -> tuple[Zone[T], ...]:
    """The sizes that were tried, as zones from the smallest to the largest."""
    found: list[Zone[T]] = []
    for size in sorted(known):
        if found and found[-1].what == known[size]:
            found[-1] = Zone(found[-1].first, size, known[size])
        else:
            found.append(Zone(size, size, known[size]))
    return tuple(found)
