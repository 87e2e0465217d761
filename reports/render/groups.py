"""What speaks against a network, by cause: one cause, and below it the tests that it broke. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from reports.record.exhibits import Cause
from reports.record.model import Test, Verdict
from reports.render.ladder import headline, said
from reports.render.summary import AGAINST, cause_words


@dataclass(frozen=True)
class Group:
    """A cause with its tests, the worst first; without a known cause, the words that its tests share.

    A cause that is only named beside others has no tests.
    """

    words: str
    cause: Cause | None
    fixes: tuple[str, ...]
    tests: tuple[Test, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict; failed for a cause that is only named beside others."""
        return self.tests[0].verdict if self.tests else Verdict.FAILED

    @property
    def said(self) -> str:
        """The words without the node, which stands before them."""
        return self.words.removeprefix(f"{self.cause.node} - ") if self.cause else self.words

    def of(self, verdict: Verdict) -> list[Test]:
        """The tests of one verdict."""
        return [test for test in self.tests if test.verdict is verdict]


def by_cause(tests: Iterable[Test]) -> list[Group]:
    """The groups, the one first that has the worst verdict, then the most tests."""
    groups: dict[str, list[Test]] = {}
    causes: dict[str, list[Cause]] = {}
    for test in (one for one in tests if one.verdict in AGAINST):
        groups.setdefault(_why(test), []).append(test)
        for cause in test.named:
            causes.setdefault(cause_words(cause), []).append(cause)
    found = [_group(why, causes.get(why, ()), spoiled) for why, spoiled in groups.items()]
    found.sort(key=lambda group: (AGAINST.index(group.verdict), -len(group.tests)))
    return [*found, *(_group(why, named, ()) for why, named in causes.items() if why not in groups)]


def _group(why: str, causes: Sequence[Cause], tests: Iterable[Test]) -> Group:
    fixes = dict.fromkeys(part for cause in causes for part in cause.fix.split("; ") if part)
    ordered = sorted(tests, key=lambda test: AGAINST.index(test.verdict))
    return Group(why, next(iter(causes), None), tuple(fixes), tuple(ordered))


def _why(test: Test) -> str:
    """The words of a test's cause; else what its message has in common with others."""
    return cause_words(test.cause) if test.cause else test.why or headline(said(test.message)) or "no message"


def others(causes: Iterable[Cause], known: Cause | None) -> list[Cause]:
    """The causes but for one that is said already."""
    return [cause for cause in causes if known is None or cause_words(cause) != cause_words(known)]


def by_suite(tests: Iterable[Test]) -> dict[str, list[Test]]:
    """The tests by the folder that they are in."""
    found: dict[str, list[Test]] = {}
    for test in tests:
        found.setdefault(suite(test), []).append(test)
    return found


def suite(test: Test) -> str:
    """The folder of a test below ``tests``."""
    parts = test.id.partition("::")[0].split("/")
    return parts[1] if len(parts) > 2 else parts[0]


def reasons(tests: Iterable[Test], not_collected: dict[str, int]) -> Iterator[tuple[int, str]]:
    """How many promises are not about this lab, and why; each reason once."""
    found: dict[str, int] = {}
    for test in tests:
        if test.verdict is Verdict.NOT_APPLICABLE:
            words = headline(test.message)
            found[words] = found.get(words, 0) + 1
    for words, count in not_collected.items():
        found[words] = found.get(words, 0) + count
    for words, count in sorted(found.items(), key=lambda item: -item[1]):
        yield count, words
