"""The containerlab lab of the tests, as people write one, and ways to change it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from topology.errors import LabError
from topology.expected import check_pairs
from topology.formats.clab import load_clab_text
from topology.model import Fabric

LAB = Path(__file__).parents[1] / "data" / "two-leaves.clab.yml"
TEXT = LAB.read_text()
LINE = "- iperf3 -s -D"
"""The last exec line of h1, which has to do with nothing."""
FILE = "mine.clab.yml"


def edited(*edits: tuple[str, str]) -> str:
    """The lab with one text after another replaced, each in the one place where it stands."""
    text = TEXT
    for old, new in edits:
        assert text.count(old) == 1, f"{old!r} is not in the lab exactly once"
        text = text.replace(old, new)
    return text


def with_lines(*lines: str) -> str:
    """The lab with further exec lines in h1, quoted, so that each may be any text."""
    return edited((LINE, "\n        ".join(f"- {json.dumps(line)}" for line in lines)))


def load(text: str) -> Fabric:
    """The fabric that a text declares."""
    return load_clab_text(text, FILE, extra_checks=(check_pairs,))


def refused(text: str) -> LabError:
    """The error that the text's loading must end in."""
    with pytest.raises(LabError) as caught:
        load(text)
    return caught.value


def place(text: str, snippet: str) -> str:
    """Find the snippet, which stands in the text once, after its ``^``: line and column, 1-based."""
    plain = snippet.replace("^", "")
    assert text.count(plain) == 1, f"{plain!r} is not in the text exactly once"
    before = text[: text.index(plain) + snippet.index("^")]
    return f"{FILE}:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"
