"""A rubric is tried on a solution, an empty folder, and the solution under faults, before a class is graded by it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from fixtures.calibrate import EMPTY, calibrate, calibrated
from fixtures.instruments.faults import FAULTS
from fixtures.instruments.grading.faulty import ground_of
from reports.grading.calibration import UnderFault
from reports.grading.record import Graded, Row
from tests.self.fixtures.runs import Settings
from tests.self.grading.classes import ROUTE, VNI, empty, graded
from tests.self.grading.test_class import ordered
from topology.errors import EnvironmentBroken
from topology.formats import load
from topology.formats.recipe import Recipe
from topology.formats.rubric import Rubric
from topology.formats.submission import Packed, Submission
from topology.model import Route

LOST = graded(broken={("reaches", 2): [ROUTE]})


class Ends:
    """Grades a solution as it is told to, and an empty folder."""

    image = "one"

    def __init__(self, solution: Graded, nothing: Graded) -> None:
        self.records = {"solution": solution, EMPTY: nothing}

    def grade(
        self, submission: Submission, packed: Packed, rows: Sequence[Row], recipe: Recipe, rubric: Rubric, key: str
    ) -> Graded:
        return replace(self.records[submission.name], name=submission.name)


def under(kind: str, record: Graded | None, suite: str = "overlay", why: str = "") -> UnderFault:
    return UnderFault(kind, "SC2", "Something is wrong.", suite, record and replace(record, name=kind), why)


TRIED = [
    under("route-missing", LOST),
    under("vni-for-all", graded(broken={("own-vni", 2): [VNI], ("own-vni", 5): [VNI]})),
    under("delay", graded(), "perf"),
    under("loop", graded(others={("reaches", 4): "errored"})),
    under("xfrm-block", None, why="no xfrm here"),
]


def told(
    tmp_path: Path, solution: Graded, nothing: Graded, tried: Iterable[UnderFault] = TRIED
) -> tuple[int, list[str]]:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "s.zip").write_text("s")
    said: list[str] = []
    return calibrated(ordered(tmp_path), Ends(solution, nothing), lambda _: tried, said.append), said


def test_table_says_what_each_fault_costs(tmp_path: Path) -> None:
    """By item; items that no fault loses, faults without a price, and those that were not tried are named."""
    code, said = told(tmp_path, graded(), empty())
    lines = said[next(n for n, line in enumerate(said) if line.startswith("points lost by")) :]
    assert code == 0
    assert [line.split() for line in lines[1:5]] == [
        ["route-missing@SC2", ".", "15", ".", "10", ".", "2.5"],
        ["vni-for-all@SC2", ".", ".", ".", "20", ".", "."],
        ["delay@SC2", *6 * "."],
        ["loop@SC2", ".", ".", "?", ".", ".", "."],
    ]
    assert lines[5:10] == [
        "no fault loses fabric: builds, underlay",
        "no fault loses gre: reaches, kind, both-ways",
        "no fault loses again: it is about building, which these faults do not touch",
        "cost nothing: delay@SC2 (perf)",
        "could not be established under: loop@SC2",
    ]
    assert lines[10] == "not tried: xfrm-block@SC2: no xfrm here"
    table = (tmp_path / "out" / "calibration.csv").read_text().splitlines()
    assert table[1] == "route-missing,SC2,Something is wrong.,overlay,0,15,0,10,0,2.5"
    assert table[4] == "loop,SC2,Something is wrong.,overlay,0,0,,0,0,0"
    assert (tmp_path / "out" / "students" / "route-missing.html").exists()


WRONG = {
    "a solution that lacks points": (LOST, empty(), "the solution earns 15 of 30 points of vxlan"),
    "one that is not settled": (
        graded(others={("kind", 4): "errored"}),
        empty(),
        r"the solution earns 0\.\.20 of 20 points of gre",
    ),
    "an empty folder with points": (graded(), LOST, r"an empty folder earns 20 of 20 points of fabric; expected 0"),
}


@pytest.mark.parametrize("name", WRONG)
def test_faults_wait_until_both_ends_are_right(name: str, tmp_path: Path) -> None:
    """Exit code 1, and what is wrong with its reason; nothing is tried."""
    solution, nothing, words = WRONG[name]

    def unasked() -> Iterable[UnderFault]:
        raise AssertionError("a fault was tried")
        yield

    code, said = told(tmp_path, solution, nothing, unasked())
    assert code == 1
    assert any(re.match(words, line) for line in said), said
    assert not (tmp_path / "out" / "calibration.csv").exists()


def test_reason_of_a_solutions_loss_is_shown_in_full(tmp_path: Path) -> None:
    assert any(ROUTE.fix in line for line in told(tmp_path, LOST, empty())[1])


def test_solution_that_is_not_built_again_settles_nothing(tmp_path: Path) -> None:
    def broken() -> Iterable[UnderFault]:
        yield TRIED[0]
        raise EnvironmentBroken("the solution was built before, and now is not")

    code, said = told(tmp_path, graded(), empty(), broken())
    assert (code, said[-1]) == (6, "the solution was built before, and now is not")


def test_wrong_orders_are_refused(tmp_path: Path) -> None:
    """Without rows, with several solutions, and for faults that the catalogue has not."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.zip").write_text("")
        (tmp_path / "both" / name).mkdir(parents=True)
    (tmp_path / "both" / "submission_metadata.yml").write_text("{}")
    (tmp_path / "t.csv").write_text("CS1, CS2, Bridge\nCS1X, CS2X, VXLAN\nCSX, CSY, L3\nCSA, CSB, GRE\n")
    right: dict[str, object] = {
        "--calibrate": str(tmp_path / "a.zip"),
        "--tenants": str(tmp_path / "t.csv"),
        "--recipe": None,
    }
    wrong: dict[str, dict[str, object]] = {
        "--calibrate needs --tenants": {"--tenants": None},
        "names 2 submissions; the solution alone": {"--calibrate": str(tmp_path / "both")},
        "unknown kind of fault 'route-mising'": {"injects": ["route-mising@SC2"]},
    }
    for words, given in wrong.items():
        with pytest.raises(pytest.UsageError, match=words):
            calibrate(cast(pytest.Config, Settings(tmp_path, **(right | given))), tmp_path / "out")


def test_faults_find_their_places_in_a_fabric_as_found() -> None:
    """In nodes without roles, with routes of addresses beside those that were made, most kinds have a place."""
    lab = load("two-tenants")
    nodes = (
        replace(
            node,
            role="switch",
            forwarding=frozenset((4, device.name) for device in node.devices if node.role != "customer"),
            connected=False,
            routes=(*node.routes, *(Route(prefix=i.network, dev=d.name) for d in node.devices for i in d.addresses)),
        )
        for node in lab.nodes
    )
    ground = ground_of(replace(lab, nodes=tuple(nodes), pairs=()), lab.pairs)
    fitting = {kind for kind, fault in FAULTS.items() if fault.at(ground)}
    assert {"route-missing", "vxlan-vni", "vni-for-all", "link-down", "forwarding-off", "host-filter"} <= fitting
    assert [route for node in ground.fabric.nodes for route in node.routes] == [
        route for node in lab.nodes for route in node.routes
    ]
