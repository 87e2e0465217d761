"""The page of a run: one HTML file without outside resources, made of the record alone."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket

from reports.record.exhibits import Exhibits, Figures, Journey, Sizes, State
from reports.record.model import Record, Test, Verdict, is_good
from reports.render.drawing import draw
from reports.render.faults import SIDES, head, matrix, misses
from reports.render.ladder import NO_CAUSE, headline, headline_of, microseconds, rung_lines, said
from reports.render.summary import AGAINST, NO_PAIRS, causes, outcome, pairs_not_proven, remark_lines
from reports.render.tables import SIZES_HEAD, sizes_row

PAGE = "report.html"
ORDER = (*AGAINST, Verdict.PASSED, Verdict.NOT_APPLICABLE)
"""Sections of the page, failures first."""
Exhibit = TypeVar("Exhibit", Journey, Sizes, Figures, State)


@dataclass(frozen=True)
class Shown:
    """A test with its exhibits in the record."""

    test: Test
    exhibits: Exhibits

    @property
    def words(self) -> str:
        """The test's message, without the word that pytest puts in front of a failed assertion."""
        return said(self.test.message)

    @property
    def sizes(self) -> list[tuple[str, ...]]:
        """The rows of its table of sizes."""
        return [sizes_row(each) for each in self.exhibits.sizes]


class _Compiled(FileSystemBytecodeCache):
    """Templates as Python's code, beside that of the modules; a checkout that cannot be written does without."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep one template's code."""
        with suppress(OSError):
            super().dump_bytecode(bucket)


def environment(*folders: Path, finalize: Callable[[object], object] | None = None) -> Environment:
    """Where templates are found and how: names are text wherever they stand; ``finalize`` sees each value before."""
    here = Path(__file__).parent
    kept = finalize is None and not sys.dont_write_bytecode  # the code kept does not say which finalize it calls
    return Environment(
        autoescape=True,
        bytecode_cache=_Compiled(str(here / "__pycache__")) if kept else None,
        loader=FileSystemLoader([*folders, here]),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=finalize,
    )


def page(record: Record) -> str:
    """The page; the same record gives the same page, byte for byte."""
    template = environment().get_template("page.html.j2")
    return template.render(
        record=record,
        good=is_good(record),
        outcome=outcome(record.tests, record.complete),
        not_proven=[NO_PAIRS] if record.without_pairs else list(pairs_not_proven(record.tests)),
        causes=list(causes(record.tests)),
        conclusions=[line for figures in record.measurements if figures.of_the_run for line in figures.words],
        remarks=list(remark_lines(record)),
        faults=matrix(record.faults),
        fault_head=head(),
        fault_sides=SIDES,
        misses=list(misses(record.faults)),
        sections=_sections(record),
        against=AGAINST,
        drawing=draw(record),
        sizes_head=SIZES_HEAD,
        rung_lines=rung_lines,
        microseconds=microseconds,
        headline=headline,
        no_cause=NO_CAUSE,
    )


def _sections(record: Record) -> dict[Verdict, list[Shown]]:
    """The tests by verdict, each with its exhibits; verdicts without a test are left out.

    A test that failed for a journey that an earlier test recorded shows it, too.
    """
    journeys, sizes = _by_test(record.journeys), _by_test(record.sizes)
    figures, states = _by_test(record.measurements), _by_test(record.states)
    wrong = {headline_of(journey): journey for journey in record.journeys if not journey.passed}
    shown = []
    for test in record.tests:
        own = [found.get(test.id, []) for found in (journeys, sizes, figures, states)]
        elsewhere = wrong.get(said(headline(test.message)))
        if elsewhere and elsewhere not in own[0]:
            own[0] = [*own[0], elsewhere]
        shown.append(Shown(test, Exhibits(*map(tuple, own))))  # type: ignore[arg-type]
    found = {verdict: [each for each in shown if each.test.verdict is verdict] for verdict in ORDER}
    return {verdict: tests for verdict, tests in found.items() if tests}


def _by_test(exhibits: Iterable[Exhibit]) -> Mapping[str, list[Exhibit]]:
    found: dict[str, list[Exhibit]] = {}
    for exhibit in exhibits:
        found.setdefault(exhibit.test, []).append(exhibit)
    return found
