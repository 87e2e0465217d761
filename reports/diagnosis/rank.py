"""Ranks the causes that the sources of a diagnosis found. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from reports.evidence import Cause


def ranked(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    """Each cause once, the most likely first: in the order in which the sources give them."""
    return tuple(dict.fromkeys(causes))
