"""A lab file is untrusted: whatever it holds, it loads or is refused, soon and in one way."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.self.draws import draws
from tests.self.formats.broken_labs import REFERENCE
from topology.errors import LabError
from topology.formats import lab_checks
from topology.formats.lab import LABS, load_lab, load_lab_text
from topology.formats.text_file import MAX_BYTES
from topology.formats.yaml_positions import MAX_DEPTH, locate, parse
from topology.model import Fabric

KNOWN = [(LABS / f"{name}.yaml").read_text() for name in ("geneve", "vlan-trunk", "vxlan-only")]
TEXTS = st.sampled_from([REFERENCE, *KNOWN])
SCRAPS = st.sampled_from([*"'\"[]{}:,-?|%#\\\t\n\x00\x85\u2028"]) | st.sampled_from(
    [": ", "- ", "&a ", "*a", "!!x ", "|\n", "\n ", "<<: ", "0", "-1", "~", "1.5", "0x1F", "null", "default"]
)
SPLICE = st.tuples(st.integers(0, len(REFERENCE)), st.integers(0, 12), SCRAPS | st.text(max_size=3))


def outcome(text: str) -> Fabric | LabError:
    """The fabric, or the one error that a text may end in."""
    try:
        return load_lab_text(text)
    except LabError as error:
        return error


@settings(max_examples=draws(10))
@given(TEXTS, st.lists(SPLICE, min_size=1, max_size=3))
def test_a_lab_with_scraps_in_it_loads_or_is_refused(text: str, splices: list[tuple[int, int, str]]) -> None:
    """Characters lost and scraps put in never end in anything but a fabric or problems with places."""
    for start, length, scrap in splices:
        text = text[:start] + scrap + text[start + length :]
    found = outcome(text)
    if isinstance(found, LabError):
        assert found.problems
        assert all(len(line) < 500 and line.startswith("<lab>:") for line in str(found).splitlines())
        assert all(1 <= problem.where.line <= len(text) + 1 for problem in found.problems)


@settings(max_examples=draws(8))
@given(TEXTS, st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), min_size=1, max_size=4))
def test_a_lab_with_lines_moved_loads_or_is_refused(text: str, moves: list[tuple[int, int]]) -> None:
    """Lines in the wrong place never end in anything but a fabric or problems."""
    lines = text.splitlines(keepends=True)
    for source, target in moves:
        lines.insert(target, lines.pop(source % len(lines)))
    assert isinstance(outcome("".join(lines)), Fabric | LabError)


@settings(max_examples=draws(50))
@given(st.text(max_size=60) | st.lists(SCRAPS, max_size=12).map("".join))
def test_any_text_is_refused_as_a_lab(text: str) -> None:
    """Text that is no lab is a LabError, whatever it is."""
    assert isinstance(outcome(text), LabError)


def test_an_alias_bomb_is_refused() -> None:
    """Aliases of aliases are counted, not expanded."""
    levels = [f"k{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    with pytest.raises(LabError, match="too many values"):
        load_lab_text("\n".join(["k0: &a0 [1, 2, 3]", *levels]))


def test_aliases_cannot_nest_deeper_than_brackets() -> None:
    """The depth of what an alias stands for counts too."""
    levels = [f"k{n}: &a{n} [*a{n - 1}]" for n in range(1, MAX_DEPTH + 1)]
    with pytest.raises(LabError, match="nested too deeply"):
        load_lab_text("\n".join(["k0: &a0 [1]", *levels]))


def test_an_alias_cannot_contain_itself() -> None:
    """A value that would hold itself is refused."""
    with pytest.raises(LabError, match="names no value that ends before it"):
        load_lab_text("a: &a [*a]")


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? ", "[{a: "])
def test_depth_is_bounded(opening: str) -> None:
    """Ten thousand brackets end at the bound, not in a recursion."""
    with pytest.raises(LabError, match=r"nested too deeply|maximum nesting depth"):
        load_lab_text(opening * 10_000)


def test_size_is_bounded(tmp_path: Path) -> None:
    """A file of more than 1 MiB is not read to its end."""
    long = tmp_path / "long.yaml"
    long.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(LabError, match="longer than 1 MiB"):
        load_lab(long)
    with pytest.raises(LabError, match="longer than 1 MiB"):
        load_lab_text("#" * (MAX_BYTES + 1))


def test_the_number_of_nodes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lab with too many nodes is refused."""
    monkeypatch.setattr("topology.formats.lab_schema.MAX_NODES", 3)
    nodes = "".join(f"  n{n}: {{role: leaf}}\n" for n in range(4))
    with pytest.raises(LabError, match="<lab>:3:3: the lab has 4 nodes; at most 3"):
        load_lab_text(f"lab: many\nnodes:\n{nodes}")


def test_the_number_of_problems_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search for problems is limited."""
    monkeypatch.setattr(lab_checks, "MAX_PROBLEMS", 5)
    with pytest.raises(LabError) as caught:
        load_lab_text(REFERENCE.replace("source: cs", "source: xs"))
    assert len(caught.value.problems) == 5


def test_bytes_that_are_not_utf8_are_placed(tmp_path: Path) -> None:
    """A byte of another encoding is reported at its line and column."""
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("lab: x\ntitle: caf\u00e9\n".encode("latin-1"))
    with pytest.raises(LabError, match=r"latin.yaml:2:11: the byte 0xe9 is not UTF-8; text saved as UTF-8"):
        load_lab(latin)


@pytest.mark.parametrize(
    "old", ["lc1:lc1_sc1", "source: cs1", "lc1_sc1: 25", "dev: br1_lc1", "bridge1_cs1, b", "gretun-cont:"]
)
def test_text_of_the_file_cannot_forge_a_line_of_the_report(old: str) -> None:
    """A line break or a page of text in a name stays inside one short message."""
    for scrap in ("\\nmine.yaml:1:1: all is well", "x" * 5000):
        head, colon, tail = old.partition(": ")
        name = f'"{old}{scrap}"' if not colon else f'"{head}{scrap}": {tail}'
        for text in (REFERENCE.replace(old, name), REFERENCE.replace(old, f'{head}: "{tail}{scrap}" #')):
            found = outcome(text)
            assert isinstance(found, LabError)
            lines = str(found).splitlines()
            assert len(lines) == len(found.problems)
            assert all(line.startswith("<lab>:") and len(line) < 500 for line in lines)


def test_numbers_are_read_as_yaml_1_2_reads_them() -> None:
    """Octal and hexadecimal have their prefixes, a leading zero is nothing special, quotes make text."""
    tree, problems = parse("a: [0x1F, 0o17, 017, -3, '3', yes, true, ~, 1.5]", "x")
    assert tree.plain() == {"a": [31, 15, 17, -3, "3", "yes", True, None, "1.5"]}
    assert problems == []
    assert str(locate(tree, ("a", 1))) == "x:1:11"
