"""Measurements as tables: on the terminal, on the page, in the results."""

from __future__ import annotations

from dataclasses import replace

from reports.render.measurements import (
    Measurement,
    measurement_entry,
    measurement_html,
    measurement_lines,
    words_of_the_run,
)

FOUND = Measurement(
    "rates <of> paths", ("path", "Mbit/s"), (("veth", "100.0"), ("vxlan", "9.5")), ("so & so",), {"n": 6}
)


def test_terminal_has_aligned_columns() -> None:
    """Title, head, rows under each other, then the words."""
    assert list(measurement_lines([measurement_entry(FOUND)])) == [
        "",
        "rates <of> paths",
        "  path   Mbit/s",
        "  veth   100.0",
        "  vxlan  9.5",
        "  so & so",
    ]


def test_results_have_rows_by_column_and_the_data() -> None:
    """Each row is a mapping, beside the words and what is behind them."""
    assert measurement_entry(FOUND) == {
        "title": "rates <of> paths",
        "of_the_run": False,
        "rows": [{"path": "veth", "Mbit/s": "100.0"}, {"path": "vxlan", "Mbit/s": "9.5"}],
        "words": ["so & so"],
        "data": {"n": 6},
    }


def test_head_of_the_page_says_what_is_of_the_whole_run() -> None:
    """Only what is said of the run stands there, in the order of the tests."""
    entries = [measurement_entry(found) for found in (FOUND, replace(FOUND, words=("slow", "why"), of_the_run=True))]
    assert words_of_the_run(entries) == ["slow", "why"]


def test_page_is_escaped() -> None:
    """Nothing that was measured can be taken for HTML; a measurement without rows has no table."""
    page = measurement_html(FOUND)
    assert "rates &lt;of&gt; paths" in page
    assert "<td>100.0</td>" in page
    assert "so &amp; so" in page
    assert "<table" not in measurement_html(Measurement("t", (), (), ("words",)))
    assert list(measurement_lines([measurement_entry(Measurement("t", ("a",), ()))])) == ["", "t"]
