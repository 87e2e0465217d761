"""Groups failures by cause: each cause, and below it the tests that it broke. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from reports.record.exhibits import Cause
from reports.record.model import Test, Verdict
from reports.render.ladder import headline, said
from reports.words import MISSING, NOTHING, grouped

AGAINST = (Verdict.FAILED, Verdict.ERRORED, Verdict.UNSTABLE, Verdict.NOT_PROVEN)
"""The verdicts that keep a run from being green, worst first."""
UNKNOWN = "not found - "
"""What stands before the words of a failure whose cause is not known."""


@dataclass(frozen=True)
class Group:
    """A cause in words, and its tests, the worst first; without a known cause, the words that its tests share.

    A cause that is only named beside others has no tests.
    """

    why: str
    causes: tuple[Cause, ...]
    tests: tuple[Test, ...]

    @property
    def cause(self) -> Cause | None:
        """The cause; None where none is known."""
        return next(iter(self.causes), None)

    @property
    def verdict(self) -> Verdict:
        """The worst verdict; failed for a cause that is only named beside others."""
        return self.tests[0].verdict if self.tests else Verdict.FAILED

    @property
    def said(self) -> str:
        """The cause in a sentence without its node, which stands before it."""
        cause = self.cause
        if cause is None:
            return self.why
        if MISSING in (cause.live, cause.declared) or NOTHING in (cause.live, cause.declared):
            return self.why.removeprefix(f"{cause.node} - ")
        device = f"{cause.interface}, " if cause.interface else ""
        return f"{device}{cause.kind}: {cause.live}, expected {cause.declared}"

    @property
    def unexplained(self) -> str:
        """The words of failures whose cause was not found; empty for others."""
        return self.why.removeprefix(UNKNOWN) if self.why.startswith(UNKNOWN) else ""

    @property
    def counts(self) -> str:
        """The number of tests of each verdict."""
        found = Counter(test.verdict for test in self.tests)
        return ", ".join(f"{found[verdict]} {verdict}" for verdict in AGAINST if found[verdict]) or "beside others"

    @property
    def fixes(self) -> list[str]:
        """The commands that repair it."""
        return list(dict.fromkeys(part for cause in self.causes for part in cause.fix.split("; ") if part))

    @property
    def commands(self) -> Mapping[str, str]:
        """The commands that show and fix it, those of one kind joined; kinds without any are left out."""
        joined = {"show": self.cause.show if self.cause else "", "fix": "; ".join(self.fixes)}
        return {word: command for word, command in joined.items() if command}

    def of(self, verdict: Verdict) -> list[Test]:
        """The tests of one verdict."""
        return [test for test in self.tests if test.verdict is verdict]


def by_cause(tests: Iterable[Test]) -> list[Group]:
    """Each cause with what it spoils, the worst first, of equals the known ones; those only named beside others last.

    Both ends of a missing cable are one. What was not proven since another test failed has that test's cause.
    """
    against = [test for test in tests if test.verdict in AGAINST]
    failed = {test.why: test for test in reversed(against) if test.why and test.verdict is Verdict.FAILED}

    def why_of(test: Test) -> str:
        echoed = test.verdict is Verdict.NOT_PROVEN and not test.cause
        return reason(failed.get(test.why, test) if echoed else test)

    groups = grouped(against, why_of)
    known = grouped((cause for test in against for cause in test.named), cause_words)
    found = [Group(why, tuple(known.get(why, ())), tuple(_ordered(some))) for why, some in groups.items()]
    found.sort(key=lambda group: (AGAINST.index(group.verdict), -len(group.tests), group.cause is None))
    merged: dict[str, Group] = {}
    for group in (*found, *(Group(why, tuple(causes), ()) for why, causes in known.items() if why not in groups)):
        fault = next((cause.of_cable for cause in group.causes if cause.of_cable), group.why)
        first = merged.setdefault(fault, group)
        if first is not group:
            merged[fault] = replace(first, tests=tuple(_ordered([*first.tests, *group.tests])))
    return list(merged.values())


def of_network(tests: Iterable[Test]) -> list[Group]:
    """The same of the checks of the network alone."""
    return by_cause(test for test in tests if test.counts)


def _ordered(tests: Iterable[Test]) -> list[Test]:
    return sorted(tests, key=lambda test: AGAINST.index(test.verdict))


def reason(test: Test) -> str:
    """The words that a test is grouped by: its cause, else what is known."""
    if test.cause:
        return cause_words(test.cause)
    found = test.why or headline(said(test.message)) or "no message"
    unknown = test.verdict is Verdict.FAILED or test.why.startswith("first divergence")
    return f"{UNKNOWN}{found}" if unknown else found


def cause_words(cause: Cause) -> str:
    """A cause in few words, as ``lc2 - route 21.0.0.0/24 dev gretun-cont missing``; the device once."""
    named = not cause.interface or cause.interface in f"{cause.declared} {cause.live}".split()
    where = cause.node if named else f"{cause.node} - {cause.interface}"
    if cause.live == MISSING:
        return f"{where} - {cause.kind} {cause.declared} missing"
    if cause.declared == NOTHING:
        return f"{where} - {cause.kind} {cause.live} not declared"
    return f"{where} - {cause.kind} - expected {cause.declared} - seen {cause.live}"


def others(causes: Iterable[Cause], known: Cause | None) -> list[Cause]:
    """The causes but for one that is said already."""
    return [cause for cause in causes if known is None or cause_words(cause) != cause_words(known)]


def suite(test: Test) -> str:
    """The folder of a test below ``tests``."""
    parts = test.id.partition("::")[0].split("/")
    return parts[1] if len(parts) > 2 else parts[0]


def reasons(tests: Iterable[Test], not_collected: Mapping[str, int]) -> list[tuple[int, str]]:
    """The number of promises that do not apply to this lab, by reason."""
    found = Counter(headline(test.message) for test in tests if test.verdict is Verdict.NOT_APPLICABLE)
    found.update(not_collected)
    return [(count, words) for words, count in found.most_common()]
