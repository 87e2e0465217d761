"""docs/lab-file.md describes the lab file that is read, docs/grading.md recipes and rubrics."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import topology
from topology.formats import lab_schema, recipe, rubric
from topology.formats.lab import load_lab_text
from topology.links import VIAS
from topology.node import RUNTIMES
from topology.promises import KINDS
from topology.roles import ROLES

DOCS = Path(topology.__file__).parents[1] / "docs"
PAGE = (DOCS / "lab-file.md").read_text(encoding="utf-8")
GRADING = (DOCS / "grading.md").read_text(encoding="utf-8")


def test_the_pages_example_is_a_lab() -> None:
    """The example that the page opens with loads as it stands."""
    example = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    assert load_lab_text(example[1]).name == "tiny"


def specs(base: type[lab_schema.Spec]) -> Iterator[type[lab_schema.Spec]]:
    """All parts of the files that are read by a schema."""
    for spec in base.__subclasses__():
        yield from (spec, *specs(spec))


@pytest.mark.parametrize("spec", [*specs(lab_schema.Spec)], ids=lambda spec: spec.__name__)
def test_every_key_is_on_the_page(spec: type[lab_schema.Spec]) -> None:
    """No key is read that the page does not name."""
    page = GRADING if spec.__module__ in (recipe.__name__, rubric.__name__) else PAGE
    assert spec.spelled() <= set(re.findall(r"[\w-]+", page))


def test_every_word_is_on_its_page() -> None:
    """No role, runtime, kind, promise, need or level of feedback is read that its page does not name."""
    assert {*ROLES, *RUNTIMES, *KINDS, *VIAS} <= set(re.findall(r"[\w-]+", PAGE))
    assert {*rubric.PROMISES, *rubric.FEEDBACK, *recipe.NEEDS} <= set(re.findall(r"[\w-]+", GRADING))
