"""A class is graded one by one; it can be stopped at any time, and goes on where it was."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from fixtures.grading import Order, grade_class, grade_submissions, order_of
from fixtures.instruments.grading.grader import Grader
from reports.grading.record import Graded, Row
from tests.self.fixtures.runs import Settings
from tests.self.grading.classes import graded
from topology.formats.recipe import Recipe
from topology.formats.rubric import Rubric
from topology.formats.submission import Packed, Submission
from topology.kernels import guest

CSV = "CS1, CS2, Bridge\nCS1X, CS2X, VXLAN\nCSX, CSY, L3\nCSA, CSB, GRE\nCS3X, CS4X, VXLAN\n"


class Machine:
    """Grades by a name's record, and remembers what it graded."""

    image = "one"

    def __init__(self, stop_at: str = "") -> None:
        self.asked: list[str] = []
        self.stop_at = stop_at

    def grade(
        self, submission: Submission, packed: Packed, rows: Sequence[Row], recipe: Recipe, rubric: Rubric, key: str
    ) -> Graded:
        if submission.name == self.stop_at:
            raise KeyboardInterrupt
        self.asked.append(submission.name)
        errored = {("kind", 4): "errored"} if packed.content == b"hard" else {}
        return replace(graded(submission.name, others=errored), key=key, rows=list(rows), seconds=120)  # type: ignore[arg-type]


def asked(tmp_path: Path, **options: object) -> pytest.Config:
    """The options of a class whose rows are in t.csv."""
    given = {"--submission": [str(tmp_path / "in" / "*")], "--tenants": str(tmp_path / "t.csv"), "--recipe": None}
    return cast(pytest.Config, Settings(tmp_path, **{**given, **options}))


def ordered(tmp_path: Path, **options: object) -> Order:
    (tmp_path / "t.csv").write_text(CSV)
    return order_of(asked(tmp_path, **options), tmp_path / "out")


def filled(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / "in" / f"{name}.zip").write_text("hard" if name == "c" else name)


def test_stopped_class_goes_on(tmp_path: Path) -> None:
    """The index fills while it runs, with an estimate; what is graded is not graded again."""
    filled(tmp_path)
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        grade_class(ordered(tmp_path), Machine("b"), said.append)
    assert said == ["a: 1 of 3 graded, about 4 min to go"]
    assert "1 of 3 graded" in (tmp_path / "out" / "index.html").read_text()
    machine = Machine()
    assert grade_class(ordered(tmp_path), machine, said.append) == 6
    assert machine.asked == ["b", "c"]
    assert "need a person 1: c (errored)" in said[4]
    assert "1 of 3 graded" not in (tmp_path / "out" / "index.html").read_text()


def test_two_at_once_give_the_same_class(tmp_path: Path) -> None:
    """Whoever is ready first, the tables have the submissions in their order."""
    filled(tmp_path)
    order = ordered(tmp_path)
    tables = []
    for workers in (1, 2):
        for known in (tmp_path / "out" / "records").glob("*"):
            known.unlink()
        assert grade_class(order, Machine(), lambda _: None, workers) == 6
        tables.append((tmp_path / "out" / "class.csv").read_text())
    assert tables[0] == tables[1]


def test_grader_travels_to_other_processes() -> None:
    """``-n`` pickles the grader that grades for real, too."""
    assert pickle.loads(pickle.dumps(Grader(kvm_only=True))).image == Grader(kvm_only=True).image


def test_item_about_rows_that_the_csv_has_not_is_refused(tmp_path: Path) -> None:
    """It could never be settled, so nothing is graded."""
    filled(tmp_path)
    (tmp_path / "r.yaml").write_text("points: 10\nitems: [{id: far, points: 10, rows: GRE, needs: reaches}]")
    (tmp_path / "t.csv").write_text("CS1, CS2, Bridge\n")
    with pytest.raises(pytest.UsageError, match=r"no rows for far \(GRE\)"):
        order_of(asked(tmp_path, **{"--rubric": str(tmp_path / "r.yaml")}), tmp_path)


