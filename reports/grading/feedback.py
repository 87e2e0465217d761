"""The feedback on an item as lines of text: for the student as the rubric allows, for the instructor everything. Below
the level ``full`` no line contains a fix.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from reports.grading.record import Graded, Promise, Step
from reports.grading.score import ENDED, ItemScore, Part, Score, State
from reports.grading.words import one_line
from reports.record.exhibits import Cause, Journey, Rung
from reports.words import COPY, counted, plain
from topology.formats.rubric import FEEDBACK, Feedback

FAILED: Mapping[str, str] = {
    "reaches": "not delivered",
    "both-ways": "not answered",
    "kind": "not carried as promised",
    "own-vni": "has no VNI or key of its own",
    "no-leak": "leaks into other rows",
    "largest-whole": "the largest packet does not cross whole",
    "every-spine": "not carried over every spine",
    "inside-gre": "VXLAN is not inside GRE",
    "beside-gre": "VXLAN is not beside GRE",
    "builds": "the build fails",
    "underlay": "the leaf-spine fabric is not whole",
    "second-run": "a second run spoils it",
    "other-csv": "not built from another CSV",
    "cleans-up": "the clean-up leaves something behind",
}
NOTHING_REACHES = "nothing is delivered in any row"
PARTS_MAX = 6
"""Failed rows of an item that are shown hop by hop; the others are named."""
TAIL_LINES = 30
LOOP_MIN, LOOP_END = 24, 2
"""Hops of a way that is shown whole even where it comes to a place again, and those shown of a longer one's end."""
HIDDEN = "a hidden item: its checks are not shown"
OPEN = "not settled yet: a person looks at it"


def item_lines(one: ItemScore, level: Feedback, answers: bool = False, drawn: bool = False) -> list[str]:
    """Return an item's lines; ``answers`` also shows what is hidden, and the reasons of errors.

    They are without the hops where these are ``drawn`` beside them.
    """
    head = one_line(f"{one.item.id} {points_of(one)}: ")
    if one.item.hidden and not answers:
        return [head + (OPEN if one.low != one.high else HIDDEN)]
    if one.override:
        set_by = f"set by {one.override.by}: {one.override.reason}"
        return [head + one_line(set_by), *(_details(one, level, answers, drawn) if answers else ())]
    parts = sorted(one.parts, key=lambda part: part.state is not State.KEPT)
    return [
        head + ", ".join(_part_words(part, level, answers) for part in parts),
        *_details(one, level, answers, drawn),
    ]


def item_ladders(one: ItemScore, level: Feedback, answers: bool = False) -> list[Journey]:
    """Return the journeys that an item's lines describe, without their causes."""
    if (one.item.hidden or one.override) and not answers:
        return []
    shown = (
        promise.ladder for part in _failed(one, level, answers)[:PARTS_MAX] for promise, *_ in _failures(part).values()
    )
    return [_bare(journey) for journey in shown if journey and journey.ladder]


def _bare(journey: Journey) -> Journey:
    """The journey up to the first hop that is wrong, and what was seen behind it; where none is, what it breaks."""
    first = journey.first_wrong
    ahead, behind, left_out = _laps([rung for rung in journey.ladder if not rung.wrong or rung is first or rung.seen])
    said, note = "" if first else journey.message, _repeated(left_out) if left_out else ""
    return replace(journey, ladder=[*ahead, *behind], message=said, note=note, causes=[], cause=None, unknown="")


def _laps(rungs: Sequence[Rung]) -> tuple[Sequence[Rung], Sequence[Rung], int]:
    """Return a long way that comes to a place again, as in a loop of routes, as its first lap, its end, and the number
    of hops in between."""
    places = [_at(rung) for rung in rungs]
    again = next((n for n, place in enumerate(places, 1) if place in places[: n - 1]), len(rungs))
    again = max(again, next((n for n, rung in enumerate(rungs, 1) if rung.wrong), 0))
    left_out = len(rungs) - again - LOOP_END
    return (rungs[:again], rungs[-LOOP_END:], left_out) if len(rungs) > LOOP_MIN and left_out > 0 else (rungs, (), 0)


def _repeated(count: int) -> str:
    return f"{counted(count, 'hop')} left out, which repeat those above; then the last {LOOP_END}"


def points_of(one: ItemScore | Score) -> str:
    """Return the points out of the full ones: ``15/30``, or ``15 to 30/30`` where they are not settled."""
    full = one.item.points if isinstance(one, ItemScore) else one.rubric.points
    return f"{one.between(' to ')}/{full}"


def build_lines(graded: Graded, level: Feedback, answers: bool = False) -> Iterator[str]:
    """Yield the commands of the build and how each ended, with the end of what those printed that failed.

    With ``answers`` it lists those of every part, with all of their output that is kept.
    """
    for step in graded.build:
        if step.part == "build" or answers:
            part = "" if step.part == "build" else f" ({step.part})"
            yield one_line(f"{step.command}{part}: {_end_of(step)}, {step.seconds:.1f} s")
            failed = step.exit != 0 or step.ended != "exited"
            if answers or (failed and _shows(level, "where")):
                lines = plain(step.tail.replace("\r\n", "\n"), "\n\t").splitlines()
                yield from (f"  {line}" for line in (lines if answers else lines[-TAIL_LINES:]))


