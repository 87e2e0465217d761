"""Parts of a run's summary: the outcome, what was not proven and why, each cause with its fix. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from reports.history import trend_words
from reports.record.exhibits import Cause
from reports.record.model import Record, Test, Verdict
from reports.render.faults import total_lines
from reports.words import MISSING, NOTHING, counted

NOT_APPLICABLE = Verdict.NOT_APPLICABLE
AGAINST = (Verdict.FAILED, Verdict.ERRORED, Verdict.UNSTABLE, Verdict.NOT_PROVEN)
"""The verdicts that keep a run from being green, worst first."""
FATES: Mapping[Verdict, str] = {Verdict.PASSED: "proven"}
"""The words for pairs where they are not the verdict's."""
CAUSES_MAX, REASONS_MAX, PAIRS_MAX = 12, 8, 8
"""Lines of causes and of reasons, and pairs in a line; the rest is counted."""
NO_PAIRS = (
    "no pair is declared or derived: nothing is proven of any overlay; add `pairs:` to the lab, or name --expect FILE"
)


def outcome(tests: Iterable[Test], complete: bool) -> str:
    """The number of checks of each verdict."""
    counts = Counter(test.verdict for test in tests if test.counts)
    words = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
    rest = "" if complete else " (the run was not completed)"
    return f"{counted(counts.total(), 'check')}: {words or 'none was tested'}{rest}"


def promises_kept(tests: Iterable[Test]) -> Iterator[str]:
    """One line with the number of pairs of each fate, and of separations; one that several tests are about has the
    worst of their verdicts."""
    known, words = [test for test in tests if test.counts], list[str]()
    for noun, subject in (("pairs", attrgetter("pair")), ("apart", attrgetter("apart"))):
        found: dict[str, set[Verdict]] = {}
        for test in known:
            if subject(test) and test.verdict is not NOT_APPLICABLE:
                found.setdefault(subject(test), set()).add(test.verdict)
        worst = Counter(next((one for one in AGAINST if one in seen), Verdict.PASSED) for seen in found.values())
        counts = (f"{worst[one]} {FATES.get(one, one)}" for one in (Verdict.PASSED, *AGAINST) if worst[one])
        words += [f"{noun}: {', '.join(counts)}"] if found else []
    if words:
        yield "; ".join(words)


def pairs_not_proven(tests: Iterable[Test]) -> Iterator[str]:
    """One line with the declared pairs of which something was not proven, or errored, and nothing failed."""
    by_pair: dict[str, set[Verdict]] = {}
    for test in tests:
        if test.pair:
            by_pair.setdefault(test.pair, set()).add(test.verdict)
    unknown = {Verdict.ERRORED, Verdict.UNSTABLE, Verdict.NOT_PROVEN}
    found = [pair for pair, seen in by_pair.items() if seen & unknown and Verdict.FAILED not in seen]
    if found:
        yield f"not proven: {len(found)} of {counted(len(by_pair), 'pair')}: {_listed(found, PAIRS_MAX)}"


def reasons(tests: Iterable[Test]) -> Iterator[str]:
    """One line for each reason for which checks do not apply."""
    found = Counter(_first_line(test.message) for test in tests if test.counts and test.verdict is NOT_APPLICABLE)
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


@dataclass(frozen=True)
class Group:
    """A cause with the tests that it spoils, none where it is only named beside others."""

    why: str
    spoiled: tuple[Test, ...]
    causes: tuple[Cause, ...]

    @property
    def words(self) -> str:
        """The number of spoiled tests of each verdict."""
        counts = Counter(test.verdict for test in self.spoiled)
        return ", ".join(f"{counts[verdict]} {verdict}" for verdict in AGAINST if counts[verdict]) or "beside others"

    @property
    def commands(self) -> Mapping[str, str]:
        """The commands that show and fix it, those of one kind joined; kinds without any are left out."""
        known = {"show": [one.show for one in self.causes[:1]], "fix": [one.fix for one in self.causes]}
        parts = {
            word: dict.fromkeys(part for one in found for part in one.split("; ")) for word, found in known.items()
        }
        joined = {word: "; ".join(filter(None, found)) for word, found in parts.items()}
        return {word: command for word, command in joined.items() if command}


def grouped(tests: Iterable[Test]) -> list[Group]:
    """Each cause with what it spoils, the worst first; those that are only named beside others come last."""
    groups: dict[str, list[Test]] = {}
    known: dict[str, list[Cause]] = {}
    for test in (one for one in tests if one.counts and one.verdict in AGAINST):
        groups.setdefault(reason(test), []).append(test)
        for cause in test.named:
            known.setdefault(cause_words(cause), []).append(cause)
    ordered = [why for why, _ in sorted(groups.items(), key=lambda group: (_rank(group[1]), -len(group[1])))]
    every = [*ordered, *(why for why in known if why not in groups)]
    return [Group(why, tuple(groups.get(why, ())), tuple(known.get(why, ()))) for why in every]


def causes(tests: Iterable[Test]) -> Iterator[str]:
    """For each cause a line with the number of promises that it spoils, then how it is shown and fixed."""
    yield from _cut(["\n".join(_cause_lines(group)) for group in grouped(tests)], CAUSES_MAX, "causes")


def _cause_lines(group: Group) -> Iterator[str]:
    yield f"cause: {group.why}: {group.words}"
    if pairs := list(dict.fromkeys(test.pair for test in group.spoiled if test.pair)):
        yield f"  pairs: {_listed(pairs, PAIRS_MAX)}"
    for word, command in group.commands.items():
        yield f"  {word}: {command}"


def _rank(spoiled: Iterable[Test]) -> int:
    return min(AGAINST.index(test.verdict) for test in spoiled)


def reason(test: Test) -> str:
    """The words that a test is grouped by: its cause, else what is known."""
    if test.cause:
        return cause_words(test.cause)
    found = test.why or _first_line(test.message) or "no message"
    unknown = test.verdict is Verdict.FAILED or test.why.startswith("first divergence")
    return f"not found - {found}" if unknown else found


def cause_words(cause: Cause) -> str:
    """A cause in few words, as ``lc2 - route 21.0.0.0/24 dev gretun-cont missing``; the device once."""
    named = not cause.interface or cause.interface in f"{cause.declared} {cause.live}".split()
    where = cause.node if named else f"{cause.node} - {cause.interface}"
    if cause.live == MISSING:
        return f"{where} - {cause.kind} {cause.declared} missing"
    if cause.declared == NOTHING:
        return f"{where} - {cause.kind} {cause.live} not declared"
    return f"{where} - {cause.kind} - expected {cause.declared} - seen {cause.live}"


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
