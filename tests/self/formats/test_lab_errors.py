"""Broken labs are refused, each mistake at its own line and column."""

from __future__ import annotations

import re

import pytest

from tests.self.formats import broken_labs, broken_networks
from tests.self.formats.broken_labs import REFERENCE, Broken
from topology.errors import LabError, Position, Problem
from topology.formats.lab import load_lab_text

TABLE: tuple[Broken, ...] = (
    *broken_labs.FORM,
    *broken_labs.SCHEMA,
    *broken_labs.DEVICES,
    *broken_networks.TUNNELS,
    *broken_networks.SUBNETS,
    *broken_networks.ROUTES,
    *broken_networks.PAIRS,
    *broken_networks.MTUS,
    broken_networks.SEVERAL,
)
GRAMMAR = re.compile(r"mine\.yaml:[1-9]\d*:[1-9]\d*: [^;\n]+; [^;\n]+")


def refusal(text: str) -> LabError:
    """The error that the text's loading must end in."""
    with pytest.raises(LabError) as caught:
        load_lab_text(text, "mine.yaml")
    return caught.value


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.name)
def test_a_mistake_is_reported_at_its_place_and_nothing_else_is(case: Broken) -> None:
    """Each mistake is reported at its own token, in one grammar, without an echo elsewhere."""
    error = refusal(case.text)
    places = [(problem.where.line, problem.where.column) for problem in error.problems]
    assert places == [said.line_and_column(case.text) for said in case.said], str(error)
    for said, problem in zip(case.said, error.problems, strict=True):
        assert GRAMMAR.fullmatch(str(problem)), str(problem)
        assert [word for word in said.words if word not in str(problem)] == [], str(problem)


def test_problems_stand_in_file_order() -> None:
    """All mistakes of a file are reported at once, from its top to its end."""
    problems = refusal(broken_networks.SEVERAL.text).problems
    assert len(problems) == len(broken_networks.SEVERAL.edits)
    assert list(problems) == sorted(problems, key=lambda problem: problem.where)


def test_lines_and_columns_count_from_one() -> None:
    """A position is what an editor shows for the token."""
    text = "lab: tiny\nnodes:\n  a: {role: leaf}\n  b: {role: leaf, mtu: {x: 1}}\n"
    assert [problem.where for problem in refusal(text).problems] == [Position("mine.yaml", 4, 28)]


@pytest.mark.parametrize("text", ["", "# nothing\n", "~", "word", "- a\n- b\n", "\ufeff"])
def test_a_file_that_holds_no_lab_is_refused(text: str) -> None:
    """An empty file, a word and a list are no labs."""
    assert "a mapping, starting with" in str(refusal(text)) or "a lab, starting with" in str(refusal(text))


def test_a_sound_lab_is_seen_by_extra_checks() -> None:
    """A further check's problem on a sound fabric refuses the lab like any other."""
    with pytest.raises(LabError, match="mine:1:1: the lab is called ece792; another name"):
        load_lab_text(
            REFERENCE,
            extra_checks=[
                lambda fabric: [Problem(Position("mine"), f"the lab is called {fabric.name}", "another name")]
            ],
        )
