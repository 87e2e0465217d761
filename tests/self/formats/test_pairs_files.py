"""A file of pairs says what a lab promises instead of the lab itself, or what an undeclared fabric promises."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.self.builders import reference, reference_text
from topology.errors import LabError, Misuse
from topology.expected import check_pairs
from topology.formats.pairs_files import load_pairs, load_pairs_text, with_pairs, with_pairs_of_text
from topology.formats.text_file import MAX_BYTES
from topology.model import Fabric

PAIRS = "pairs:\n  - {source: cs1, target: cs2, kind: bridge}\n  - {source: cs5, target: cs3, kind: hairpin}\n"
UNDECLARED = """\
pairs:
  - {source: c1, target: clab-x-leaf.2, kind: bridge}
  - {source: 10.0.0.1, target: "FD00:0::1", kind: l3-overlay}
  - {source: 10.0.0.1@c1, target: "FD00:0::1@c.2", kind: routed}
"""
ONE = "pairs: [{source: cs1, target: cs2, kind: bridge}]"
BOTH = {
    "": "1:1: the file is empty; pairs, starting with 'pairs:'",
    "- a": "1:1: the file holds a list; a mapping, starting with 'pairs:'",
    "pair: []": "1:1: unknown key 'pair'; did you mean 'pairs'?",
    "nodes: {}": "1:1: the file has no 'pairs'; pairs: with lines",
    "pairs: {a: b}": "1:8: a mapping is not a list",
    "pairs: [cs1]": "1:9: 'cs1' is not a mapping",
    "pairs: [{source: cs1, target: cs2}]": "1:9: this has no 'kind'; kind: how",
    ONE.replace("bridge", "fast"): "1:42: unknown kind 'fast'; one of: bridge",
    ONE.replace("}", ", via: lc1}"): "1:55: unknown tunnel 'lc1'; one of: vxlan",
    "apart: []": "1:1: the file has no 'pairs'",
    ONE.replace("cs1", "cs 1"): "1:18: the node name 'cs 1' has a character",
    ONE.replace("cs1", "7"): "1:18: 7 is not text",
    ONE.replace("cs1", "10.0.0.1/24"): "1:18: the node name '10.0.0.1/24' has a character",
    "pairs: []\npairs: []": "2:1: 'pairs' is given a second time",
    "pairs: [": "1:9: not YAML",
}
BESIDE_A_LAB = {
    reference_text(): "6:1: unknown key 'lab'",
    ONE.replace("cs2", "cs9"): "1:31: unknown node 'cs9'",
    ONE.replace("cs2", "cs1"): "1:31: cs1 is paired with itself",
    PAIRS + "  - {source: cs1, target: cs2, kind: bridge}": "4:5: the pair cs1, cs2 is already on line 2",
    ONE.replace("cs1", "con_ns2"): "1:18: con_ns2 has no address",
    ONE.replace("bridge", "routed"): "1:9: ",
}
ALONE = {
    "pairs: []": "1:1: there is no pair; pairs: with lines",
    ONE.replace("cs2", "cs1"): "1:9: cs1 is paired with itself",
    ONE.replace("cs1", "10.0.0.1@-"): "1:18: the node name '-' has a character",
    PAIRS + "  - {source: cs2, target: cs1, kind: bridge}\n": "4:5: cs2 and cs1 are a pair already, on line 2",
}


SIZES = {
    "": (None, ("fragments", "icmp")),
    "mtu: {customers: 1450}": (1450, ("fragments", "icmp", "silence")),
    "mtu: {above: silence}": (None, ("silence",)),
    "mtu: {customers: 1450, above: icmp}": (1450, ("icmp",)),
}


@pytest.mark.parametrize("said", SIZES)
def test_sizes_of_pairs_alone_are_promised_as_in_a_lab(said: str) -> None:
    """For all pairs, segments' too, or in a pair for itself; unsaid, a packet that does not cross is answered."""
    segments = "segments: {red: {kind: bridge, hosts: [a, b]}}"
    own = ONE.replace("}", f", {said}}}") if said else ONE
    for text in (f"{ONE}\n{segments}\n{said}", own):
        found = [pair.mtu for pair in load_pairs_text(text).pairs]
        assert {(one.customers, one.above) for one in found} == {SIZES[said]}


def beside(text: str) -> Fabric:
    """The reference lab with the pairs of a text."""
    return with_pairs_of_text(reference(), text, "e.yaml", (check_pairs,))


def alone(text: str) -> Fabric:
    """The pairs of a text."""
    return load_pairs_text(text, "e.yaml")


@pytest.mark.parametrize(
    ("read", "text", "words"),
    [
        *((read, text, words) for read in (beside, alone) for text, words in BOTH.items()),
        *((beside, text, words) for text, words in BESIDE_A_LAB.items()),
        *((alone, text, words) for text, words in ALONE.items()),
    ],
)
def test_broken_file_is_refused_at_its_place(read: Callable[[str], Fabric], text: str, words: str) -> None:
    """Each problem has a line, a column and what would be right."""
    with pytest.raises(LabError) as caught:
        read(text)
    lines = str(caught.value).splitlines()
    assert any(line.startswith(f"e.yaml:{words}") for line in lines), lines


@pytest.mark.parametrize("read", [beside, alone])
def test_all_problems_are_reported_at_once(read: Callable[[str], Fabric]) -> None:
    """One reading reports every problem of the file."""
    with pytest.raises(LabError) as caught:
        read("lab: x\npairs: [{source: a}, {source: 7, target: cs9, kind: x}]")
    assert len(caught.value.problems) == 5


def test_pairs_of_the_file_replace_the_labs(tmp_path: Path) -> None:
    """The fabric is the lab's, its pairs are the file's, each at its place, and a note says so."""
    path = tmp_path / "expect.yaml"
    path.write_text(PAIRS)
    fabric = with_pairs(reference(), path, (check_pairs,))
    assert [str(pair) for pair in fabric.pairs] == ["cs1-cs2-bridge", "cs5-cs3-hairpin"]
    assert [(pair.where.line, pair.where.column) for pair in fabric.pairs] == [(2, 5), (3, 5)]
    assert (fabric.nodes, fabric.links) == (reference().nodes, reference().links)
    assert fabric.notes == (f"pairs: those of {path}",)
    assert with_pairs_of_text(reference(), "pairs: []").pairs == ()


def test_pairs_alone_are_read_with_names_and_addresses(tmp_path: Path) -> None:
    """The fabric has no nodes; addresses come in one form."""
    path = tmp_path / "mine.yaml"
    path.write_text(UNDECLARED)
    fabric = load_pairs(path)
    assert (fabric.name, fabric.nodes, fabric.links) == ("mine", (), ())
    assert [(p.source, p.target, p.kind, p.where.line) for p in fabric.pairs] == [
        ("c1", "clab-x-leaf.2", "bridge", 2),
        ("10.0.0.1", "fd00::1", "l3-overlay", 3),
        ("10.0.0.1@c1", "fd00::1@c.2", "routed", 4),
    ]


@pytest.mark.parametrize("read", [lambda path: with_pairs(reference(), path), load_pairs])
def test_file_that_cannot_be_read_is_refused(tmp_path: Path, read: Callable[[Path], Fabric]) -> None:
    """A missing file is misuse, and one of more than 1 MiB is not read."""
    with pytest.raises(Misuse, match=r"no such file; a.* file"):
        read(tmp_path / "none.yaml")
    (tmp_path / "long.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(LabError, match="longer than 1 MiB"):
        read(tmp_path / "long.yaml")
