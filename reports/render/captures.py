"""Names of the captures of failing journeys, for the code that writes them and for the page that links to them."""

from __future__ import annotations

from collections.abc import Sequence

from reports.record.exhibits import Journey

FAILED = "failed-{}.pcapng"
"""Name of a failing journey's own capture."""
FAILED_MAX = 50
"""Captures of failing journeys; the frames of all are in the capture of the run."""


def own_captures(journeys: Sequence[Journey]) -> dict[int, str]:
    """The files of the failing journeys of which anything was seen, by the journeys' places."""
    failing = [place for place, journey in enumerate(journeys) if not journey.passed and journey.start_ns]
    return {place: FAILED.format(number) for number, place in enumerate(failing[:FAILED_MAX], 1)}
