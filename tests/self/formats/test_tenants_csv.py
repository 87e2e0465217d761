"""Tenants files: what is tolerated, and what is refused with its place, all of it at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topology.errors import LabError, Misuse, Position
from topology.formats import tenants_csv
from topology.formats.tenants_csv import read_tenants, read_tenants_text
from topology.formats.text_file import MAX_BYTES
from topology.tenants.rows import TenantRow

GRAMMAR = re.compile(r"my\.csv:[1-9]\d*:[1-9]\d*: [^;\n]+; [^;\n]+")
NAMES = "letters, digits, '_', '.' and '-', and no '.' or '-' in front"

ACCEPTED = {
    "plain": "a,b,Bridge\nc,d,VXLAN\n",
    "without a last line end": "a,b,Bridge\nc,d,VXLAN",
    "spaces": "  a , b ,\tBridge  \n c,\u00a0d\u00a0, VXLAN",
    "any case": "a,b,bRIDGE\nc,d,vxlan",
    "CRLF": "a,b,Bridge\r\nc,d,VXLAN\r\n",
    "CR alone": "a,b,Bridge\rc,d,VXLAN",
    "byte order mark": "\ufeffa,b,Bridge\nc,d,VXLAN\n",
    "byte order mark and comment": "\ufeff# tenants\na,b,Bridge\nc,d,VXLAN\n",
    "header": "source,destination,type\na,b,Bridge\nc,d,VXLAN",
    "header in the assignment's words": "Source container , destination container, TYPE\na,b,Bridge\nc,d,VXLAN",
    "header behind comments": "# x\n\n source, destination, type # y\na,b,Bridge\nc,d,VXLAN",
    "blank lines and comments": "\n   \n# a,b,L3\na,b,Bridge # the first\n\n\t#\nc,d,VXLAN#, L3\n\n",
    "quotes": '"a","b","Bridge"\n "c" , "d" ,"VXLAN" ',
}

REFUSED: dict[str, tuple[str, list[tuple[int, int, str]]]] = {
    "unknown type": ("a,b,VXLANS", [(1, 5, "unknown type 'VXLANS'; did you mean 'VXLAN'?")]),
    "a type that only looks like one": ("a,b,L\uff13", [(1, 5, "unknown type")]),
    "no type": ("a,b,", [(1, 5, "the type is empty; one of: Bridge")]),
    "two cells": ("  a,b", [(1, 3, "a row of 2 cells; source, destination, type, as in: cs1, cs5, VXLAN")]),
    "one cell": ("a b L3", [(1, 1, "a row of 1 cell;")]),
    "four cells": ("a,b,L3, c", [(1, 9, "a row of 4 cells;")]),
    "commas only": (",,", [(1, 1, "the source is empty"), (1, 2, "the destination is empty"), (1, 3, "the type")]),
    "no destination": ("a, ,L3", [(1, 3, "the destination is empty; a node's name")]),
    "quotes around nothing": ('"",b,L3', [(1, 1, "the source is empty")]),
    "space in a name": (
        "a,b c,L3",
        [(1, 3, f"the node name 'b c' has a character that a name cannot have there; {NAMES}")],
    ),
    "slash in a name": ("../a,b,L3", [(1, 1, "the node name '../a' has a character")]),
    "letters of another script": ("a,\u0430,L3", [(1, 3, "has a character")]),
    "open quote": ('"a,b,L3', [(1, 1, "the node name '\"a' has a character")]),
    "comma in quotes": ('"a,b",c,L3', [(1, 1, "the node name 'a,b' has a character")]),
    "long name": (f"a,{'b' * 16},L3", [(1, 3, "has 16 characters; at most 15")]),
    "a node with itself": ("a, a, L3", [(1, 4, "a is paired with itself; two nodes")]),
    "a node with itself in another case": ("cs1,CS1,L3", [(1, 5, "cs1 is paired with itself")]),
    "a row twice": ("a,b,L3\nc,d,L3\nA, B, l3", [(3, 1, "the row A, B, L3 is already on line 1; each pair once")]),
    "a row and its reverse": ("a,b,GRE\n b,a,gre", [(2, 2, "is already on line 1")]),
    "a header further down": ("a,b,L3\nsource,destination,type", [(2, 20, "unknown type 'type'")]),
    "a header of other words": ("from,to,type\na,b,L3", [(1, 9, "unknown type 'type'")]),
    "nothing": ("", [(1, 1, "the file has no rows; source, destination, type")]),
    "a header only": ("source,destination,type\n", [(1, 1, "the file has no rows")]),
    "several": (
        "source,destination,type\r\n# fine\r\n a b ,c-d-e-f-g-h-i-j-k, L4\r\na,b,L3\r\n\r\na,b\r\n",
        [(3, 2, "'a b'"), (3, 7, "has 17 characters"), (3, 26, "unknown type 'L4'"), (6, 1, "a row of 2 cells")],
    ),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_the_same_rows_are_read_however_they_are_typed(name: str) -> None:
    """Spaces, quotes, comments, a header, any line end, a byte order mark and any case of a type are tolerated."""
    found = read_tenants_text(ACCEPTED[name])
    assert found.problems == ()
    assert found.rows == (TenantRow(1, "a", "b", "Bridge"), TenantRow(2, "c", "d", "VXLAN"))


@pytest.mark.parametrize("name", REFUSED)
def test_a_mistake_is_reported_at_its_place_and_nothing_else_is(name: str) -> None:
    """Everything else is refused with file, line and column, and with what would be right; sound rows are kept."""
    text, said = REFUSED[name]
    found = read_tenants_text(text, "my.csv")
    assert [(p.where.line, p.where.column) for p in found.problems] == [(line, column) for line, column, _ in said]
    for problem, (_, _, words) in zip(found.problems, said, strict=True):
        assert words in str(problem)
        assert GRAMMAR.fullmatch(str(problem))


def test_rows_keep_their_numbers_beside_refused_ones() -> None:
    """A row's number, which its key comes from, counts the refused rows too: fixing them renumbers nothing."""
    found = read_tenants_text("a,b,L3\nnonsense\n# x\nc,d,GRE\n")
    assert [row.number for row in found.rows] == [1, 3]


