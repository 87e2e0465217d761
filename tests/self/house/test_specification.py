"""SPECIFICATION.md is short, names tests that exist, and has one for each figure."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "SPECIFICATION.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def missing_tests(text: str) -> list[str]:
    """The tests, and files of tests, that a specification names and that are not there."""
    found = [(file, name, _functions(ROOT / file)) for file, name in NAMED.findall(text)]
    return [f"{file}::{name}" for file, name, there in found if not there or (name and name not in there)]


def unenforced(text: str) -> list[str]:
    """The rows of tables that name neither a test nor say that one is pending."""
    rows = [line for line in text.splitlines() if line.startswith("| ") and "enforced by" not in line]
    return [row for row in rows if not NAMED.search(row) and "pending" not in row]


def _functions(file: Path) -> set[str]:
    if not file.is_file():
        return set()
    names = {node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)}
    return {name for name in names if name.startswith("test_")}


def test_every_named_test_exists() -> None:
    """Every test and every file of tests that SPECIFICATION.md names is in the tree."""
    assert len(NAMED.findall(TEXT)) > 25
    assert missing_tests(TEXT) == []


def test_every_row_names_a_test_or_says_pending() -> None:
    """Every promise and every figure names the test that enforces it, or says that it is pending."""
    assert unenforced(TEXT) == []


def test_every_figures_test_is_named() -> None:
    """A figure that is not pending names one test, not only a file."""
    figures = TEXT.partition("## Figures")[2].partition("\n## ")[0]
    rows = [row for row in figures.splitlines() if row.startswith("| ") and "enforced by" not in row]
    assert len(rows) > 5
    assert [row for row in rows if "::" not in row and "pending" not in row] == []


def test_specification_is_short() -> None:
    """SPECIFICATION.md has at most 100 lines."""
    assert len(TEXT.splitlines()) <= 100


def test_omissions_are_noticed() -> None:
    """A test or file that is not there, and a row without either, are reported."""
    text = "`tests/underlay/test_links.py::test_nothing_such` `tests/nowhere.py`"
    assert missing_tests(text) == ["tests/underlay/test_links.py::test_nothing_such", "tests/nowhere.py::"]
    assert unenforced("| speed | 1 s | none |\n| size | 1 | pending |") == ["| speed | 1 s | none |"]
