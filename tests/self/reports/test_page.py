"""The page: failures first and open, nothing from outside the record, never a tag that comes from a name."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from reports.record.model import Test, Verdict
from reports.render.page import page
from reports.render.pytest_html_hooks import HtmlHooks
from tests.self.reports.records import record

EVIL = "<script>alert('x')</script>\"& onload=x"
VOID = {"meta", "br", "path", "rect", "circle", "input"}


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
    """Names of labs, nodes, tests, notes, tables and causes are text wherever they stand; the one script is ours."""
    reader = Reader(page(record(EVIL)))
    assert reader.tags.count("script") == 1
    assert not {"img", "link", "iframe"} & set(reader.tags)
    assert not {name for name in reader.attributes if name.startswith("on") or name in ("style", "src")}
    assert reader.text.count(EVIL) >= 20
    assert all(re.fullmatch(r"j\d+|fabric|tests|fragments|silence", name) for name in reader.attributes["id"])


def test_control_and_direction_characters_are_shown() -> None:
    """A name can neither turn the writing around nor reach a terminal that shows the page's source."""
    made = page(record("a\x1b[31m\u202eb\u200b"))
    assert "a\\x1b[31m\\u202eb\\u200b" in made
    assert not {"\x1b", "\u202e", "\u200b"} & set(made)


def test_policy_names_style_and_script_by_their_digests() -> None:
    """A browser loads nothing, and runs nothing but what stands in the page."""
    made = page(record())
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', made)
    assert policy
    rules = html.unescape(policy[1]).split("; ")
    for tag in ("style", "script"):
        inside = made.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in rules
    assert {"default-src 'none'", "base-uri 'none'", "form-action 'none'"} <= set(rules)
    assert "unsafe" not in policy[1]


def test_page_needs_nothing_else() -> None:
    """Its links lead to the files beside it and to its own sections."""
    reader = Reader(page(record()))
    assert "src" not in reader.attributes
    assert all(link.startswith("#") or "/" not in link for link in reader.attributes["href"])
    assert "tests.html" in reader.attributes["href"]
    assert "tests.html" not in page(replace(record(), table=None))


def test_failures_come_first_and_open() -> None:
    """The cause comes first, with its fix; the failed test is open below it, and its ladder marks the divergence."""
    made = page(record())
    reader = Reader(made)
    assert made.index('class="is"') < made.index("test v-failed") < made.index("test v-passed")
    opened = re.findall(r'<details class="(?:test|leg)[^>]* open>', made)
    assert [re.sub(r" (?:data|id).*", "", tag) for tag in opened] == [
        '<details class="test v-failed"',
        '<details class="leg broken"',
    ]
    assert made.count('<li class="bad') == 1
    assert "Repair ece792: route 28.0.0.0/24 missing" in reader.text
    assert "2 checks: 1 passed, 1 failed" in reader.text
    assert "ip -n lc1 route replace …" in reader.text
    assert "1451-1454 ICMP, MTU 1450" in reader.text


def test_capture_is_opened_with_the_declared_ports() -> None:
    """Wireshark knows no other ports than the assigned ones; the page says how it is told the lab's."""
    made = record()
    assert made.lab is not None
    told = replace(made, lab=replace(made.lab, udp_ports={"vxlan": [4900], "geneve": [6081, 7000]}))
    decoded = "-d udp.port==4900,vxlan -d udp.port==6081,geneve -d udp.port==7000,geneve"
    assert f"wireshark {decoded} capture.pcapng" in Reader(page(told)).text


def test_page_of_a_run_without_a_capture_leads_to_none() -> None:
    """That of tests which other machines have run; their journeys are there."""
    assert "failed-1.pcapng" in page(record())
    assert ".pcapng" not in page(record(), captures=False)


def test_tests_of_one_cause_stand_below_it_once() -> None:
    """Each cause is said once, whatever it broke; a test that shows another one's journey does not repeat it."""
    made = record()
    cause = made.tests[1].cause
    again = replace(made.tests[1], id="tests/c/d.py::u", verdict=Verdict.NOT_PROVEN, message=f"no underlay: {cause}")
    shown = page(replace(made, tests=[*made.tests, again]))
    assert ">no underlay</pre>" in shown
    assert shown.count('class="is"') == 1
    assert "1 not proven because of it" in shown
    assert shown.count('class="leg') == len(made.journeys)


def test_journey_that_shows_the_cause_is_opened_first() -> None:
    """A packet that was seen and is wrong says more than one that is missing; at the cause's node it says most."""
    made = record()
    good, lost = made.tests
    missing, silent = made.journeys[1].first_wrong, made.journeys[1]
    assert missing is not None
    seen = [replace(rung, seen="ipv4") if rung is missing else rung for rung in silent.ladder]
    there = [replace(rung, node="ece792") if rung.wrong else rung for rung in seen]
    more = [(replace(lost, id=f"tests/b.py::{name}"), name) for name in ("seen", "there")]
    journeys = [replace(silent, test=one.id, ladder=seen if name == "seen" else there) for one, name in more]
    shown = page(replace(made, tests=[good, lost, *(one for one, _ in more)], journeys=[silent, *journeys]))
    order = [shown.index(f'"id">{name}<') for name in ("tests/b.py::there", "tests/b.py::seen", lost.id)]
    assert order == sorted(order)


def test_state_of_a_node_shows_what_differs() -> None:
    """Expected beside found, also where that is the cause in the heading above."""
    made = record()
    known = made.tests[1].named
    shown = page(replace(made, states=[replace(made.states[0], differences=known)]))
    assert f"<td>{known[0].declared}</td><td>{known[0].live}</td>" in shown


def test_explanations_beside_a_cause_do_not_say_what_to_repair() -> None:
    """The less likely ones of a ranked list come last, closed, and no node is marked for them."""
    made = record()
    one = made.tests[1]
    assert one.cause
    other = replace(one.cause, node="s1", declared="x", fix="y")
    shown = page(replace(made, tests=[made.tests[0], replace(one, causes=[one.cause, other])]))
    assert "Repair ece792: route" in shown
    assert "1 less likely explanation" in shown
    assert shown.count("repair here</title>") == 1


def test_what_does_not_apply_is_said_in_the_head_alone() -> None:
    """Each reason once, with its number, and no test of it as a box."""
    made = record()
    odd = [Test(f"tests/x/y.py::t{n}", "Odd.", Verdict.NOT_APPLICABLE, 0, "no such thing") for n in range(3)]
    reader = Reader(page(replace(made, tests=[*made.tests, *odd])))
    assert reader.text.count("no such thing (3)") == 1
    assert "Odd." not in reader.text


def test_cause_that_was_not_found_is_said() -> None:
    """A divergence without a known cause says so."""
    made = record()
    lost = replace(made.journeys[1], cause=None, causes=[])
    failed = replace(made.tests[1], cause=None)
    shown = page(replace(made, journeys=[lost], tests=[made.tests[0], failed]))
    words = " ".join(Reader(shown).text.split())
    assert "cause not found: " in words
    assert "stands above" not in words
    with_one = page(replace(made, tests=[*made.tests, replace(failed, id="tests/c.py::t")]))
    assert "It may be an effect of the causes above" in " ".join(Reader(with_one).text.split())


def test_where_commands_are_typed_is_said_of_a_fabric_that_is_gone() -> None:
    """A fabric that was adopted, or kept, is where its user knows it."""
    for removed in (True, False):
        words = " ".join(Reader(page(replace(record(), removed=removed))).text.split())
        assert ("built it in a microVM, and removed it at its end" in words) is removed


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