def test_cells_know_their_places() -> None:
    """Each cell of a row has the line and column at which an editor shows it."""
    (row,) = read_tenants_text('source,destination,type\n\n  a ,"b", GRE', "x").rows
    assert (row.source_at, row.target_at, row.type_at) == (
        Position("x", 3, 3),
        Position("x", 3, 6),
        Position("x", 3, 11),
    )
    assert row.where == row.source_at


def test_names_of_refused_rows_are_doubtful() -> None:
    """Nodes of a refused row have no known place; those of a repeated row are where the first puts them."""
    assert read_tenants_text("A,b,L4\nc,d,L3\nd,c,L3\n e").doubtful == {"a", "b", "e"}


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """A missing file and a folder are named so, with what would be right."""
    with pytest.raises(Misuse, match=r"no such file; a CSV file with rows of source, destination, type"):
        read_tenants(tmp_path / "none.csv")
    with pytest.raises(Misuse, match=r"not a file; a CSV file"):
        read_tenants(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a,b,L3\nc,\xff,L3\n", r"my.csv:2:3: the byte 0xff is not UTF-8; text saved as UTF-8"),
        ("a,b,L3\n".encode("utf-16"), r"my.csv:1:1: the byte 0xff is not UTF-8"),
        (b"#" * (MAX_BYTES + 1), "longer than 1 MiB"),
    ],
    ids=["latin", "utf-16", "long"],
)
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    """Bytes that are not UTF-8 get their place; a file without end is not read to its end."""
    path = tmp_path / "my.csv"
    path.write_bytes(content)
    with pytest.raises(LabError, match=words):
        read_tenants(path)


def test_the_number_of_rows_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows beyond the limit are refused at the first one too many."""
    monkeypatch.setattr(tenants_csv, "MAX_ROWS", 2)
    assert read_tenants_text("a,b,L3\nc,d,L3\n").problems == ()
    (problem,) = read_tenants_text("a,b,L3\nc,d,L3\ne,f,L3\ng,h,L3\n", "my.csv").problems
    assert str(problem) == "my.csv:3:1: the file has more than 2 rows; at most 2"


@given(st.text(alphabet=st.sampled_from('ab,"# \t\r\n;L3GRE\ufeff\u00a0\u2028\x00é'), max_size=60))
def test_any_text_is_read_or_refused_with_places_inside_it(text: str) -> None:
    """Each problem of any file is one line of the grammar, at a place that the file has."""
    found = read_tenants_text(text, "my.csv")
    lines = re.split(r"\r\n|\n|\r", text)
    for problem in found.problems:
        assert GRAMMAR.fullmatch(str(problem)) or ";" in text
        assert "\n" not in str(problem)
        assert 1 <= problem.where.column <= len(lines[problem.where.line - 1]) + 1
    assert found.rows or found.problems
