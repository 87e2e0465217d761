"""SPECIFICATION.md names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def missing_tests(text: str) -> list[str]:
    """The tests that a specification names and that are not there."""
    return [f"{file}::{name}" for file, name in NAMED.findall(text) if name not in _functions(ROOT / file)]


def _functions(file: Path) -> set[str]:
    if not file.is_file():
        return set()
    return {node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)}


def test_every_named_test_exists() -> None:
    """Every test that SPECIFICATION.md names is in the tree."""
    text = (ROOT / "SPECIFICATION.md").read_text()
    assert len(NAMED.findall(text)) > 25
    assert missing_tests(text) == []


def test_missing_test_is_noticed() -> None:
    """A name that no test has, and a file that is not there, are reported."""
    text = "`tests/underlay/test_links.py::test_nothing_such` `tests/nowhere.py::test_it`"
    assert missing_tests(text) == ["tests/underlay/test_links.py::test_nothing_such", "tests/nowhere.py::test_it"]


def test_every_row_names_a_test_or_says_pending() -> None:
    """No line of the tables promises something without saying what enforces it."""
    rows = [line for line in (ROOT / "SPECIFICATION.md").read_text().splitlines() if line.startswith("| ")]
    promises = [row for row in rows if "enforced by" not in row]
    assert [row for row in promises if not NAMED.search(row) and "pending" not in row] == []
