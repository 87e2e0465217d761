"""README and the documents: the commands, options and links that they name exist, and the pages stay readable."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from topology.formats.lab import known_labs

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {str(page.relative_to(ROOT)): page for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))}
COMMAND = re.compile(r"^(?:make|pytest) .*$|`((?:make|pytest) [^`]*)`", re.MULTILINE)
BLOCK = re.compile(r"^```\n((?:make|pytest) .*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([\w-]+))?\)")
WIDTH = 100


def commands(text: str) -> list[list[str]]:
    """The words of every make and pytest command of a page."""
    return [shlex.split(found[1] or found[0], comments=True) for found in COMMAND.finditer(text)]


def stray_lines(text: str) -> list[str]:
    """The lines of a page's blocks of commands that are not one whole command: what a wrapped block looks like."""
    lines = [line.partition(" #")[0] for block in BLOCK.findall(text) for line in block.splitlines() if line]
    return [line for line in lines if [word for word in line.split() if word in ("make", "pytest")] != line.split()[:1]]


def wide_lines(text: str) -> list[int]:
    """The numbers of the lines of prose over the width; tables, code blocks and unbreakable words excepted."""
    prose = re.sub(r"^```.*?^```", lambda block: "\n" * block[0].count("\n"), text, flags=re.MULTILINE | re.DOTALL)
    lines = enumerate(prose.splitlines(), 1)
    return [number for number, line in lines if len(line) > WIDTH and not line.startswith(("|", "!["))]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_readme_is_short() -> None:
    """README has at most 700 words and shows a picture that is in the tree."""
    assert len(README.split()) <= 700
    assert [path for path in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README) if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("name", ["README.md", "docs/running.md"])
def test_commands_exist(name: str, pytestconfig: pytest.Config) -> None:
    """Every make target, option, marker and known lab that a page's commands name is there."""
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    markers = {line.partition(":")[0] for line in pytestconfig.getini("markers")}
    found = commands(PAGES[name].read_text(encoding="utf-8"))
    assert len(found) > 5
    for program, *words in found:
        if program == "make":
            assert words[0] in targets, words
            continue
        for word, value in zip(words, [*words[1:], ""], strict=True):
            if word.startswith("--") and word != "--help":
                pytestconfig.getoption(word.partition("=")[0])
            if word == "-m":
                assert set(re.findall(r"\w+", value)) - {"or", "and", "not"} <= markers, value
            if word == "--lab" and "." not in value and not value.startswith("leafspine-"):
                assert value in known_labs(), value


@pytest.mark.parametrize("name", PAGES)
def test_each_line_of_a_block_of_commands_is_one(name: str) -> None:
    """A block of commands can be copied line by line."""
    assert stray_lines(PAGES[name].read_text(encoding="utf-8")) == []


def test_wrapped_block_of_commands_is_found() -> None:
    """A block that was wrapped as prose has two commands in a line, and lines that begin with none."""
    wrapped = "```\npytest -m overlay # a lab pytest -m mtu\n--sizes all # sizes\n```\n"
    assert stray_lines(wrapped) == ["--sizes all"]
    assert stray_lines("```\npytest -m overlay pytest -m mtu\n```\n") == ["pytest -m overlay pytest -m mtu"]


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    """Every relative link of a page leads to a file, and its anchor to a heading there."""
    page = PAGES[name]
    for path, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in path:
            continue
        target = page.parent / path if path else page
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), anchor


@pytest.mark.parametrize("name", PAGES)
def test_lines_are_wrapped(name: str) -> None:
    """No line of prose is wider than 100 columns."""
    assert wide_lines(PAGES[name].read_text(encoding="utf-8")) == []


def test_wide_line_is_noticed() -> None:
    """A wide line of prose is reported with its number; in a table or a code block it is not."""
    wide = "word " * 30
    assert wide_lines(f"fine\n{wide}\n") == [2]
    assert wide_lines(f"| {wide}\n```\n{wide}\n```\n") == []
