"""Parts of a run's summary: the outcome, what was not proven and why, each cause with its fix. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter

from reports.history import trend_words
from reports.record.model import Record, Test, Verdict
from reports.render.faults import total_lines
from reports.render.groups import Group, of_network
from reports.render.ladder import ECHO
from reports.words import counted, grouped, listed

NOT_APPLICABLE = Verdict.NOT_APPLICABLE
CAUSES_MAX, REASONS_MAX, PAIRS_MAX, COMMANDS_MAX = 12, 8, 8, 8
"""Lines of causes and of reasons, pairs and commands in a line; the rest is counted."""
WORKS, PROVEN = "work", "proven"
KNOWN = {
    "broken": {Verdict.FAILED},
    "not proven": {Verdict.ERRORED, Verdict.UNSTABLE, Verdict.NOT_PROVEN},
    WORKS: {Verdict.PASSED},
}
"""What is known of a pair by the verdicts of its tests, the worst first."""
NO_PAIRS = (
    "no pair is declared or derived: nothing is proven of any overlay; add `pairs:` to the lab, or name --expect FILE"
)


def outcome(tests: Iterable[Test], complete: bool) -> str:
    """The number of checks of each verdict."""
    counts = Counter(test.verdict for test in tests if test.counts)
    words = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
    rest = "" if complete else " (the run was not completed)"
    return f"{counted(counts.total(), 'check')}: {words or 'none was tested'}{rest}"


def pairs(
    tests: Iterable[Test], subject: Callable[[Test], str] = attrgetter("pair")
) -> Iterator[tuple[str, str, list[str]]]:
    """The state of the declared pairs, the worst first: how many, the reason if none of them was tried, and their
    names.

    Another ``subject`` of tests is counted likewise.
    """
    by_pair = grouped(filter(subject, tests), subject)
    left = by_pair
    for word, verdicts in KNOWN.items():
        found = {pair: some for pair, some in left.items() if any(test.verdict in verdicts for test in some)}
        left = {pair: some for pair, some in left.items() if pair not in found}
        if found:
            yield word, f"{len(found)} of {counted(len(by_pair), 'pair')}{_since(found.values())}", list(found)


def promise_counts(tests: Sequence[Test]) -> Iterator[str]:
    """The numbers of pairs proven and not proven, then those of separations."""
    of_network = [test for test in tests if test.counts]
    for noun, subject in (("pairs", attrgetter("pair")), ("apart", attrgetter("apart"))):
        found = [f"{len(names)} {PROVEN if word == WORKS else word}" for word, _, names in pairs(of_network, subject)]
        if found:
            yield f"{noun}: {', '.join(reversed(found))}"


def _since(found: Iterable[list[Test]]) -> str:
    """The one reason for which none of these was tried; empty where there are others."""
    echoes = [ECHO.match(test.message) for some in found for test in some if test.verdict is not NOT_APPLICABLE]
    whys = {echo[1] if echo else "" for echo in echoes}
    return f", since {whys.pop()}" if len(whys) == 1 and "" not in whys else ""


def pair_lines(tests: Iterable[Test]) -> Iterator[str]:
    """The declared pairs of which something failed or was not proven, a line for each."""
    yield from (f"{word}: {many}: {listed(names, PAIRS_MAX)}" for word, many, names in pairs(tests) if word != WORKS)


def reasons(tests: Iterable[Test]) -> Iterator[str]:
    """One line for each reason for which checks do not apply."""
    found = Counter(test.message.partition("\n")[0] for test in tests if test.counts and test.verdict is NOT_APPLICABLE)
    yield from _cut([f"{count} {NOT_APPLICABLE}: {why}" for why, count in found.most_common()], REASONS_MAX, "reasons")


def not_collected_lines(left_out: Mapping[str, int]) -> list[str]:
    """One line with the number of selected tests that are not collected, and why; no line where all are."""
    most = sorted(left_out.items(), key=lambda found: -found[1])
    total, whys = sum(left_out.values()), ", ".join(f"{what}: {count}" for what, count in most)
    return [f"not collected for this lab: {counted(total, 'test')} ({whys})"] if total else []


def remark_lines(record: Record) -> Iterator[str]:
    """Warnings, how well faults were explained, and the reasons for which tests do not apply or were not collected."""
    yield from total_lines(record.faults)
    yield from (f"warning: {words}" for words in record.warnings)
    yield from (f"history: {words}" for words in map(trend_words, record.trends) if words)
    yield from reasons(record.tests)
    yield from not_collected_lines(record.not_collected)


def causes(tests: Iterable[Test]) -> Iterator[str]:
    """For each cause a line with the number of promises that it spoils, then how it is shown and fixed."""
    yield from _cut(["\n".join(_cause_lines(group)) for group in of_network(tests)], CAUSES_MAX, "causes")


def _cause_lines(group: Group) -> Iterator[str]:
    yield f"cause: {group.why}: {group.counts}"
    for word, command in group.commands.items():
        parts = command.split("; ")
        yield f"  {word}: {'; '.join(parts[:COMMANDS_MAX])}"
        if len(parts) > COMMANDS_MAX:
            yield f"  … and {len(parts) - COMMANDS_MAX} more commands: results.json has all"


def _cut(lines: Sequence[str], at_most: int, noun: str) -> Iterator[str]:
    for line in lines[:at_most]:
        yield from line.split("\n")
    if len(lines) > at_most:
        yield f"… and {len(lines) - at_most} more {noun}: results.json has all"
