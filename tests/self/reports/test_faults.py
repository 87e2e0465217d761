"""What was said of known faults is scored, counted by kind, and shown in words."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from reports.diagnosis.score import score
from reports.evidence import Cause
from reports.record.exhibits import FaultTried
from reports.render.faults import fault_bytes, matrix, misses, total_lines
from reports.render.page import page
from tests.self.reports.records import diagnosis, record

RIGHT = Cause("route", "lc2", "e0", "10.0.0.0/8", "missing", "")
OTHER_KIND = replace(RIGHT, kind="mtu", source="kernel")
ELSEWHERE = replace(RIGHT, node="lc1")
SCORES: dict[str, tuple[list[list[Cause]], list[Cause], tuple[str, int | None]]] = {
    "first": ([[RIGHT, ELSEWHERE]], [], ("right", 1)),
    "second at the node": ([[OTHER_KIND, RIGHT]], [], ("right", 2)),
    "second, another node first": ([[ELSEWHERE, RIGHT]], [], ("wrong", 2)),
    "not among": ([[OTHER_KIND]], [], ("right", None)),
    "one failure of two blames another node": ([[RIGHT], [ELSEWHERE]], [], ("wrong", None)),
    "the worst place counts": ([[RIGHT], [OTHER_KIND, RIGHT]], [], ("right", 2)),
    "a failure without a cause": ([[], [RIGHT]], [], ("right", 1)),
    "no cause at all": ([[], []], [], ("none", None)),
    "by state alone": ([], [RIGHT], ("right", 1)),
    "state is no excuse where packets fail": ([[]], [RIGHT], ("none", None)),
    "nothing": ([], [], ("none", None)),
}


@pytest.mark.parametrize("name", SCORES)
def test_the_first_cause_and_the_place_of_the_right_one_are_scored(name: str) -> None:
    """Every failure counts by the node of its first cause, and by the place at which the right one stands."""
    failures, state, (node, rank) = SCORES[name]
    found = score(failures, state, {"lc2"}, {"route"}, 1.234, "seen nothing")
    assert (found.node, found.rank) == (node, rank)
    assert (found.traffic, found.declaration) == (bool(failures), bool(state))
    assert found.kernel == any(cause is OTHER_KIND for causes in failures for cause in causes)
    assert found.seconds == (1.23 if node != "none" else None)
    assert bool(found.said)


def test_with_a_declaration_every_cause_is_scored_by_its_node() -> None:
    """A right cause does not excuse the one beside it, which blames another node."""
    found = score([[RIGHT, ELSEWHERE]], [], {"lc2"}, {"route"}, 1.0, declared=True)
    assert (found.node, found.rank, str(ELSEWHERE) in found.said) == ("wrong", 1, True)


def tried(kind: str, *said: object) -> FaultTried:
    (one,) = record().faults
    return replace(one, kind=kind, **dict(zip(("declared", "undeclared"), said, strict=True)))  # type: ignore[arg-type]


def test_faults_are_counted_by_kind_in_words_and_grades() -> None:
    """A cell says how many of how many; all of them is good, none is bad."""
    lost = diagnosis("none", None, caught=False)
    every, down, route = matrix([tried("down", diagnosis(), None), tried("route", diagnosis(rank=2), lost)])
    assert [row.kind for row in (every, down, route)] == ["all", "down", "route"]
    assert [(cell.words, cell.grade) for cell in every.declared][4:] == [
        ("2 of 2", "good"),
        ("1 of 2", "odd"),
        ("2 of 2", "good"),
        ("1.5", ""),
    ]
    assert {cell.words for cell in down.undeclared} == {"–"}
    assert (route.undeclared[0].words, route.undeclared[0].grade) == ("0 of 1", "bad")
    assert matrix([]) == []
    assert list(total_lines([])) == []


def test_misses_say_what_was_said() -> None:
    """Every diagnosis whose first cause is not the right one has a line."""
    said = [tried("down", diagnosis(), diagnosis("none", None, caught=False)), tried("route", diagnosis(rank=2), None)]
    assert list(misses(said)) == [
        "down@lc1:x by pairs alone: not caught: lc1 - route",
        "route@lc1:x with the declaration: right node, right cause at place 2: lc1 - route",
    ]


def test_matrix_is_a_document_and_a_table_of_the_page() -> None:
    """faults.json has totals, misses and all faults; the page has a row for each kind, with the words in each cell."""
    known = json.loads(fault_bytes(record()))
    assert [total["caught"] for total in known["totals"]] == ["1 of 1", "1 of 1"]
    assert known["faults"][0]["undeclared"]["node"] == "wrong"
    shown = page(record())
    assert '<th scope="row"><b>route-missing</b>' in shown
    assert '<td class="good">1 of 1</td>' in shown
    assert '<td class="bad">0 of 1</td>' in shown
