"""Gradescope's results.json: what a student's page says, as its autograders report it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from reports.grading.feedback import OPEN, build_lines, item_lines
from reports.grading.score import ItemScore, Score

BYTES_MAX = 1_000_000
"""Results of more are refused by the platform."""
OUTPUT_MAX = 60_000
"""Characters of one item's text, where all together fit."""
CUT = "\n… (cut: the rest does not fit)"


def results_bytes(score: Score) -> bytes:
    """Return results.json of one submission: its proven points, and an entry with text for each item.

    What a submission printed itself is hidden. Texts are cut, all to one length, until the whole fits.
    """
    length = OUTPUT_MAX
    while len(content := _bytes(score, length)) > BYTES_MAX:
        length //= 2
    return content


def _bytes(score: Score, length: int) -> bytes:
    build = "\n".join(build_lines(score.graded, score.rubric.feedback))
    content = {
        "score": float(round(score.low, 2)),
        "output": _cut(f"{OPEN}\n{build}" if score.person else build, length),
        "output_format": "text",
        "stdout_visibility": "hidden",
        "tests": [dict(_test(one, score, length)) for one in score.items],
    }
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "replace")


def _test(one: ItemScore, score: Score, length: int) -> Iterator[tuple[str, Any]]:
    yield "name", f"{one.item.id} (extra)" if one.item.extra else one.item.id
    yield "score", float(round(one.low, 2))
    yield "max_score", one.item.points
    yield "output", _cut("\n".join(item_lines(one, score.rubric.feedback)), length)
    yield "output_format", "text"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[:length] + CUT
