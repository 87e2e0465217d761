"""The end of a run on a terminal."""

from __future__ import annotations

from dataclasses import replace

from reports.record.append import cause_of, journey_of
from reports.record.exhibits import Journey
from reports.render.ending import MESSAGE_MAX, ending, first_failure
from reports.words import plain
from tests.self.builders import expect, leg, reference, seen_path
from tests.self.hostile import HOSTILE_RAW
from tests.self.reports.records import CAUSE, record
from tests.self.reports.test_summary import ROUTE, result

LINES_MAX = 25
FOUND = cause_of(CAUSE)


def lost(hops: int = 6) -> Journey:
    """A journey that ends behind some hops, for a known cause."""
    expected = expect(reference(), "cs1", "cs5")
    found = leg(expected, seen_path(reference(), expected.paths[0])[:hops])
    return replace(journey_of(found, "a"), causes=[FOUND], cause=FOUND)


def test_causes_come_first_then_the_ladder_then_the_counts() -> None:
    """One broken route that 40 checks need takes at most 25 lines."""
    tests = [result("failed", cause=FOUND, pair="a-b"), *[result("not proven", cause=FOUND)] * 40, result("passed")]
    run = replace(record(), tests=tests, journeys=[lost()], warnings=[], faults=[])
    lines = list(ending(run, ["report: x", "results: y", "capture: z"]))
    texts = [line.text for line in lines]
    assert len(lines) <= LINES_MAX
    assert texts[0] == "cause: lc1 - route 28.0.0.0/24 missing: 1 failed, 40 not proven"
    assert texts[1].startswith("  fix: ip -n lc1")
    ladder = texts.index(next(text for text in texts if "first divergence at" in text))
    counts = texts.index("42 checks: 1 passed, 1 failed, 40 not proven")
    assert 0 < ladder < counts
    assert texts[-3:] == ["report: x", "results: y", "capture: z"]
    assert {line.tone for line in lines} == {"cause", "", "good", "bad"}


def test_a_ladder_is_cut_to_what_is_around_the_divergence() -> None:
    """The hops before the last two good ones are counted, and so are those behind it."""
    run = replace(record(), tests=[result("failed", cause=FOUND)], journeys=[lost()])
    lines = list(first_failure(run))
    assert [line.tone for line in lines] == ["", "good", "good", "good", "bad", "bad", ""]
    assert lines[1].text.split()[:3] == ["ok", "4", "hops"]
    assert lines[4].text.startswith(">>>>")
    assert lines[-1].text.split()[:2] == ["not", "seen"]
    assert lines[-1].text.endswith(" hops)")
    (nowhere,) = {line.tone for line in first_failure(replace(run, journeys=[lost(0)]))} - {""}
    assert nowhere == "bad"


def test_a_failure_without_a_ladder_shows_its_message() -> None:
    """Cut, and only where it says more than its cause's line."""
    long = "\n".join(map(str, range(MESSAGE_MAX + 3)))
    run = replace(record(), tests=[result("errored", long)], journeys=[])
    lines = [line.text for line in first_failure(run)]
    assert lines == [*map(str, range(MESSAGE_MAX)), "… and 3 more lines: -v shows all"]
    for quiet in (result("errored", "one line"), result("not proven", long), result("passed")):
        assert list(first_failure(replace(run, tests=[quiet]))) == []


def test_the_ladder_is_the_first_causes() -> None:
    """Not that of another cause, though its journey was recorded before."""
    tests = [result("failed", cause=FOUND), result("not proven", cause=ROUTE)]
    other = replace(lost(2), causes=[ROUTE], test="b")
    run = replace(record(), tests=tests, journeys=[other, lost()])
    assert next(first_failure(run)).text == next(first_failure(replace(run, journeys=[lost()]))).text
    assert list(first_failure(replace(run, journeys=[other]))) == []


def test_the_ladder_is_the_one_that_shows_most() -> None:
    """Of two journeys of one cause the one with a packet that is wrong, not the one where it is missing."""
    missing = lost()
    shown = [replace(rung, seen="ipv4") if rung is missing.first_wrong else rung for rung in missing.ladder]
    run = replace(record(), tests=[result("failed", cause=FOUND)], journeys=[missing, replace(missing, ladder=shown)])
    assert any(line.text.endswith(" ipv4") for line in first_failure(run))


def test_a_hostile_name_is_text() -> None:
    """Once escaped, no line moves the cursor, changes colours or turns the direction of what follows."""
    texts = [plain(line.text) for line in ending(record(HOSTILE_RAW))]
    assert all(text.isprintable() for text in texts)
    assert any("\\x1b[31m\\u202eevil" in text for text in texts)
