"""pytest-html's hooks: the promise column, the head of the page. The one module of reports that knows pytest."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import pytest

from reports.render.html import promise_cell

PROMISE_HEADER = '<th class="sortable" data-column-type="promise">Promise</th>'


NO_LOG = "No log output captured."
"""What pytest-html writes for a test that printed nothing."""


class HtmlHooks:
    """Registered for runs that write the page; ``head`` gives the HTML above the results."""

    def __init__(self, head: Callable[[], str]) -> None:
        self._head = head

    def pytest_html_report_title(self, report: object) -> None:
        """Name the page."""
        report.title = "hopcheck"  # type: ignore[attr-defined]

    @pytest.hookimpl(tryfirst=True)
    def pytest_html_results_summary(self, prefix: list[str]) -> None:
        """Put the outcome, the lab and the kernel first."""
        prefix.append(self._head())

    def pytest_html_results_table_header(self, cells: list[str]) -> None:
        """The promise stands before the test's name."""
        cells.insert(1, PROMISE_HEADER)

    def pytest_html_results_table_row(self, report: pytest.TestReport, cells: list[str]) -> None:
        """The promise, and a test's name that cannot be markup."""
        if not cells:
            return
        evidence = getattr(report, "hopcheck", {})
        cells[1] = f'<td class="col-testId">{escape(report.nodeid)}</td>'
        cells.insert(1, promise_cell(evidence.get("promise", "")))

    def pytest_html_results_table_html(self, data: list[str]) -> None:
        """No grey box where there is nothing to say."""
        if data == [NO_LOG]:
            data.clear()
