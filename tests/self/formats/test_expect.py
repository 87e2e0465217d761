"""A file of pairs says what a lab promises, instead of the lab itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.self.builders import reference, reference_text
from topology.errors import LabError, Misuse
from topology.expected import check_pairs
from topology.formats.expect import with_pairs, with_pairs_of_text
from topology.formats.text_file import MAX_BYTES

PAIRS = "pairs:\n  - {source: cs1, target: cs2, kind: bridge}\n  - {source: cs5, target: cs3, kind: hairpin}\n"


def refusal(text: str) -> str:
    """What is said of a file of pairs that is refused."""
    with pytest.raises(LabError) as caught:
        with_pairs_of_text(reference(), text, "expect.yaml", (check_pairs,))
    return str(caught.value)


def test_pairs_of_the_file_replace_the_labs(tmp_path: Path) -> None:
    """The fabric is the lab's, its pairs are the file's, each at its place, and a note says so."""
    path = tmp_path / "expect.yaml"
    path.write_text(PAIRS)
    fabric = with_pairs(reference(), path, (check_pairs,))
    assert [str(pair) for pair in fabric.pairs] == ["cs1-cs2-bridge", "cs5-cs3-hairpin"]
    assert [(pair.where.line, pair.where.column) for pair in fabric.pairs] == [(2, 5), (3, 5)]
    assert (fabric.nodes, fabric.links) == (reference().nodes, reference().links)
    assert fabric.notes == (f"pairs: those of {path}",)


def test_empty_list_promises_nothing() -> None:
    """A file may say that nothing is promised."""
    assert with_pairs_of_text(reference(), "pairs: []").pairs == ()


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", "1:1", "starting with 'pairs:'"),
        ("- a", "1:1", "no mapping"),
        ("pair: []", "1:1", "did you mean 'pairs'"),
        ("nodes: {}", "1:1", "'nodes' is not read here"),
        ("nodes: {}", "1:1", "the file has no 'pairs'"),
        (reference_text(), "6:1", "'lab' is not read here"),
        ("pairs: cs1", "1:8", "a list"),
        ("pairs: [cs1]", "1:9", "a mapping"),
        ("pairs: [{source: cs1, target: cs2}]", "1:9", "no 'kind'"),
        ("pairs: [{source: cs1, target: cs2, kind: teleport}]", "1:42", "unknown kind"),
        ("pairs: [{source: cs1, target: cs2, kind: bridge, via: lc1}]", "1:50", "unknown key 'via'"),
        ("pairs: [{source: cs1, target: cs9, kind: bridge}]", "1:31", "unknown node 'cs9'"),
        ("pairs: [{source: cs1, target: cs1, kind: bridge}]", "1:31", "paired with itself"),
        (PAIRS + "  - {source: cs1, target: cs2, kind: bridge}", "4:5", "on line 2 already"),
        ("pairs: [{source: con_ns2, target: cs2, kind: bridge}]", "1:18", "no address"),
        ("pairs: [{source: cs1, target: cs2, kind: routed}]", "1:9", "carries it as bridge"),
        ("pairs: []\npairs: []", "2:1", "second time"),
        ("pairs: [", "1:9", "not YAML"),
    ],
)
def test_broken_file_is_refused_at_its_place(text: str, place: str, words: str) -> None:
    """What is no list of the lab's pairs is refused, in the grammar of the lab file."""
    lines = refusal(text).splitlines()
    assert [line for line in lines if line.startswith(f"expect.yaml:{place}: ") and words in line], lines


def test_everything_wrong_is_told_at_once() -> None:
    """Every problem of the file is told in one reading."""
    assert len(refusal("lab: x\npairs: [{source: a}, {source: cs1, target: cs9, kind: x}]").splitlines()) >= 4


def test_file_that_cannot_be_read_is_misuse(tmp_path: Path) -> None:
    """A missing file is said to be so, and one of more than 1 MiB is not read."""
    with pytest.raises(Misuse, match="no such file"):
        with_pairs(reference(), tmp_path / "none.yaml")
    (tmp_path / "long.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(LabError, match="longer than 1 MiB"):
        with_pairs(reference(), tmp_path / "long.yaml")
