"""The sizes that cross, as a table: for the terminal, for the page, and for results.json. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from reports.judge.attempt import Outcome
from reports.judge.mtu import PairMtu, WayMtu
from reports.judge.sizes import Zone

HEAD = ("way", "whole", "computed", "with DF", "larger packets with DF")


def sizes_entries(pair: PairMtu) -> tuple[dict[str, Any], ...]:
    """Both ways of a pair for results.json."""
    return tuple(_entry(way) for way in pair.ways if way.reached)


def _entry(way: WayMtu) -> dict[str, Any]:
    decides = way.computed[0]
    return {
        "source": way.source,
        "target": way.target,
        "promised": way.promised,
        "computed": decides.largest,
        "computed_at": str(decides),
        "whole": way.largest_whole,
        "with_df": way.largest_with_df,
        "zones": [_zone(zone) for zone in way.zones],
    }


def _zone(zone: Zone[Outcome]) -> dict[str, Any]:
    what = zone.what
    known = {"fate": what.fate, "where": what.where or what.node, "mtu": what.mtu, "forged": what.forged}
    return {"first": zone.first, "last": zone.last, **known, "speaker": what.speaker, "words": str(what)}


def sizes_table(entries: Iterable[Mapping[str, Any]]) -> Sequence[str]:
    """The table of all ways as lines of text; empty where there are none."""
    rows = [_row(entry) for entry in entries]
    if not rows:
        return []
    widths = [max(len(row[column]) for row in (HEAD, *rows)) for column in range(len(HEAD) - 1)]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]])
        for row in (HEAD, *rows)
    ]


def sizes_html(pair: PairMtu) -> str:
    """The same for the page."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in HEAD)
    rows = (f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in _row(entry))}</tr>" for entry in sizes_entries(pair))
    return f'<table class="hc-ladder"><tr>{head}</tr>{"".join(rows)}</table>'


def _row(entry: Mapping[str, Any]) -> tuple[str, ...]:
    numbers = ("-" if entry[name] is None else str(entry[name]) for name in ("whole", "computed", "with_df"))
    return (f"{entry['source']} -> {entry['target']}", *numbers, "; ".join(_larger(entry)) or "-")


def _larger(entry: Mapping[str, Any]) -> Iterator[str]:
    """What becomes of packets that do not cross whole, zone by zone; what the sender does not send is left out."""
    for zone in entry["zones"]:
        if zone["fate"] not in ("whole", "refused"):
            span = str(zone["first"]) if zone["first"] == zone["last"] else f"{zone['first']}-{zone['last']}"
            yield f"{span} {_in_short(zone)}"


def _in_short(zone: Mapping[str, Any]) -> str:
    if zone["fate"] == "icmp":
        name = f"{'in the name of' if zone['forged'] else 'by'} {zone['speaker']}"
        return f"ICMP, MTU {zone['mtu']}, {name} at {zone['where']}"
    return f"{zone['fate']} {'from' if zone['fate'] == 'fragments' else 'behind'} {zone['where']}"