def _end_of(step: Step) -> str:
    return f"exit {step.exit}" if step.ended == "exited" else ENDED[step.ended]


def _shows(level: Feedback, wanted: Feedback) -> bool:
    return FEEDBACK.index(level) >= FEEDBACK.index(wanted)


def _place(part: Part) -> str:
    return one_line(f"row {part.row.number} {part.row.source} -> {part.row.target} ") if part.row else ""


def _part_words(part: Part, level: Feedback, answers: bool) -> str:
    """Return a part in a few words; a row that is right is only named."""
    if part.state is State.KEPT:
        return f"row {part.row.number} ok" if part.row else "ok"
    if part.state.open:
        why = f"{part.state.value}: {', '.join(part.unrun)}" if part.unrun else part.state.value
        return _place(part) + (why if answers else OPEN)
    words = " and ".join(_failures(part)) if _shows(level, "where") else "failed"
    return _place(part) + words + (f" (an effect of what lost points in {part.under})" if part.under else "")


def _failures(part: Part) -> dict[str, list[Promise]]:
    """Return what failed in words, each with its promises; all else is an effect of what is not delivered, or not
    answered."""
    for name in ("reaches", "both-ways") if part.row else ("reaches",):
        if lost := [promise for promise in part.against if promise.name == name]:
            return {FAILED[name] if part.row else NOTHING_REACHES: lost}
    return {FAILED[promise.name]: [promise] for promise in part.against}


def _failed(one: ItemScore, level: Feedback, answers: bool) -> list[Part]:
    """Return the parts that are shown hop by hop: failures that are not another's effect."""
    failed = [part for part in one.parts if part.state is not State.KEPT and not part.under and part.against]
    return [part for part in failed if answers or part.state is State.BROKEN] if _shows(level, "where") else []


def _details(one: ItemScore, level: Feedback, answers: bool, drawn: bool) -> Iterator[str]:
    """Yield what was seen at which hop, for each failure that is not another's effect."""
    shown = _failed(one, level, answers)
    several = len(shown) > 1 or any(len(_failures(part)) > 1 for part in shown)
    for part in shown[:PARTS_MAX]:
        for words, (promise, *_) in _failures(part).items():
            block = list(_evidence(promise, level, drawn))
            yield from [f"{_place(part)}{words}:"] if several and block else []
            yield from block
    if len(shown) > PARTS_MAX:
        yield f"  … and {len(shown) - PARTS_MAX} more rows"


def _evidence(promise: Promise, level: Feedback, drawn: bool) -> Iterator[str]:
    """Yield the ladder, and where no hop is wrong what the most likely cause or our message says of the place; then
    where to look."""
    cause = next(iter(promise.causes), None)
    ladder = promise.ladder if promise.ladder and promise.ladder.ladder else None
    if ladder and not drawn:
        yield from _ladder(ladder)
    if not (ladder and ladder.first_wrong):
        at = cause and f"at {cause.where}: expected {cause.declared} - seen {cause.live}"
        yield from (f"  {one_line(said)}" for said in (at or _without_cause(promise.said),) if said)
    if cause and cause.show:
        yield one_line(f"look at {cause.node}:  {cause.show}")
    if _shows(level, "cause"):
        yield from (line for one in promise.causes for line in _cause(one, level))


def _without_cause(said: str) -> str:
    return said.partition("\n")[0].partition(" - cause: ")[0].partition(" - fix: ")[0]


def _cause(cause: Cause, level: Feedback) -> Iterator[str]:
    evidence = f" - {cause.evidence}" if cause.evidence else ""
    yield one_line(f"cause: {cause.where}: {cause.kind} - expected {cause.declared} - seen {cause.live}{evidence}")
    if level == "full" and cause.fix:
        yield one_line(f"fix:   {cause.fix}")


def _ladder(journey: Journey) -> Iterator[str]:
    """Yield the hops up to the first that is wrong, and how many follow."""
    first = journey.first_wrong
    rungs = journey.ladder[: journey.ladder.index(first) + 1] if first else journey.ladder
    width = max(len(_at(rung)) for rung in rungs)
    ahead, behind, left_out = _laps(rungs)
    yield from (line for rung in ahead for line in _rung(rung, width))
    if left_out:
        yield f"  … {_repeated(left_out)}"
    yield from (line for rung in behind for line in _rung(rung, width))
    if len(rungs) < len(journey.ladder):
        yield f"  … {counted(len(journey.ladder) - len(rungs), 'more hop')} expected after it"


def _rung(rung: Rung, width: int) -> Iterator[str]:
    mark = "ok" if not rung.wrong else "WRONG" if rung.seen else "MISSING"
    head = f"  {mark:<7} {_at(rung):<{width}}   "
    yield head + one_line(f"expected {rung.expected or 'nothing'}" if rung.wrong else rung.seen or "")
    if rung.wrong and rung.seen:
        copy = f" - {COPY}" if rung.wrong == COPY else ""
        yield " " * (len(head) + 4) + one_line(f"seen {rung.seen}{copy}")


def _at(rung: Rung) -> str:
    return one_line(f"{rung.node} {rung.interface} {rung.direction}")
