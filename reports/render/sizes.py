"""The sizes that cross, as rows of a table for the terminal and the page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reports.record.exhibits import Sizes, Zone
from reports.render.tables import table_lines

HEAD = ("way", "whole", "computed", "with DF", "larger packets with DF")


def sizes_table(found: Iterable[Sizes]) -> list[str]:
    """The table of all ways as lines of text; empty where there are none."""
    rows = [sizes_row(sizes) for sizes in found]
    return table_lines(HEAD, rows) if rows else []


def sizes_row(sizes: Sizes) -> tuple[str, ...]:
    """One way's row."""
    numbers = ("-" if size is None else str(size) for size in (sizes.whole, sizes.computed, sizes.with_df))
    return (f"{sizes.source} -> {sizes.target}", *numbers, "; ".join(_larger(sizes)) or "-")


def _larger(sizes: Sizes) -> Iterator[str]:
    """The fate of packets that do not cross whole, zone by zone, without those that the sender does not send."""
    for zone in sizes.zones:
        if zone.fate not in ("whole", "refused"):
            span = str(zone.first) if zone.first == zone.last else f"{zone.first}-{zone.last}"
            yield f"{span} {_in_short(zone)}"


def _in_short(zone: Zone) -> str:
    if zone.fate == "icmp":
        name = f"{'in the name of' if zone.forged else 'by'} {zone.speaker}"
        return f"ICMP, MTU {zone.mtu}, {name} at {zone.where}"
    return f"{zone.fate} {'from' if zone.fate == 'fragments' else 'behind'} {zone.where}"
