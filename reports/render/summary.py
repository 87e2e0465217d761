"""The end of a run in words: what was not proven first, then what did not apply, last each cause with its fix. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from reports.evidence import counted
from reports.judge.state import MISSING
from reports.judge.weight import NOTHING
from reports.render.results import NOT_APPLICABLE, NOT_PROVEN, VERDICTS, TestResult

AGAINST = ("failed", "errored", "unstable", NOT_PROVEN)
"""The verdicts that keep a run from being green, worst first."""
CAUSES_MAX, REASONS_MAX, PAIRS_MAX = 12, 8, 8
"""Lines of causes and of reasons, and pairs in a line; what is beyond is counted."""
NO_PAIRS = (
    "no pair is declared or derived: nothing is proven of any overlay; add `pairs:` to the lab, or name --expect FILE"
)


def outcome(tests: Iterable[TestResult], complete: bool) -> str:
    """The number of network promises of each verdict."""
    counts = Counter(test.verdict for test in tests if test.network)
    words = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
    rest = "" if complete else " (the run was not completed)"
    return f"{counted(counts.total(), 'network promise')}: {words or 'none was tested'}{rest}"


def pairs_not_proven(tests: Iterable[TestResult]) -> Iterator[str]:
    """One line with the declared pairs of which something was not proven, or errored, and nothing failed."""
    by_pair: dict[str, set[str]] = {}
    for test in tests:
        if test.pair:
            by_pair.setdefault(test.pair, set()).add(test.verdict)
    unknown = {"errored", "unstable", NOT_PROVEN}
    found = [pair for pair, seen in by_pair.items() if seen & unknown and "failed" not in seen]
    if found:
        yield f"not proven: {len(found)} of {counted(len(by_pair), 'pair')}: {_listed(found, PAIRS_MAX)}"


def reasons(tests: Iterable[TestResult]) -> Iterator[str]:
    """One line for each reason for which network promises do not apply."""
    found = Counter(_first_line(test.message) for test in tests if test.network and test.verdict == NOT_APPLICABLE)
    yield from _cut([f"{count} {NOT_APPLICABLE}: {why}" for why, count in found.most_common()], REASONS_MAX, "reasons")


def causes(tests: Iterable[TestResult]) -> Iterator[str]:
    """For each cause a line with the number of promises that it spoils, and one with its fix; the worst first."""
    groups: dict[str, list[TestResult]] = {}
    for test in tests:
        if test.network and test.verdict in AGAINST:
            groups.setdefault(_why(test), []).append(test)
    ordered = sorted(groups.items(), key=lambda group: (_rank(group[1]), -len(group[1])))
    yield from _cut(["\n".join(_cause_lines(why, spoiled)) for why, spoiled in ordered], CAUSES_MAX, "causes")


def _cause_lines(why: str, spoiled: Sequence[TestResult]) -> Iterator[str]:
    counts = Counter(test.verdict for test in spoiled)
    yield f"cause: {why}: {', '.join(f'{counts[verdict]} {verdict}' for verdict in AGAINST if counts[verdict])}"
    yield from (f"  fix: {fix}" for fix in {test.cause["fix"]: None for test in spoiled if test.cause})


def _rank(spoiled: Iterable[TestResult]) -> int:
    return min(AGAINST.index(test.verdict) for test in spoiled)


def _why(test: TestResult) -> str:
    if test.cause:
        return cause_words(test.cause)
    found = test.why or _first_line(test.message) or "no message"
    return f"not found - {found}" if test.verdict == "failed" or test.why.startswith("first divergence") else found


def cause_words(cause: Mapping[str, Any]) -> str:
    """A cause in few words, as ``lc2 - route 21.0.0.0/24 dev gretun-cont missing``; the device once."""
    declared, live, device = str(cause["declared"]), str(cause["live"]), cause["interface"]
    named = not device or str(device) in f"{declared} {live}".split()
    where = cause["node"] if named else f"{cause['node']} - {device}"
    if live == MISSING:
        return f"{where} - {cause['kind']} {declared} missing"
    if declared == NOTHING:
        return f"{where} - {cause['kind']} {live} not declared"
    return f"{where} - {cause['kind']} - expected {declared} - seen {live}"


def _listed(items: Sequence[str], at_most: int) -> str:
    more = f" and {len(items) - at_most} more" if len(items) > at_most else ""
    return ", ".join(items[:at_most]) + more


def _cut(lines: Sequence[str], at_most: int, noun: str) -> Iterator[str]:
    for line in lines[:at_most]:
        yield from line.split("\n")
    if len(lines) > at_most:
        yield f"… and {len(lines) - at_most} more {noun}: results.json has all"


def _first_line(text: str) -> str:
    return text.partition("\n")[0]
