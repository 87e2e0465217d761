"""Tables of measurements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from reports.record.exhibits import Figures
from reports.render.tables import table_lines


@dataclass(frozen=True)
class Measurement:
    """One table of a measurement, its conclusions in words, and the figures behind it.

    Words ``of_the_run`` stand in the page's head, too.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict, compare=False)
    of_the_run: bool = False


def measurement_lines(found: Iterable[Figures]) -> Iterator[str]:
    """Measurements as lines of text."""
    for figures in found:
        yield ""
        yield figures.title
        if figures.rows:
            yield from (f"  {line}" for line in table_lines(figures.head, figures.lines))
        yield from (f"  {line}" for line in figures.words)


def words_of_the_run(found: Iterable[Figures]) -> list[str]:
    """The conclusions about the run as a whole."""
    return [line for figures in found if figures.of_the_run for line in figures.words]
