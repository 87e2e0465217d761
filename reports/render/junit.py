"""JUnit's file: for readers that show a failure's text and neither its message nor the properties of a test. Pure.

The elements and attributes are those of Jenkins' schema junit-10.xsd: a test has no properties there, so what explains
it is in its text, in ``system-out``, and once for each cause in the properties of the suite.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from xml.etree import ElementTree

from reports.record.exhibits import Journey
from reports.record.model import Record, Test, Verdict
from reports.render.groups import AGAINST, cause_words, reason
from reports.render.ladder import ladder_lines, said
from reports.render.summary import outcome
from reports.words import grouped, plain

TEXT_MAX, TEXTS_MAX = 16_000, 5_000_000
"""Characters of one test's text and of all: GitLab reads at most 30 MB, and a character may take four bytes."""
CAUSES_MAX = 100
"""Causes in the properties of the suite."""
ELEMENTS = {Verdict.FAILED: "failure", Verdict.ERRORED: "error", Verdict.UNSTABLE: "error"}
"""Elements of verdicts; the others that a test did not pass with are ``skipped``."""
Pairs = Sequence[tuple[str, str]]


def junit(record: Record) -> bytes:
    """The file of a run; the same tests have the same names in every run."""
    root = ElementTree.Element("testsuites", _counts(record))
    more = {"skipped": str(_skipped(record)), "timestamp": _timestamp(record.started)}
    suite = ElementTree.SubElement(root, "testsuite", _counts(record) | more)
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in _properties(record):
        ElementTree.SubElement(properties, "property", name=name, value=plain(value))
    journeys = {journey.test: journey for journey in reversed(record.journeys) if not journey.passed}
    texts = sum(test.verdict is not Verdict.PASSED for test in record.tests)
    room = min(TEXT_MAX, TEXTS_MAX // max(1, texts))
    for test in record.tests:
        _add(suite, test, journeys.get(test.id), room)
    if not record.complete:
        case = ElementTree.SubElement(suite, "testcase", classname="hopcheck", name="the run is complete", time="0")
        ElementTree.SubElement(case, "error", message="the run was not completed").text = "cause: it was interrupted"
    return bytes(ElementTree.tostring(root, "utf-8", xml_declaration=True))


def _counts(record: Record) -> dict[str, str]:
    kinds = Counter(ELEMENTS.get(test.verdict, "") for test in record.tests)
    errors = kinds["error"] + (not record.complete)
    seconds = sum(test.seconds for test in record.tests)
    every = len(record.tests) + (not record.complete)
    return {
        "name": "hopcheck",
        "tests": str(every),
        "failures": str(kinds["failure"]),
        "errors": str(errors),
        "time": f"{seconds:.3f}",
    }


def _skipped(record: Record) -> int:
    return sum(test.verdict in (Verdict.NOT_PROVEN, Verdict.NOT_APPLICABLE) for test in record.tests)


def _timestamp(started: str) -> str:
    """The time of a record, as ISO 8601."""
    return started.removesuffix(" UTC").replace(" ", "T")


def _properties(record: Record) -> Iterator[tuple[str, str]]:
    """The run, and each cause with its node and the checks that it broke."""
    yield "outcome", outcome(record.tests, record.complete)
    if record.lab:
        yield "lab", f"{record.lab.name} ({record.lab.file})"
    if record.kernel:
        yield "kernel", str(record.kernel)
    broken = grouped((test for test in record.tests if test.verdict in AGAINST), reason)
    for number, (why, tests) in enumerate(list(broken.items())[:CAUSES_MAX], 1):
        yield f"cause {number}", why
        if cause := tests[0].cause:
            yield f"node {number}", cause.node
        yield f"check {number}", ", ".join(dict.fromkeys(_name(test).partition("[")[0] for test in tests))


def _name(test: Test) -> str:
    return test.id.partition("::")[2] or test.id


def _add(suite: ElementTree.Element, test: Test, journey: Journey | None, room: int) -> None:
    path = test.id.partition("::")[0].removesuffix(".py").replace("/", ".")
    case = ElementTree.SubElement(
        suite, "testcase", classname=plain(path), name=plain(_name(test)), time=f"{test.seconds:.3f}"
    )
    if test.verdict is Verdict.PASSED:
        return
    first = said(test.message).partition("\n")[0]
    element = ELEMENTS.get(test.verdict, "skipped")
    shown = ElementTree.SubElement(case, element, message=plain(f"{test.verdict}: {first[:room]}"))
    keys = "\n".join(f"{key}: {plain(value[:room])}" for key, value in _keys(test))
    shown.text = plain("\n".join([keys, "", *_evidence(test, journey)])[:room], kept="\n")[:room]
    if test.verdict in AGAINST:
        ElementTree.SubElement(case, "system-out").text = keys[:room]


def _keys(test: Test) -> Pairs:
    """What explains a test, the cause first."""
    cause = test.cause
    why = reason(test) if test.verdict in AGAINST else test.message.partition("\n")[0]
    found = [("cause", why), ("node", cause.node if cause else ""), ("check", _name(test).partition("[")[0])]
    found += [("verdict", str(test.verdict)), ("pair", test.pair), ("promise", test.promise)]
    for number, one in enumerate(test.named):
        found += [("also", cause_words(one))] if number else []
        found += [("show", one.show), ("fix", one.fix)]
    return [(key, value) for key, value in found if value]


def _evidence(test: Test, journey: Journey | None) -> Iterable[str]:
    """The message, and the ladder unless it is in there."""
    yield said(test.message)
    lines = ladder_lines(journey) if journey else []
    if lines and lines[0] not in test.message:
        yield from lines
