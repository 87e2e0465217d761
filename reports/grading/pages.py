"""The pages of a class: its index, a page for each student, and one for the instructor of each submission.

Each is one HTML file without outside resources, made of records and rubric alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from jinja2 import Environment

from reports.grading.feedback import OPEN, build_lines, item_ladders, item_lines, points_of
from reports.grading.record import Graded, Outcome, file_name
from reports.grading.score import ItemScore, Score
from reports.grading.table import STATES, item_rows, outcome
from reports.grading.words import cell, one_line
from reports.record.exhibits import Journey
from reports.render.fabric import Drawing, draw
from reports.render.frame import Frame, environment, frame
from reports.words import counted
from topology.formats.rubric import Feedback, Rubric

HERE = Path(__file__).parent
GRADES: Mapping[Outcome, str] = {"kept": "full", "broken": "none", "errored": "err", "does-not-apply": "quiet"}


@dataclass(frozen=True)
class _Shown:
    """An item on a page: its name and points, its parts in words, and what was seen."""

    head: str
    words: str
    state: str
    lines: list[str]
    ladders: list[Journey]
    again: bool = False
    """Its ladders stand open in an item before."""


def student_page(score: Score) -> str:
    """Return what a submission's author is shown, as far as the rubric's feedback says."""
    return _page("student.html.j2", score, score.rubric.feedback, answers=False)


def instructor_page(score: Score) -> str:
    """Return all that is known of a submission."""
    return _page("submission.html.j2", score, "full", answers=True)


def index_page(scores: Sequence[Score], rubric: Rubric, progress: str = "") -> str:
    """Return the page of a class; ``progress`` says how far its grading is."""
    needy = [score for score in scores if score.person]
    found = _templates().get_template("index.html.j2")
    return found.render(
        frame=_frame(),
        title=f"{counted(len(scores), 'submission')}, {len(needy)} for a person",
        outcome=outcome(scores),
        progress=progress,
        needy=needy,
        machines=sorted({_machine(score.graded.kernel) for score in scores}),
        rubric=rubric,
        states=STATES,
        rows=item_rows(scores, rubric),
        scores=scores,
        people=any(score.graded.people for score in scores),
        file_name=file_name,
        one_line=one_line,
    )


def _machine(kernel: str) -> str:
    """What a record says that a submission ran on, without the reasons."""
    words = one_line(kernel.partition(": ")[0])
    return f"{words}, emulated: QEMU promises isolation with KVM only" if "tcg" in words else words


def _page(template: str, score: Score, level: Feedback, answers: bool) -> str:
    graded = score.graded
    found = _templates().get_template(template)
    items = [_shown(one, level, answers) for one in score.items]
    ladders: list[Journey] = []
    for at, item in enumerate(items):
        items[at] = replace(item, again=all(journey in ladders for journey in item.ladders))
        ladders += item.ladders
    return found.render(
        frame=_frame(),
        drawing=_drawing(graded, ladders, answers),
        name=one_line(graded.name),
        people=one_line(graded.people),
        points=points_of(score),
        unsettled=_unsettled(score, answers),
        started=graded.started,
        items=items,
        build=list(build_lines(graded, level, answers)),
        **(
            {"graded": graded, "grades": GRADES, "file": file_name(graded.name), "cell": cell(graded.name)}
            if answers
            else {}
        ),
        own_seconds=sum(step.seconds for step in graded.build),
    )


@cache
def _frame() -> Frame:
    return frame(HERE / "grading.css")


def _drawing(graded: Graded, ladders: Sequence[Journey], answers: bool) -> Drawing | None:
    """The fabric as it was found, with what its ladders say; where to repair is marked for the instructor alone."""
    causes = [cause for promise in graded.promises for cause in promise.causes[:1]] if answers else []
    return draw(graded.map, ladders, causes) if ladders or answers else None


def _unsettled(score: Score, answers: bool) -> str:
    if answers:
        return f"for a person: {', '.join(score.person)}" if score.person else ""
    return OPEN if score.person else ""


def _shown(one: ItemScore, level: Feedback, answers: bool) -> _Shown:
    first, *lines = item_lines(one, level, answers, drawn=True)
    head, _, words = first.partition(": ")
    extra = f"{head} (extra)" if one.item.extra else head
    return _Shown(extra, words, one.state, lines, item_ladders(one, level, answers))


@cache
def _templates() -> Environment:
    return environment(HERE)
