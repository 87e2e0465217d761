"""The pages of a class: its index, a page for each student, and one for the instructor of each submission.

Each is one HTML file without outside resources, made of records and rubric alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup

from reports.grading.feedback import OPEN, build_lines, item_lines, points_of
from reports.grading.record import Outcome, file_name
from reports.grading.score import ItemScore, Score, number
from reports.grading.table import STATES, item_rows, outcome
from reports.grading.words import cell, one_line, visible
from reports.render.page import environment
from reports.words import counted
from topology.formats.rubric import Feedback, Rubric

GRADES: Mapping[Outcome, str] = {"kept": "full", "broken": "none", "errored": "err", "does-not-apply": "quiet"}


@dataclass(frozen=True)
class _Shown:
    """An item on a page: its name and points, its parts in words, and what was seen."""

    head: str
    words: str
    state: str
    lines: list[str]


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
        between=_between,
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
    return found.render(
        name=one_line(graded.name),
        people=one_line(graded.people),
        points=points_of(score),
        unsettled=_unsettled(score, answers),
        started=graded.started,
        items=[_shown(one, level, answers) for one in score.items],
        build=list(build_lines(graded, level, answers)),
        **(
            {"graded": graded, "grades": GRADES, "file": file_name(graded.name), "cell": cell(graded.name)}
            if answers
            else {}
        ),
        own_seconds=sum(step.seconds for step in graded.build),
    )


def _unsettled(score: Score, answers: bool) -> str:
    if answers:
        return f"for a person: {', '.join(score.person)}" if score.person else ""
    return OPEN if score.person else ""


def _shown(one: ItemScore, level: Feedback, answers: bool) -> _Shown:
    first, *lines = item_lines(one, level, answers)
    head, _, words = first.partition(": ")
    extra = f"{head} (extra)" if one.item.extra else head
    return _Shown(extra, words, one.state, lines)


def _between(one: Score | ItemScore) -> str:
    return number(one.low) if one.low == one.high else f"{number(one.low)}–{number(one.high)}"


@cache
def _templates() -> Environment:
    return environment(Path(__file__).parent, finalize=_final)


def _final(value: object) -> object:
    """Spell out what a name or log has of control and direction characters; what is markup has been through this."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
