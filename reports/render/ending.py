"""The end of a run on a terminal: the causes, the ladder of the first failure in short, the counts. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

from reports.record.exhibits import Journey
from reports.record.model import Record, Test, Verdict, is_good
from reports.render.groups import Group, of_network
from reports.render.ladder import BAD, GOOD, headline_of, not_seen, rung_lines, said, telling
from reports.render.summary import NO_PAIRS, causes, outcome, pair_lines, promise_counts, remark_lines
from reports.words import counted

Tone = Literal["", "good", "bad", "cause"]
MESSAGE_MAX = 12
"""Lines of a first failure's message, where it has no ladder."""
RIGHT_MAX = 2
"""Hops before the first divergence that are shown; those before them are counted."""


@dataclass(frozen=True)
class Line:
    """A line of text, and what its colour says."""

    text: str
    tone: Tone = ""


def ending(record: Record, places: Sequence[str] = ()) -> Iterator[Line]:
    """The lines at the end of a run; ``places`` are those that say where its results are."""
    for text in causes(record.tests):
        yield Line(text, "" if text.startswith(" ") else "cause")
    yield from first_failure(record)
    for text in (NO_PAIRS,) if record.without_pairs else pair_lines(record.tests):
        yield Line(text, "bad")
    for text in ("; ".join(promise_counts(record.tests)), outcome(record.tests, record.complete)):
        if text:
            yield Line(text, "good" if is_good(record) else "bad")
    yield from map(Line, (*remark_lines(record), *places))


def first_failure(record: Record) -> Iterator[Line]:
    """The evidence for the first cause: a journey's shortened ladder, or the message if no cause is known."""
    for group in of_network(record.tests)[:1]:
        journey = _journey_of(group, record.journeys)
        if journey:
            yield from _compact(journey)
        elif group.tests and not group.causes:
            yield from _message(group.tests[0])


def _journey_of(group: Group, journeys: Sequence[Journey]) -> Journey | None:
    """The wrong journey that shows most of the group's cause, of those that have it or were recorded with its tests."""
    tests, nodes = {test.id for test in group.tests}, {cause.node for cause in group.causes}
    wrong = [journey for journey in journeys if journey.first_wrong]
    known = [one for one in wrong if any(cause in group.causes for cause in one.causes)]
    found = known or [one for one in wrong if one.test in tests]
    return min(found, key=lambda journey: telling(journey, nodes), default=None)


def _compact(journey: Journey) -> Iterator[Line]:
    """A ladder with the hops around the first divergence; the others are counted."""
    yield Line(headline_of(journey))
    right = list(takewhile(lambda rung: not rung.wrong, journey.ladder))
    count = len(right) if len(right) == RIGHT_MAX + 1 else RIGHT_MAX  # one left out takes a line as well
    left_out, shown = right[:-count], right[-count:]
    if left_out:
        hops = f"{counted(len(left_out), 'hop')} from {left_out[0].where} to {left_out[-1].where}"
        yield Line(f"{GOOD} {'':>12}  {hops}", "good")
    behind = journey.ladder[len(right) :]
    width = max(len(rung.where) for rung in (*shown, *behind[:1]))
    for rung in (*shown, *behind[:1]):
        texts = rung_lines(rung, journey, BAD if rung.wrong else GOOD, width)
        yield from (Line(text, "bad" if rung.wrong else "good") for text in texts)
    if lost := [rung for rung in behind[1:] if rung.seen is None]:
        yield Line(f"{'':>17}  {not_seen(lost)}")
    if journey.note:
        yield Line(f"note: {journey.note}")


def _message(test: Test) -> Iterator[Line]:
    """The message of a failure or an error, cut; a message of one line is the cause's own."""
    lines = said(test.message).split("\n") if test.verdict is not Verdict.NOT_PROVEN else []
    if len(lines) > 1:
        yield from map(Line, lines[:MESSAGE_MAX])
    if len(lines) > MESSAGE_MAX:
        yield Line(f"… and {counted(len(lines) - MESSAGE_MAX, 'more line')}: -v shows all")
