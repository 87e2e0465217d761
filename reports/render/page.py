"""The page of a run: one HTML file without outside resources, made of the record alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from operator import attrgetter

from jinja2 import Environment

from reports.history import trend_words
from reports.record.exhibits import Exhibits, Journey
from reports.record.model import Record, Test, Verdict, is_good
from reports.render.captures import own_captures
from reports.render.fabric import answers, draw, unanswered
from reports.render.faults import HEAD, SIDES, SIGNS, matrix, misses
from reports.render.frame import environment, frame
from reports.render.groups import AGAINST, Group, by_cause, reasons, suite
from reports.render.ladder import headline, headline_of, said, telling
from reports.render.summary import NO_PAIRS, outcome, pairs
from reports.render.tables import SIZES_HEAD, STATE_HEAD, sizes_row, state_row
from reports.render.trends import trended
from reports.words import grouped

PAGE = "report.html"
PAIRS_MAX = 24
"""Declared pairs that are named; more are counted."""
GLYPHS = {
    Verdict.FAILED: "✗",
    Verdict.ERRORED: "!",
    Verdict.UNSTABLE: "≈",
    Verdict.NOT_PROVEN: "?",
    Verdict.PASSED: "✓",
    Verdict.NOT_APPLICABLE: "–",
}
"""The verdicts in the order of the page, each with a sign that needs no colour."""


@dataclass(frozen=True)
class Shown:
    """A test with its exhibits, its own journeys by number, and the numbers of all whose way it is about."""

    test: Test
    exhibits: Exhibits
    journeys: Mapping[int, Journey]
    ways: Sequence[int]

    @property
    def words(self) -> str:
        """The test's message, without the word that pytest puts in front of a failed assertion."""
        return said(self.test.message)

    @property
    def headline(self) -> str:
        """The first line of it, without the cause, under which the test stands."""
        line = headline(self.words)
        return next((line.removesuffix(f": {cause}") for cause in self.test.named), line)

    @property
    def told(self) -> bool:
        """True where a ladder says all that the first line of the message says."""
        broken = [journey for journey in self.journeys.values() if not journey.passed]
        return any(words in self.headline for each in broken for words in (headline_of(each), headline(each.message)))

    @property
    def sizes(self) -> list[tuple[str, ...]]:
        """The rows of its table of sizes."""
        return [sizes_row(each) for each in self.exhibits.sizes]

    @property
    def states(self) -> list[tuple[str, list[tuple[str, ...]]]]:
        """The nodes that are not as declared, each with the rows of its table."""
        return [(state.node, [state_row(each) for each in state.differences]) for state in self.exhibits.states]

    @property
    def suite(self) -> str:
        """The folder of the test."""
        return suite(self.test)

    @property
    def values(self) -> str:
        """The pair, or the values of the test's parameters."""
        return self.test.pair or self.test.id.partition("[")[2][:-1]


@cache
def _templates() -> Environment:
    return environment()


def page(record: Record, captures: bool = True) -> str:
    """The page; the same record gives the same page, byte for byte. Without ``captures`` it leads to none."""
    template = _templates().get_template("page.html.j2")
    files = own_captures(record.journeys) if captures else {}
    parts = (_head(record), _tests(record), _measured(record), _faults(record))
    found = {key: part for made in parts for key, part in made.items()}
    return template.render(frame=frame(), record=record, captured=captures, captures=files, **found)


def _head(record: Record) -> dict[str, object]:
    return {
        "good": is_good(record),
        "outcome": outcome(record.tests, record.complete),
        "no_pairs": NO_PAIRS if record.without_pairs else "",
        "pairs": list(pairs(record.tests)),
        "pairs_max": PAIRS_MAX,
        "skipped": reasons(record.tests, record.not_collected),
        "remarks": [f"warning: {words}" for words in record.warnings],
    }


