"""Names and logs of submissions as text that can stand anywhere: control and direction characters are spelled out."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

from reports.record.exhibits import Cause
from reports.words import MISSING, NOTHING, plain

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""
CAUSE_MAX = 60
_PARTICULAR = re.compile(r"\S*[0-9/:]\S*")
"""Words with addresses, numbers, or places of one submission."""


def one_line(text: str) -> str:
    """Return the same on one line."""
    return plain(text, "\n\t").replace("\n", "\\n").replace("\t", "\\t")


def cell(text: str) -> str:
    """Return text for a CSV's cell, which no spreadsheet takes for a formula."""
    plain = one_line(text)
    return f"'{plain}" if plain.startswith(FORMULA) else plain


def csv_text(rows: Iterable[Sequence[str]]) -> str:
    """Return a table for a spreadsheet."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def in_class(cause: Cause) -> str:
    """Return a cause in words that are the same for every submission: without nodes, devices, addresses, numbers."""
    if cause.live == MISSING:
        return f"{cause.kind} missing"
    if cause.declared == NOTHING:
        return f"{cause.kind} too much"
    own = {cause.node, cause.interface}
    words = (_PARTICULAR.sub("…", word) if word not in own else "…" for word in cause.live.partition(": ")[0].split())
    said = re.sub(r"…(?:,? …)+", "…", " ".join(words))
    return one_line(f"{cause.kind}: {said}")[:CAUSE_MAX]