def test_fixed_rows_follow_those_of_the_csv(tmp_path: Path) -> None:
    """They are numbered on; an item about them without any is refused as one about the CSV's is."""
    filled(tmp_path)
    recipe, rubric = tmp_path / "recipe.yaml", tmp_path / "r.yaml"
    recipe.write_text("fixed: [{source: CS1, target: CS5, type: VXLAN}]")
    rubric.write_text("points: 10\nitems: [{id: base, points: 10, rows: VXLAN, fixed: true, needs: reaches}]")
    order = ordered(tmp_path, **{"--recipe": str(recipe), "--rubric": str(rubric)})
    assert order.rows[-1] == Row(6, "CS1", "CS5", "VXLAN", fixed=True)
    with pytest.raises(pytest.UsageError, match=r"the recipe's fixed: has no rows for base \(VXLAN\)"):
        ordered(tmp_path, **{"--rubric": str(rubric)})


def test_nothing_is_graded_by_emulation_where_kvm_is_required(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says why, before anything is written."""
    filled(tmp_path)
    monkeypatch.setattr(guest, "kvm_refusal", lambda: "no /dev/kvm")
    monkeypatch.setattr(guest, "PROGRAM", "sh")
    (tmp_path / "t.csv").write_text(CSV)
    with pytest.raises(pytest.UsageError) as refused:
        grade_submissions(asked(tmp_path, **{"--require-kvm": True}), tmp_path / "out")
    assert str(refused.value) == ("--require-kvm: guest - expected KVM - seen software emulation alone: no /dev/kvm")
    assert not (tmp_path / "out").exists()


RUBRIC = "points: 10\nitems: [{id: a, points: 10, needs: builds}]"
EDITS: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "nothing": (lambda at: None, []),
    "a submission": (lambda at: (at / "in" / "a.zip").write_text("x"), ["a"]),
    "a new one": (lambda at: (at / "in" / "d").mkdir(), ["d"]),
    "a damaged record": (lambda at: (at / "out" / "records" / "b.json").write_text("{"), ["b"]),
    "the CSV": (lambda at: (at / "t.csv").write_text(CSV.replace("CS1,", "CS9,")), ["a", "b", "c"]),
}


@pytest.mark.parametrize("name", EDITS)
def test_what_changed_is_graded_again(name: str, tmp_path: Path) -> None:
    filled(tmp_path)
    grade_class(ordered(tmp_path), Machine(), lambda _: None)
    order = ordered(tmp_path)
    edit, expected = EDITS[name]
    edit(tmp_path)
    if name in ("a new one", "the CSV"):
        order = order_of(asked(tmp_path), tmp_path / "out")
    machine = Machine()
    grade_class(order, machine, lambda _: None)
    assert machine.asked == expected


def test_rubric_is_no_reason_to_grade_again(tmp_path: Path) -> None:
    filled(tmp_path)
    grade_class(ordered(tmp_path), Machine(), lambda _: None)
    (tmp_path / "r.yaml").write_text(RUBRIC)
    machine = Machine()
    assert grade_class(ordered(tmp_path, **{"--rubric": str(tmp_path / "r.yaml")}), machine, lambda _: None) == 0
    assert machine.asked == []
    assert json.loads((tmp_path / "out" / "gradescope" / "a.json").read_text())["score"] == 10


def test_submission_that_cannot_be_read_is_for_a_person(tmp_path: Path) -> None:
    """It stops no other one, and earns nothing that is not proven."""
    filled(tmp_path)
    order = ordered(tmp_path)
    (tmp_path / "in" / "a.zip").unlink()
    (tmp_path / "in" / "a.zip").symlink_to("/etc/passwd")
    said: list[str] = []
    assert grade_class(order, Machine(), said.append) == 6
    assert "need a person 2: a (needs a run: builds" in said[3]
    assert "a.zip: no submission" in (tmp_path / "out" / "instructor" / "a.html").read_text()


def test_wrong_order_is_refused_before_anything_is_graded(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "bad.csv").write_text("CS1, CS2, VLAN\n")
    (tmp_path / "bad.yaml").write_text("step: []")
    bad = str(tmp_path / "bad.yaml")
    wrong: dict[str, dict[str, object]] = {
        "--submission needs --tenants": {"--tenants": None},
        "no such file": {"--submission": ["none/*"]},
        "bad.csv:1:11: unknown type 'VLAN'": {"--tenants": str(tmp_path / "bad.csv")},
        "bad.yaml:1:1: unknown key 'step'": {"--recipe": bad},
        "bad.yaml:1:1: the file has no 'items'": {"--rubric": bad},
    }
    for words, options in wrong.items():
        with pytest.raises(pytest.UsageError, match=words):
            ordered(tmp_path, **options)
    assert not (tmp_path / "out").exists()
