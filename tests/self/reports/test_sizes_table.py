"""The table of sizes, on the terminal, on the page and in results.json."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from reports.judge.attempt import Outcome
from reports.judge.mtu import PairMtu
from reports.render.results import SCHEMA_FILE, TestResult, results
from reports.render.sizes import sizes_entries, sizes_html, sizes_table
from tests.self.found import AS_MEASURED, WHOLE, changed, way

PAIR = PairMtu(way(), replace(way([(84, WHOLE), (1426, WHOLE)]), source="cs5", target="cs1"))


def document(entries: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    """A results.json with these sizes."""
    test = TestResult("tests/mtu/x.py::test_it", "It holds.", "passed", 0.1, sizes=entries)
    return results(complete=True, kernel=None, lab=None, tests=[test])


def test_table_has_a_line_for_each_way() -> None:
    """The three results and the computed one, and what becomes of larger packets, in columns."""
    head, out, back = sizes_table(sizes_entries(PAIR))
    assert head.split("  ")[0] == "way"
    assert out.split()[:6] == ["cs1", "->", "cs5", "1426", "1426", "1450"]
    assert "1427-1450 fragments from lc1:gretun-cont out; 1451-1454 ICMP, MTU 1450, in the name of 20.0.0.3" in out
    assert "1455-1500 silence behind con_ns1:bridge1_cs1 in" in out
    assert "1501" not in out
    assert back.endswith("-")
    assert {line.index("1426") for line in (out, back)} == {head.index("whole")}


def test_no_sizes_make_no_table() -> None:
    """A run without such tests has no table."""
    assert sizes_table([]) == []


def test_way_on_which_nothing_arrives_has_no_sizes() -> None:
    """What was not reached has no entry."""
    gone = replace(way([], []), reached=False)
    assert [entry["source"] for entry in sizes_entries(PairMtu(gone, PAIR.back))] == ["cs5"]


def test_results_have_the_sizes_as_the_schema_says() -> None:
    """Each way's entry is valid, and what became of each zone can be read off it."""
    entries = sizes_entries(PAIR)
    found = document(entries)
    jsonschema.validate(found, json.loads(SCHEMA_FILE.read_text()))
    forged = found["sizes"][0]["zones"][2]
    assert (forged["first"], forged["last"], forged["fate"], forged["mtu"], forged["forged"]) == (
        1451,
        1454,
        "icmp",
        1450,
        True,
    )


@pytest.mark.parametrize("key", ["whole", "zones", "computed", "promised"])
def test_schema_refuses_sizes_that_lack_something(key: str) -> None:
    """An entry without one of its keys is noticed."""
    broken = tuple({name: value for name, value in entry.items() if name != key} for entry in sizes_entries(PAIR))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document(broken), json.loads(SCHEMA_FILE.read_text()))


def test_sizes_seen_by_two_workers_are_told_once() -> None:
    """The same way, found twice in the same state, is one entry; found otherwise it is two."""
    other = way(changed(AS_MEASURED, {1426: Outcome("silence", "lc1", "lc1:x out")}))
    same, more = (
        document(sizes_entries(PAIR) * 2),
        document(sizes_entries(PAIR) + sizes_entries(PairMtu(other, PAIR.back))),
    )
    assert len(same["sizes"]) == 2
    assert len(more["sizes"]) == 3


def test_page_escapes_what_it_shows() -> None:
    """Names are text on the page, whatever they are."""
    shown = sizes_html(PairMtu(replace(PAIR.out, source="<b>"), PAIR.back))
    assert "&lt;b&gt; -&gt; cs5" in shown
    assert "<b>" not in shown
    assert shown.count("<tr>") == 3
