"""Tables of measurements, sizes and states; for the terminal by rich."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from reports.record.exhibits import Cause, Figures, Sizes, Zone

WIDTH = 10_000
"""Columns are as wide as their text: the terminal wraps wider ones, and nothing is cut."""
SIZES_HEAD = ("way", "whole", "computed", "with DF", "larger packets with DF")
STATE_HEAD = ("device", "what", "expected", "found", "fix")


def table_lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table as lines of text; markup in cells is text."""
    from rich.console import Console  # 0.1 s, which a run without tables does without
    from rich.table import Column, Table
    from rich.text import Text

    made = Table(*(Column(Text(cell)) for cell in head), box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for row in rows:
        made.add_row(*map(Text, row))
    console = Console(width=WIDTH, color_system=None, force_terminal=False)
    with console.capture() as caught:
        console.print(made)
    return [line.rstrip() for line in caught.get().splitlines()]


def measurement_lines(found: Iterable[Figures]) -> Iterator[str]:
    """Measurements as lines of text."""
    for figures in found:
        yield ""
        yield figures.title
        if figures.rows:
            yield from (f"  {line}" for line in table_lines(figures.head, figures.lines))
        yield from (f"  {line}" for line in figures.words)


def sizes_table(found: Iterable[Sizes]) -> list[str]:
    """The table of all ways as lines of text; empty where there are none."""
    rows = [sizes_row(sizes) for sizes in found]
    return table_lines(SIZES_HEAD, rows) if rows else []


def sizes_row(sizes: Sizes) -> tuple[str, ...]:
    """One way's row, with the fate of larger packets except those that the sender does not send."""
    numbers = ("-" if size is None else str(size) for size in (sizes.whole, sizes.computed, sizes.with_df))
    larger = "; ".join(_in_short(zone) for zone in sizes.zones if zone.fate not in ("whole", "refused"))
    return (f"{sizes.source} -> {sizes.target}", *numbers, larger or "-")


def state_row(found: Cause) -> tuple[str, ...]:
    """A difference of a node's state, expected beside found."""
    return found.interface or "-", found.kind, found.declared, found.live, found.fix or "-"


def _in_short(zone: Zone) -> str:
    span = str(zone.first) if zone.first == zone.last else f"{zone.first}-{zone.last}"
    if zone.fate == "icmp":
        name = f"{'in the name of' if zone.forged else 'by'} {zone.speaker}"
        return f"{span} ICMP, MTU {zone.mtu}, {name} at {zone.where}"
    return f"{span} {zone.fate} {'from' if zone.fate == 'fragments' else 'after'} {zone.where}"
