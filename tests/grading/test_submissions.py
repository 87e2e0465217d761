"""Submissions of our own are graded: what is right earns its points, each mistake costs its own and is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reports.grading.record import Graded
from reports.grading.score import score
from tests.grading.kit import ALL, BUILD_S, Known, broken, graded, outcomes, packed, recipe, restored
from tests.grading.known import ALWAYS, KNOWN, files
from tests.grading.mistakes import DRAWN, MISTAKES
from topology.formats.rubric import Rubric, rubric_of_text
from topology.formats.submission import Submission

pytestmark = [pytest.mark.grading, pytest.mark.alone]

REPEATED = """
points: 10
items:
  - {id: again, points: 5, needs: [second-run, other-csv]}
  - {id: clean, points: 5, needs: [cleans-up]}
"""
TIMES = 20


def points(record: Graded, rubric: Rubric) -> dict[str, float]:
    """The points of each item."""
    return {item.item.id: float(item.low) for item in score(record, rubric).items}


FULL = {"fabric": 20.0, "rows": 60.0, "apart": 20.0, "sizes": 5.0}


@pytest.mark.skipif(not ALL, reason="one is graded with each change, with what attacks leave behind")
@pytest.mark.parametrize("name", KNOWN)
def test_right_submission_gets_full_marks(name: str, tmp_path: Path) -> None:
    """Every promise that is asked for is kept, and the extra ones go beyond."""
    known, own = KNOWN[name], files(name)
    if prelude := own.pop("prelude.yaml", ""):
        (tmp_path / "prelude.yaml").write_text(prelude)
        known = replace(known, recipe=replace(known.recipe, prelude=tmp_path / "prelude.yaml"))
    record = graded(known, own)
    assert points(record, known.rubric) == FULL, (broken(record), record.build, record.nodes)


@pytest.mark.parametrize("name", MISTAKES if ALL else DRAWN)
def test_mistake_costs_its_items_and_is_named(name: str) -> None:
    """The rows that it breaks lose their points, no other ones, and the reason names node and mistake."""
    mistake = MISTAKES[name]
    known = mistake.known
    record = graded(known, mistake.files)
    found = broken(record)
    lost = {item: FULL[item] - earned for item, earned in points(record, known.rubric).items() if earned < FULL[item]}
    assert lost == mistake.lost, (found, record.build, record.nodes)
    assert mistake.unnamed(found) == [], (record.build, record.nodes)


@pytest.mark.skipif(not ALL, reason="the class's own path for a lab that a student declares")
def test_declared_fabric_gets_full_marks(tmp_path: Path) -> None:
    """A lab file of a student's is graded the same way, without a build."""
    path = tmp_path / "lab.yaml"
    path.write_text(files("declared")["lab.yaml"])
    known = Known("VXLAN", recipe())
    record = graded(known, Submission("lab", path))
    assert points(record, known.rubric) == FULL, (broken(record), record.build)


def test_nothing_built_gets_nothing() -> None:
    """A submission without a build has no points, and says what is missing."""
    known = Known("VXLAN")
    record = graded(known, {"README": "later"})
    assert set(points(record, known.rubric).values()) == {0}
    assert {promise.outcome for promise in record.promises} == {"broken"}


HALF = {"rows": 30.0, "apart": 10.0, "sizes": 2.5}
STOPS = {
    "ends early": ("exit 0", HALF),
    "fails": ("exit 3", {"fabric": 20.0, **HALF}),
    "hangs": ("sleep 900", {"fabric": 20.0, **HALF}),
    "floods": ("yes", {"fabric": 20.0, **HALF}),
}
"""What a build does before its second row, and the points that this costs."""


@pytest.mark.skipif(not ALL, reason="the limits are tried with each change")
@pytest.mark.parametrize("name", STOPS)
def test_build_that_stops_half_way_keeps_what_stands(name: str) -> None:
    """The row that stands earns its points, the other none, and the build none where it did not end well."""
    does, lost = STOPS[name]
    known = KNOWN[ALWAYS].asked("VXLAN VXLAN")
    built = replace(known.recipe, steps=(replace(known.recipe.steps[0], deadline=90),), output=1 << 20)
    own = {
        name: text.replace("    row=$((", f"    [ $row = 0 ] || {does}\n    row=$((")
        for name, text in files(ALWAYS).items()
    }
    record = graded(replace(known, recipe=built), own)
    assert points(record, known.rubric) == {item: FULL[item] - lost.get(item, 0) for item in FULL}, record


@pytest.mark.skipif(not ALL, reason="builds three times")
@pytest.mark.parametrize(("changes", "earned"), [(True, {"again": 5, "clean": 5}), (False, {"again": 0, "clean": 0})])
def test_second_run_other_names_and_clean_up(changes: bool, earned: dict[str, float]) -> None:
    """A second run that refuses spoils nothing, other names are built, the clean-up leaves nothing; or it is said."""
    rubric, known = rubric_of_text(REPEATED), KNOWN[ALWAYS].asked("VXLAN")
    own = files(ALWAYS)
    if changes:
        own["build.sh"] = own["build.sh"].replace("ip netns add $n;", "ip netns add $n || exit 3;")
    else:
        spoils = "ip netns add $n || { ip netns del l1; exit 0; };"
        own["build.sh"] = own["build.sh"].replace("ip netns add $n;", spoils)
        known = replace(known, recipe=replace(known.recipe, cleanup="ip netns del l1; ip netns del l2"))
    record = graded(known, own, rubric)
    assert points(record, rubric) == earned, record.promises
    said = {promise.name: promise.said for promise in broken(record)}
    assert changes or ("row 1" in said["second-run"] and "s1" in said["cleans-up"]), said


@pytest.mark.skipif(not ALL, reason="twice with each change, before and after an attack")
def test_same_build_gets_the_same_score() -> None:
    """However often what stands is proven, each promise becomes the same."""
    known = KNOWN[ALWAYS].asked("VXLAN")
    with restored(has_engine=False) as machine:
        machine.deliver(packed({**files(ALWAYS), "rows.csv": "A1X,B1X,VXLAN\n"}))
        assert machine.run("./build.sh rows.csv", BUILD_S).exit == 0
        found = [outcomes(machine, known) for _ in range(TIMES)]
    assert found == [found[0]] * TIMES
    assert {*found[0].values()} == {"kept"}


@pytest.mark.skipif(not ALL, reason="builds twenty times")
@pytest.mark.parametrize("number", range(TIMES))
def test_any_leaf_is_right(number: int) -> None:
    """A build that draws the leaves of its customers gets full marks each time."""
    known = KNOWN["random-leaves"]
    record = graded(known, files("random-leaves"))
    assert points(record, known.rubric) == FULL, (number, broken(record), record.build)
