from __future__ import annotations

from pathlib import Path

import pytest

from topology.errors import LabError, Misuse
from topology.formats.pairs_alone import load_pairs, load_pairs_text

SOUND = """\
pairs:
  - {source: c1, target: clab-x-leaf.2, kind: bridge}
  - {source: 10.0.0.1, target: "FD00:0::1", kind: l3-overlay}
"""


def test_pairs_are_read_with_names_and_addresses(tmp_path: Path) -> None:
    """A file of pairs is a fabric of which nothing else is known; addresses come in one form."""
    path = tmp_path / "mine.yaml"
    path.write_text(SOUND)
    fabric = load_pairs(path)
    assert (fabric.name, fabric.nodes, fabric.links) == ("mine", (), ())
    assert [(p.source, p.target, p.kind, p.where.line) for p in fabric.pairs] == [
        ("c1", "clab-x-leaf.2", "bridge", 2),
        ("10.0.0.1", "fd00::1", "l3-overlay", 3),
    ]


PAIR = "pairs:\n  - {source: a, target: b, kind: routed}\n"
REFUSED = {
    "": "1:1: the file is empty",
    "a": "1:1: 'a' stands where a mapping belongs",
    "pair: []": "1:1: unknown key 'pair'; did you mean 'pairs'?",
    "nodes: {}": "1:1: there is no 'pairs'; pairs: with lines",
    "pairs: []": "1:1: there is no pair; pairs: with lines",
    "pairs: {a: b}": "1:8: a mapping stands where a list belongs",
    "pairs: [a]": "1:9: 'a' stands where a mapping belongs",
    "pairs: [{source: a, target: b}]": "1:9: there is no 'kind'; kind: how",
    "pairs: [{source: a, kind: routed}]": "1:9: there is no 'target'; target: NODE or ADDRESS",
    "pairs: [{source: a, target: b, kind: fast}]": "1:38: unknown kind 'fast'; one of: bridge",
    "pairs: [{source: a b, target: b, kind: routed}]": "1:18: the node name 'a b' has a character",
    "pairs: [{source: 7, target: b, kind: routed}]": "1:18: 7 is not text",
    "pairs: [{source: 10.0.0.1/24, target: b, kind: routed}]": "1:18: the node name '10.0.0.1/24' has a character",
    "pairs: [{source: a, target: a, kind: routed}]": "1:9: a is paired with itself",
    PAIR + "  - {source: b, target: a, kind: bridge}\n": "3:5: b and a are a pair already, on line 2",
    PAIR + "  - {source: a, target: c, kind: bridge, via: d}\n": "3:42: unknown key 'via'",
    PAIR + "pairs: []\n": "3:1: 'pairs' stands here a second time",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text.replace("\n", " ")[:40])
def test_what_says_no_pairs_is_refused_at_its_place(text: str) -> None:
    """Each problem has a line, a column and what would be right."""
    with pytest.raises(LabError) as caught:
        load_pairs_text(text, "e.yaml")
    assert f"e.yaml:{REFUSED[text]}" in str(caught.value)


def test_all_problems_are_told_at_once() -> None:
    """One reading, every problem."""
    with pytest.raises(LabError) as caught:
        load_pairs_text("pairs: [{source: a, target: b, kind: x}, {source: 7, target: b, kind: y}]")
    assert len(caught.value.problems) == 3


def test_file_that_is_not_there_is_misuse(tmp_path: Path) -> None:
    """The message says what would be right."""
    with pytest.raises(Misuse, match="no such file; a YAML file with a list pairs:"):
        load_pairs(tmp_path / "none.yaml")
