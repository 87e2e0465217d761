"""A recipe says how submissions are built; of a submission's own file only steps, cleanup and needs are taken."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.self.builders import reference_text
from topology.errors import LabError, Misuse
from topology.formats.recipe import MIB, Recipe, Step, load_recipe, with_own

DOCUMENT = Path(__file__).parents[3] / "docs" / "grading.md"
SOUND = """\
steps:
  - {run: "python3 init.py {spines} {leaves}", cwd: ., deadline: 5m}
  - {run: "python3 create.py {csv} ${HOME} {a,b}", deadline: 600s}
cleanup: "python3 delete.py"
prelude: base-fabric.yaml
csv: {header: true, blanks: true}
needs: [docker]
images: [ubuntu:22.04, lab]
fixed: [{source: CS1, target: CS5, type: VXLAN}]
customers: "x-{name}"
management: [docker0, 172.17.0.0/16]
limits: {memory: 1G, output: 10M}
leaves: 4
"""
BROKEN = {
    "step: []": "1:1: unknown key 'step'; did you mean 'steps'?",
    "steps: [{cwd: .}]": "1:9: this has no 'run'; run: a command line",
    "steps: [{run: ' '}]": "1:15: ' ' is no command",
    "steps: [{run: 'x {cvs}'}]": "1:15: unknown placeholder {cvs}; did you mean {csv}?",
    "steps: [{run: x, deadline: 5}]": "1:28: 5 is no deadline; a number with its unit",
    "steps: [{run: x, deadline: 7h}]": "1:28: '7h' is no deadline",
    "steps: [{run: x, cwd: /etc}]": "1:23: '/etc' is no folder of a submission",
    "steps: [{run: x, cwd: a/../..}]": "1:23: 'a/../..' is no folder of a submission",
    "steps: x": "1:8: 'x' is not a list",
    f"steps: [{'{run: x}, ' * 33}]": "1:8: 33 steps; at most 32",
    "csv: {headers: true}": "1:7: unknown key 'headers'; did you mean 'header'?",
    "needs: [podman]": "1:9: unknown need 'podman'; one of: docker, ansible",
    "images: ['Ubuntu 1']": "1:10: 'Ubuntu 1' is no image's name",
    "customers: x": "1:12: 'x' has no place for a customer's name",
    "management: [a b]": "1:14: the interface name 'a b'",
    "fixed: [{source: a, type: VLAN}]": "1:27: unknown type 'VLAN'; one of: Bridge, VXLAN, L3, GRE",
    "limits: {memory: 2}": "1:18: 2 is no size; a number with its unit",
    "leaves: 0": "1:9: the number 0 is out of range",
    "steps: [}": "1:9: not YAML",
}


def load(tmp_path: Path, text: str) -> Recipe:
    (tmp_path / "r.yaml").write_text(text)
    (tmp_path / "base-fabric.yaml").write_text(reference_text())
    return load_recipe(tmp_path / "r.yaml")


@pytest.mark.parametrize("text", BROKEN)
def test_broken_recipe_is_refused_at_its_place(text: str) -> None:
    with pytest.raises(LabError) as refused:
        with_own(Recipe(), text, "r.yaml")
    assert any(str(problem).startswith(f"r.yaml:{BROKEN[text]}") for problem in refused.value.problems), refused.value


def test_recipe_of_a_class_is_read(tmp_path: Path) -> None:
    recipe = load(tmp_path, SOUND)
    first, second = recipe.steps
    assert (first.deadline, second.deadline, recipe.total, recipe.memory) == (300, 600, 900, 1024 * MIB)
    assert recipe.prelude == tmp_path / "base-fabric.yaml"
    assert recipe.filled(first.run, "/x") == "python3 init.py 2 4"
    assert recipe.filled(second.run, "/a b") == "python3 create.py '/a b' ${HOME} {a,b}"
    rows = [("CS1", "CS2", "L3")]
    assert recipe.rows_text(rows) == "source, destination, type\nCS1, CS2, L3\n"
    assert recipe.fixed == (("CS1", "CS5", "VXLAN"),)
    assert Recipe().rows_text(rows) == "CS1,CS2,L3\n"


@pytest.mark.parametrize(
    ("name", "words"), [("nowhere.yaml", "nowhere.yaml"), ("r.yaml", r"r\.yaml:1:1: unknown key 'prelude'")]
)
def test_prelude_that_cannot_be_built_is_refused_before_a_class_is_graded(
    name: str, words: str, tmp_path: Path
) -> None:
    """Nobody's submission is to blame for it."""
    with pytest.raises(Misuse, match=words):
        load(tmp_path, f"prelude: {name}")


def test_submissions_own_file_says_only_how_it_is_built(tmp_path: Path) -> None:
    """Its deadlines are no longer than the class's time; what else it says is left out with a note."""
    own = "steps: [{run: make, deadline: 6h}]\nneeds: ansible\ncustomers: '{name}'\nlimits: {memory: 64G}\n"
    recipe, notes = with_own(load(tmp_path, SOUND), own)
    assert recipe.steps == (Step("make", ".", 900),)
    assert (recipe.needs, recipe.cleanup) == (("docker", "ansible"), "python3 delete.py")
    assert (recipe.customers, recipe.memory) == ("x-{name}", 1024 * MIB)
    assert [note.split()[1] for note in notes] == ["'customers'", "'limits'"]


def test_documents_recipe_is_read(tmp_path: Path) -> None:
    (text,) = re.findall(r"^```yaml\n(steps:.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    assert [step.cwd for step in load(tmp_path, text).steps] == [".", "src"]
