"""The ladder: every hop of a journey, expected beside seen, the first divergence marked, the cause, the mend. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from reports.judge.journey import Rung, Verdict
from reports.judge.trip import Leg

GOOD, BAD, AFTER = "  ok", ">>>>", "    "


def ladder_lines(leg: Leg) -> list[str]:
    """A leg as lines of text for a terminal."""
    verdict = leg.verdict
    width = max((len(rung.where) for rung in verdict.rungs), default=0)
    head = f"{verdict.source} -> {verdict.target} ({leg.journey.protocol}): {_headline(verdict)}"
    return [head, *_rungs(verdict, width), *_ending(verdict)]


def _headline(verdict: Verdict) -> str:
    rung = verdict.divergence
    return "as declared at every hop" if rung is None else f"first divergence at {rung.where}"


def _rungs(verdict: Verdict, width: int) -> Iterator[str]:
    start = next((rung.seen.time_ns for rung in verdict.rungs if rung.seen), 0)
    diverged = False
    for rung in verdict.rungs:
        mark = GOOD if not rung.wrong else AFTER if diverged else BAD
        yield f"{mark} {_microseconds(rung, start):>12}  {rung.where:<{width}}  {_main_line(rung)}"
        indent = " " * (len(mark) + 15 + width + 2)
        if rung.wrong:
            yield from (indent + line for line in _detail(rung))
        diverged = diverged or bool(rung.wrong)


def _microseconds(rung: Rung, start_ns: int) -> str:
    return f"+{(rung.seen.time_ns - start_ns) / 1000:.1f} us" if rung.seen else "-"


def _main_line(rung: Rung) -> str:
    if not rung.wrong and rung.seen:
        return rung.seen.headers.summary()
    return f"expected {rung.expected.stack.summary()}" if rung.expected else "expected nothing"


def _detail(rung: Rung) -> Iterator[str]:
    yield f"seen     {rung.seen.headers.summary()}" if rung.seen else "seen     nothing"
    if rung.seen and rung.expected:
        yield f"why      {rung.wrong}"


def _ending(verdict: Verdict) -> Iterator[str]:
    if verdict.note:
        yield f"note: {verdict.note}"
    if verdict.cause is not None:
        cause = verdict.cause
        where = f"{cause.node} {cause.interface}" if cause.interface else cause.node
        yield f"cause: {where}: {cause.kind} - expected {cause.declared} - seen {cause.live}"
        yield f"mend:  {cause.mend}"
    elif not verdict.passed:
        yield "cause: not found: live state equals declared state at every node"