def _tests(record: Record) -> dict[str, object]:
    """The tests by cause and by suite, each with its exhibits; the fabric."""
    shown = {test.id: each for test, each in zip(record.tests, _shown(record), strict=True)}
    every = [_telling_first(group, shown, record.journeys) for group in by_cause(record.tests)]
    groups = [group for group in every if group.tests]
    suites = grouped((test for test in record.tests if test.verdict is Verdict.PASSED), suite)
    order = [test for tests in (*(group.tests for group in groups), *suites.values()) for test in tests]
    return {
        "against": AGAINST,
        "glyphs": GLYPHS,
        "groups": groups,
        "beside": [group for group in every if not group.tests],
        "suites": suites,
        "every_suite": sorted({each.suite for each in shown.values()}),
        "shown": _with_ladders(order, shown, record.journeys),
        "drawing": draw(record.map, record.journeys, [group.cause for group in groups if group.cause]),
        "unanswered": unanswered(record.journeys),
        "answers": answers(record.journeys),
        "state_head": STATE_HEAD,
    }


def _measured(record: Record) -> dict[str, object]:
    return {
        "conclusions": [line for figures in record.measurements if figures.of_the_run for line in figures.words],
        "trends": [*filter(None, map(trended, record.trends))],
        "changes": [*filter(None, map(trend_words, record.trends))],
        "sizes_head": SIZES_HEAD,
        "sizes": [sizes_row(each) for each in record.sizes],
    }


def _faults(record: Record) -> dict[str, object]:
    faults = matrix(record.faults)
    totals = zip(HEAD, faults[0].declared, strict=True) if faults else ()
    return {
        "faults": faults,
        "fault_head": HEAD,
        "fault_totals": [pair for pair in totals if pair[1].grade],
        "fault_sides": SIDES,
        "signs": SIGNS,
        "misses": list(misses(record.faults)),
    }


def _shown(record: Record) -> Iterator[Shown]:
    """The tests with their exhibits; one that failed for a journey of an earlier test, or is about a pair whose journey
    another test recorded, refers to it."""
    kinds = [grouped(some, attrgetter("test")) for some in (record.sizes, record.measurements, record.states)]
    own: dict[str, list[int]] = {}
    of_pair: dict[str, list[int]] = {}
    wrong = {headline_of(each): number for number, each in enumerate(record.journeys) if not each.passed}
    for number, journey in enumerate(record.journeys):
        own.setdefault(journey.test, []).append(number)
        for ends in (f"{journey.source}-{journey.target}-", f"{journey.target}-{journey.source}-"):
            of_pair.setdefault(ends, []).append(number)
    for test in record.tests:
        parts = [tuple(found.get(test.id, ())) for found in kinds]
        elsewhere = wrong.get(said(headline(test.message)))
        ways = [elsewhere] if elsewhere is not None and elsewhere not in own.get(test.id, ()) else own.get(test.id, [])
        yield Shown(test, Exhibits((), *parts), {}, ways or _first_of(test.pair, of_pair))  # type: ignore[arg-type]


def _telling_first(group: Group, shown: Mapping[str, Shown], journeys: Sequence[Journey]) -> Group:
    """The group with the tests first, of those of one verdict, whose journeys show most of its cause."""
    nodes = {group.cause.node} if group.cause else set()

    def order(test: Test) -> tuple[int, int]:
        told = min((telling(journeys[number], nodes) for number in shown[test.id].ways), default=3)
        return AGAINST.index(test.verdict), told

    return replace(group, tests=tuple(sorted(group.tests, key=order)))


def _with_ladders(order: Iterable[Test], shown: Mapping[str, Shown], journeys: Sequence[Journey]) -> dict[str, Shown]:
    """The tests in the order of the page: a ladder stands at the first one that is about it, a broken one first."""
    left, found = set(range(len(journeys))), {}
    for test in order:
        each = shown[test.id]
        here = sorted(left.intersection(each.ways), key=lambda number: (journeys[number].passed, number))
        left.difference_update(here)
        found[test.id] = replace(each, journeys={number: journeys[number] for number in here})
    return found


def _first_of(pair: str, of_pair: Mapping[str, list[int]]) -> list[int]:
    """The first journeys there and back of a declared pair."""
    return next((numbers[:2] for ends, numbers in of_pair.items() if pair and pair.startswith(ends)), [])
