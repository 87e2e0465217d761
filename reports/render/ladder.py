"""The ladder: every hop of a journey, expected beside seen, the first divergence marked, the cause, its fix. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from reports.evidence import Cause
from reports.judge.journey import Rung, Verdict
from reports.judge.trip import Leg

GOOD, BAD, AFTER = "  ok", ">>>>", "    "
NO_CAUSE = "not found: of what is read (docs/adopting.md lists it), nothing that could explain it differs"


def ladder_lines(leg: Leg) -> list[str]:
    """A leg as lines of text for a terminal."""
    verdict = leg.verdict
    width = max((len(rung.where) for rung in verdict.rungs), default=0)
    head = f"{verdict.source} -> {verdict.target} ({leg.journey.protocol}): {_headline(verdict)}"
    return [head, *_rungs(verdict, width), *_ending(verdict)]


def _headline(verdict: Verdict) -> str:
    rung = verdict.divergence
    if rung is None:
        return "as declared at every hop" if verdict.passed else verdict.message
    return f"first divergence at {rung.where}"


def _rungs(verdict: Verdict, width: int) -> Iterator[str]:
    start = next((rung.seen.time_ns for rung in verdict.rungs if rung.seen), 0)
    first = verdict.divergence
    for silent, group in groupby(verdict.rungs, lambda rung: rung.seen is None and rung is not first):
        rungs = list(group)
        if silent and len(rungs) > 1:
            yield f"{AFTER} {'-':>12}  seen at none of the {len(rungs)} hops from {rungs[0].where} to {rungs[-1].where}"
            continue
        yield from _each(rungs, first, start, width)


def _each(rungs: Iterable[Rung], first: Rung | None, start: int, width: int) -> Iterator[str]:
    for rung in rungs:
        mark = GOOD if not rung.wrong else BAD if rung is first else AFTER
        lines = rung_lines(rung)
        head = f"{mark} {_microseconds(rung, start):>12}  {rung.where:<{width}}  "
        yield head + _line(*lines[0], only=len(lines) == 1 and not rung.wrong)
        for word, text in lines[1:]:
            yield " " * len(head) + _line(word, text)


def rung_lines(rung: Rung) -> list[tuple[str, str]]:
    """What there is to say of a rung, each with its word: *seen* alone where it is as expected."""
    seen = rung.seen.headers.summary() if rung.seen else "nothing"
    if not rung.wrong:
        return [("seen", seen)]
    lines = [("expected", rung.expected.stack.summary() if rung.expected else "nothing")]
    lines.append(("seen", seen))
    if rung.expected and rung.seen:
        lines.append(("why", rung.wrong))
    return lines


def _line(word: str, text: str, only: bool = False) -> str:
    return text if only else f"{word:<8} {text}"


def _microseconds(rung: Rung, start_ns: int) -> str:
    return f"{(rung.seen.time_ns - start_ns) / 1000:+.1f} us" if rung.seen else "-"


def ending_lines(cause: Cause) -> Iterator[str]:
    """A cause and its fix."""
    where = f"{cause.node} {cause.interface}" if cause.interface else cause.node
    yield f"cause: {where}: {cause.kind} - expected {cause.declared} - seen {cause.live}"
    yield f"fix:   {cause.fix}"


def _ending(verdict: Verdict) -> Iterator[str]:
    if verdict.note:
        yield f"note: {verdict.note}"
    if verdict.cause is not None:
        yield from ending_lines(verdict.cause)
    elif not verdict.passed:
        yield f"cause: {NO_CAUSE}"
