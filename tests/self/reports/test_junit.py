"""JUnit's file, as its readers take it."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from reports.record.exhibits import Cause
from reports.record.model import Record, Test, Verdict
from reports.render.junit import TEXT_MAX, TEXTS_MAX, junit
from tests.self.hostile import HOSTILE, HOSTILE_RAW
from tests.self.reports.records import record
from tests.self.reports.test_summary import ROUTE, result

SCHEMA = {
    "testsuites": ({"testsuite"}, {"name", "time", "tests", "failures", "errors"}, set[str]()),
    "testsuite": (
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
        {"name", "tests", "failures", "errors", "time", "skipped", "timestamp", "hostname", "id", "package"},
        {"name", "tests", "failures", "errors"},
    ),
    "properties": ({"property"}, set[str](), set[str]()),
    "property": (set[str](), {"name", "value"}, {"name", "value"}),
    "testcase": (
        {"skipped", "error", "failure", "system-out", "system-err"},
        {"name", "time", "classname", "group"},
        {"name"},
    ),
    **{name: (set[str](), {"type", "message"}, set[str]()) for name in ("failure", "error", "skipped")},
    "system-out": (set[str](), set[str](), set[str]()),
}
"""Children, attributes, and required attributes of an element in junit-10.xsd of Jenkins' xunit plugin."""
TIME = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]{0,3})?")


def faults(element: ElementTree.Element) -> list[str]:
    """What the schema has against an element and those in it."""
    children, attributes, required = SCHEMA[element.tag]
    inside = {child.tag for child in element}
    found = [f"{element.tag}: {word}" for word in sorted(inside - children | set(element.keys()) - attributes)]
    found += [f"{element.tag}: no {word}" for word in sorted(required - set(element.keys()))]
    if not TIME.fullmatch(element.get("time", "")):
        found.append(f"{element.tag}: time {element.get('time')}")
    return [*found, *(fault for child in element for fault in faults(child) if child.tag in SCHEMA)]


def of(*tests: Test, complete: bool = True) -> ElementTree.Element:
    """The suite of a run with these tests."""
    named = [replace(test, id=f"tests/a/test_b.py::test_c[{n}]") for n, test in enumerate(tests)]
    (suite,) = ElementTree.fromstring(junit(replace(record(), tests=named, journeys=[], complete=complete)))
    return suite


EVERY = [result(verdict, "l1 - x - expected a - seen b\nmore", cause=ROUTE) for verdict in Verdict]


@pytest.mark.parametrize("run", [record(), record(HOSTILE_RAW), replace(record(), complete=False, lab=None, tests=[])])
def test_the_file_is_as_the_schema_says(run: Record) -> None:
    """Whatever is in the record; a schema's rule that is broken is found."""
    assert faults(ElementTree.fromstring(junit(run))) == []
    assert faults(of(*EVERY)) == []
    wrong = ElementTree.fromstring("<testcase time='1e3'><properties/><failure line='1'/></testcase>")
    assert len(faults(wrong)) == 4


def test_a_failures_first_line_is_its_cause() -> None:
    """Then what it is about, each as ``key: value``; the message and the ladder below."""
    (case,) = of(
        result("failed", "l1 - x - expected a - seen b\nladder", cause=ROUTE, promise="It holds.", pair="a-b")
    )[1:]
    failure, out = case
    lines = (failure.text or "").split("\n")
    assert lines[:6] == [
        "cause: lc2 - route 21.0.0.0/24 dev gretun-cont missing",
        "node: lc2",
        "check: test_c",
        "verdict: failed",
        "pair: a-b",
        "promise: It holds.",
    ]
    assert f"fix: {ROUTE.fix}" in lines
    assert "also: " not in (failure.text or "")
    assert lines[-1] == "ladder"
    assert (out.text or "").split("\n")[:3] == lines[:3]
    assert failure.get("message") == "failed: l1 - x - expected a - seen b"
    assert (case.get("classname"), case.get("name")) == ("tests.a.test_b", "test_c[0]")


def test_each_verdict_has_its_element() -> None:
    """What could not be established is an error, what was not proven is skipped; the counts say the same."""
    suite = of(*EVERY)
    assert [[child.tag for child in case][:1] for case in suite[1:]] == [
        [], ["failure"], ["error"], ["error"], ["skipped"], ["skipped"]
    ]  # fmt: skip
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["6", "1", "2", "2"]
    lost = of(complete=False)
    assert (lost.get("errors"), lost[-1][0].get("message")) == ("1", "the run was not completed")


def test_the_suite_names_each_cause_once() -> None:
    """As properties: the cause, its node, and the checks that it broke."""
    other = Cause("link", "lc1", None, "up", "down", "")
    suite = of(*[result("failed", cause=ROUTE)] * 2, result("errored", cause=other), result("passed"))
    found = {one.get("name"): one.get("value") for one in suite[0]}
    assert (found["node 1"], found["node 2"], found["check 1"]) == ("lc2", "lc1", "test_c")
    assert "cause 3" not in found


def test_the_same_run_has_the_same_names() -> None:
    """Every test has one of its own."""
    names = [[(case.get("classname"), case.get("name")) for case in of(*EVERY)[1:]] for _ in range(2)]
    assert names[0] == names[1]
    assert len(set(names[0])) == len(EVERY)


def test_a_hostile_name_is_text() -> None:
    """Control and direction characters are shown, markup is escaped."""
    content = junit(record(HOSTILE_RAW))
    assert b"<img" not in content
    texts = "".join(ElementTree.fromstring(content).itertext())
    assert HOSTILE in texts
    assert texts.replace("\n", "").isprintable()


def test_a_large_run_stays_within_the_limits_of_readers() -> None:
    """GitLab reads at most 30 MB and 250 000 objects."""
    bad = result("failed", HOSTILE_RAW * 50, promise=HOSTILE_RAW, cause=ROUTE)
    suite = of(*[bad] * 400, *[result("passed", promise="x" * 300)] * 1_000)
    sizes = [len(child.text or "") for case in suite[1:401] for child in case]
    assert max(sizes) <= TEXT_MAX
    assert sum(sizes) <= 2 * TEXTS_MAX
    assert len(ElementTree.tostring(suite)) < 30_000_000
    assert sum(1 for _ in suite.iter()) < 250_000 / 10
