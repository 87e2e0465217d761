"""The ladder as text: every hop of a journey, expected beside seen, the first divergence marked, the cause, its fix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from reports.record.exhibits import Cause, Journey, Rung

GOOD, BAD, AFTER = "  ok", ">>>>", "    "
NO_CAUSE = "not found: of what is read (docs/adopting.md lists it), nothing that could explain it differs"


def ladder_lines(journey: Journey) -> list[str]:
    """A journey as lines of text for a terminal."""
    width = max((len(rung.where) for rung in journey.ladder), default=0)
    return [headline_of(journey), *_rungs(journey, width), *_ending(journey)]


def headline_of(journey: Journey) -> str:
    """The first line of a ladder: the two ends, and where the journey first diverges."""
    rung = journey.first_wrong
    words = "as declared at every hop" if journey.passed else journey.message
    if rung is not None:
        words = f"first divergence at {rung.where}"
    return f"{journey.source} -> {journey.target} ({journey.protocol}): {words}"


def _rungs(journey: Journey, width: int) -> Iterator[str]:
    first = journey.first_wrong
    for silent, group in groupby(journey.ladder, lambda rung: rung.seen is None and rung is not first):
        rungs = list(group)
        if silent and len(rungs) > 1:
            yield f"{AFTER} {'-':>12}  seen at none of the {len(rungs)} hops from {rungs[0].where} to {rungs[-1].where}"
            continue
        yield from _each(rungs, first, width)


def _each(rungs: Iterable[Rung], first: Rung | None, width: int) -> Iterator[str]:
    for rung in rungs:
        mark = GOOD if not rung.wrong else BAD if rung is first else AFTER
        lines = rung_lines(rung)
        head = f"{mark} {microseconds(rung) or '-':>12}  {rung.where:<{width}}  "
        yield head + _line(*lines[0], only=len(lines) == 1 and not rung.wrong)
        for word, text in lines[1:]:
            yield " " * len(head) + _line(word, text)


def rung_lines(rung: Rung) -> list[tuple[str, str]]:
    """The lines of a rung, each with its word: *seen* alone where it is as expected."""
    seen = ("seen", rung.seen or "nothing")
    if not rung.wrong:
        return [seen]
    lines = [("expected", rung.expected or "nothing"), seen]
    return [*lines, ("why", rung.wrong)] if rung.expected and rung.seen else lines


def _line(word: str, text: str, only: bool = False) -> str:
    return text if only else f"{word:<8} {text}"


def microseconds(rung: Rung) -> str:
    """The time since the first sighting; empty where the packet was not seen."""
    return "" if rung.time_ns is None else f"{rung.time_ns / 1000:+.1f} us"


def cause_line(cause: Cause) -> str:
    """A cause on one line, without its fix."""
    return f"{cause.where}: {cause.kind} - expected {cause.declared} - seen {cause.live}"


def ending_lines(cause: Cause) -> Iterator[str]:
    """A cause and its fix, where there is one."""
    yield f"cause: {cause_line(cause)}"
    if cause.fix:
        yield f"fix:   {cause.fix}"


def _ending(journey: Journey) -> Iterator[str]:
    if journey.note:
        yield f"note: {journey.note}"
    if journey.cause is not None:
        yield from ending_lines(journey.cause)
    elif not journey.passed:
        yield f"cause: {NO_CAUSE}"
