"""pytest-html's hooks: the promise column, names that cannot be markup. The one module of reports that knows pytest."""

from __future__ import annotations

from html import escape

import pytest

PROMISE_HEADER = '<th class="sortable" data-column-type="promise">Promise</th>'
NO_LOG = "No log output captured."
"""Text of pytest-html for a test that printed nothing."""


class HtmlHooks:
    """Registered for runs that have pytest-html write its table."""

    def pytest_html_report_title(self, report: object) -> None:
        """Name the page."""
        report.title = "hopcheck"  # type: ignore[attr-defined]

    def pytest_html_results_table_header(self, cells: list[str]) -> None:
        """The promise stands before the test's name."""
        cells.insert(1, PROMISE_HEADER)

    def pytest_html_results_table_row(self, report: pytest.TestReport, cells: list[str]) -> None:
        """The promise, and a test's name that cannot be markup."""
        if cells:
            cells[1] = f'<td class="col-testId">{escape(report.nodeid)}</td>'
            cells.insert(1, f'<td class="col-promise">{escape(getattr(report, "promise", ""))}</td>')

    def pytest_html_results_table_html(self, data: list[str]) -> None:
        """No grey box where there is nothing to show."""
        if data == [NO_LOG]:
            data.clear()
