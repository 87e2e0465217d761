"""The page: failures first and open, nothing from outside the record, never a tag that comes from a name."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from reports.record.model import Verdict
from reports.render.page import page
from reports.render.pytest_html_hooks import HtmlHooks
from tests.self.reports.records import record

EVIL = "<script>alert('x')</script>\"& onload=x"
VOID = {"meta", "br", "line", "rect"}


class Reader(HTMLParser):
    """A page as a browser reads it: its tags, their attributes, its text; tags have to be closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.attributes: dict[str, list[str]] = {}
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_names_are_text() -> None:
    """Names of labs, nodes, tests, notes, tables and causes are text wherever they stand."""
    reader = Reader(page(record(EVIL)))
    assert not {"script", "img", "link", "iframe"} & set(reader.tags)
    assert "onload" not in reader.attributes
    assert reader.text.count(EVIL) >= 20


def test_page_needs_nothing_else() -> None:
    """Its links lead to the files beside it and to its own sections."""
    reader = Reader(page(record()))
    assert "src" not in reader.attributes
    assert all(link.startswith("#") or "/" not in link for link in reader.attributes["href"])
    assert "tests.html" in reader.attributes["href"]
    assert "tests.html" not in page(replace(record(), table=None))


def test_failures_come_first_and_open() -> None:
    """The failed test is open, its ladder marks the first divergence, the cause has its fix."""
    made = page(record())
    assert made.index('id="failed"') < made.index('id="passed"')
    assert '<details class="test v-failed" open>' in made
    assert '<details class="test v-passed">' in made
    assert made.count("<td>✗</td>") == 1
    assert made.count('<tr class="bad">') == 1
    reader = Reader(made)
    assert "2 checks: 1 passed, 1 failed" in reader.text
    assert "ip -n lc1 route replace …" in reader.text
    assert "1451-1454 ICMP, MTU 1450" in reader.text


def test_cause_that_was_not_found_is_said() -> None:
    """A divergence without a known cause says so."""
    lost = replace(record().journeys[1], cause=None, causes=[])
    assert "cause not found" in " ".join(Reader(page(replace(record(), journeys=[lost]))).text.split())


def test_page_of_nothing_is_a_page() -> None:
    """A run that was stopped at once has no kernel, no map and no test."""
    bare = replace(record(), kernel=None, lab=None, map=None, tests=[], journeys=[], sizes=[], measurements=[])
    reader = Reader(page(replace(bare, complete=False, summary=dict.fromkeys(Verdict, 0))))
    assert "no kernel was started" in reader.text
    assert "was not completed" in reader.text


def test_page_is_made_without_kernel_guest_or_lab() -> None:
    """Nothing of topology, fixtures, scapy or pytest is loaded for it."""
    code = "import sys, reports.__main__; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert not {"topology", "fixtures", "scapy", "pytest", "pyroute2", "docker"} & set(done.stdout.split())


def test_row_of_pytest_htmls_table_has_no_markup_of_a_name() -> None:
    """pytest-html writes a test's id as it is: the hook puts an escaped one in its place, and the promise before it."""
    report = type("Report", (), {"nodeid": f"tests/x.py::test[{EVIL}]", "promise": EVIL})()
    cells = ["<td>Passed</td>", f"<td>{report.nodeid}</td>", "<td>0.1</td>"]
    HtmlHooks().pytest_html_results_table_row(report, cells)
    assert "<script" not in "".join(cells)
    assert [Reader(cell).text for cell in cells[1:3]] == [EVIL, report.nodeid]
    hidden: list[str] = []
    HtmlHooks().pytest_html_results_table_row(report, hidden)
    assert hidden == []
