"""The published JSON Schemas take and refuse what the readers do, as far as a schema can say it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from tests.self.formats import (
    broken_labs,
    broken_networks,
    test_intent,
    test_pairs_files,
    test_recipe,
    test_rubric,
)
from topology.errors import LabError
from topology.formats.json_schemas import FOLDER, SCHEMAS, texts
from topology.formats.lab import LABS, known_labs, load_lab_text
from topology.formats.lab_refusals import read_spec
from topology.formats.pairs_files import load_pairs_text
from topology.formats.recipe import Recipe, with_own
from topology.formats.rubric import DEFAULT, rubric_of_text
from topology.formats.yaml_positions import parse

UNSAID = re.compile(
    "has no 'remote'|both '(remote|vni)' and|does not fit (the|via)|holds no frames|no part of the bare path|"
    "is not a prefix|has neither gateway nor device|no word of a route|'onlink' in|is repeated|nothing follows|"
    "bits set beyond|mixes IPv4|'0 s' is no time|nothing is promised|"
    "unknown placeholder|'7h' is no deadline|' ' is no command|no folder of a submission"
)
"""What is said of the form of files that a schema cannot tell from sound ones: keys that go together, routes, and
commands."""

INTENT = (
    *("no hosts", "apart of a word", "VNI and key", "a key of VXLAN", "a VNI of GRE", "frames in GRE"),
    *("a tunnel of a bridge", "a VNI out of range", "a network with an address's bits"),
)
"""The mistakes of intent that are mistakes of form."""


def samples() -> Iterator[tuple[str, str, str]]:
    """The kind of file, a name and a text: all labs that come along, and all whose form the readers' tests break."""
    yield from (("lab", name, (LABS / f"{name}.yaml").read_text()) for name in known_labs())
    yield from (("lab", case.name, case.text) for case in (*broken_labs.SCHEMA, *broken_networks.MTUS))
    yield from (("lab", name, test_intent.TEXT.replace(*test_intent.BROKEN[name][:2])) for name in INTENT)
    expected = (*test_pairs_files.BOTH, *test_pairs_files.ALONE, test_pairs_files.UNDECLARED, test_pairs_files.PAIRS)
    yield from (("expect", f"expect {number}", text) for number, text in enumerate(filter(is_yaml, expected)))
    rubrics = (DEFAULT.read_text(), test_rubric.SOUND, *test_rubric.BROKEN)
    yield from (("rubric", f"rubric {number}", text) for number, text in enumerate(filter(is_yaml, rubrics)))
    recipes = (test_recipe.SOUND, *test_recipe.BROKEN)
    yield from (("recipe", f"recipe {number}", text) for number, text in enumerate(filter(is_yaml, recipes)))


def is_yaml(text: str) -> bool:
    """True for a text that is read to its end."""
    try:
        return not parse(text, "sample")[1]
    except LabError:
        return False


READERS: Mapping[str, Callable[[str], object]] = {
    "lab": load_lab_text,
    "expect": load_pairs_text,
    "rubric": rubric_of_text,
    "recipe": partial(with_own, Recipe()),
}


@cache
def published(kind: str) -> Draft202012Validator:
    """The published schema of a kind of file."""
    return Draft202012Validator(json.loads((FOLDER / f"{kind}.json").read_text()), format_checker=FormatChecker())


@pytest.mark.parametrize(("kind", "name", "text"), [pytest.param(*sample, id=sample[1]) for sample in samples()])
def test_schema_and_reader_agree(kind: str, name: str, text: str) -> None:
    """What the reader takes the schema takes; what it refuses by its form the schema refuses, where it can say so."""
    tree, _ = parse(text, "sample")
    _, problems, _ = read_spec(tree, SCHEMAS[kind])
    refused = [error.message for error in published(kind).iter_errors(tree.plain())]
    if refused and not problems:
        with pytest.raises(LabError):
            READERS[kind](text)
    said = [problem for problem in problems if not UNSAID.search(str(problem))]
    assert refused or not said


@pytest.mark.parametrize("path", texts(), ids=lambda path: path.name)
def test_schema_is_that_of_the_reader(path: Any) -> None:
    """The published file is what ``python -m topology.formats.json_schemas`` writes, and a sound schema."""
    assert path.read_text() == texts()[path]
    Draft202012Validator.check_schema(json.loads(path.read_text()))
