"""The outcome of a run: its exit code, and whether it is good."""

from __future__ import annotations

from collections.abc import Iterable

from reports.record.model import Record, Test, Verdict

NOTHING_APPLIES = 7
"""The exit code of a run in which nothing failed or errored, and something was not proven or nothing applies."""


def exit_code(tests: Iterable[Test], pytest_code: int, without_pairs: bool = False) -> int:
    """The run's exit code: pytest's own for anything but passed and failed tests, else by the network's verdicts.

    0 when at least one check of the network passed, and nothing speaks against it; 1 something failed; 6 something
    errored or is unstable, nothing failed; 7 something was not proven, nothing applied, or pairs were to be proven
    (``without_pairs``) and none is declared.
    """
    if pytest_code not in (0, 1):
        return pytest_code
    known = list(tests)
    verdicts = {test.verdict for test in known}
    if Verdict.FAILED in verdicts:
        return 1
    if verdicts & {Verdict.ERRORED, Verdict.UNSTABLE}:
        return 6
    network = {test.verdict for test in known if test.counts}
    unproven = without_pairs or Verdict.NOT_PROVEN in network or network == {Verdict.NOT_APPLICABLE}
    return NOTHING_APPLIES if unproven and pytest_code == 0 else pytest_code


def is_good(record: Record) -> bool:
    """Whether nothing speaks against the network, and something for it."""
    return record.complete and bool(record.tests) and exit_code(record.tests, 0, record.without_pairs) == 0
