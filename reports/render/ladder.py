"""Failures as text: the ladder of a journey, expected beside seen, the first divergence marked; the cause, its fix."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from textwrap import dedent

from reports.record.exhibits import Cause, Journey, Rung
from reports.words import COPY

GOOD, BAD, AFTER = "  ok", ">>>>", "    "
NO_CAUSE = "not found: no difference in the state read (docs/adopting.md lists it) can explain it"
REQUESTS = {"/ arp who-has": "ARP", "/ icmp neighbour-solicitation": "neighbour discovery"}
"""The last header of a request for an address, and what it is called."""
WHERE = re.compile(r"\n *\+ +(?:where|and) .*", re.DOTALL)
"""pytest's explanation of the values in a failed assertion."""
ECHO = re.compile("(an earlier test errored|the fabric broke|the underlay is broken): ")
"""Prefixes of the messages that repeat another test's reason."""


def ladder_lines(journey: Journey) -> list[str]:
    """A journey as lines of text for a terminal."""
    return [headline_of(journey), *_rungs(journey), *_ending(journey)]


def headline_of(journey: Journey) -> str:
    """The first line of a ladder: the two ends, and where the journey first diverges."""
    rung = journey.first_wrong
    words = "as declared at every hop" if journey.passed else journey.message
    if rung is not None:
        words = f"first divergence at {rung.where}"
    return f"{journey.source} -> {journey.target} ({protocol(journey)}): {words}"


def request_of(journey: Journey) -> tuple[Rung, str] | None:
    """The hop at which the request for the address that a packet waits for begins, and what it is; None without one."""
    if " waits at " not in journey.note:
        return None
    kinds = ((rung, what) for rung in journey.ladder for word, what in REQUESTS.items() if word in f"{rung.seen}")
    return next(kinds, None)


def protocol(journey: Journey) -> str:
    """The protocol of a journey's packet, and that it waits for an address."""
    asked = request_of(journey)
    return f"{journey.protocol}, waits for {asked[1]}" if asked else journey.protocol


def _rungs(journey: Journey) -> Iterator[str]:
    """The lines of all rungs; hops behind a loss are counted in one line."""
    first, width = journey.first_wrong, max((len(rung.where) for rung in journey.ladder), default=0)
    for silent, group in groupby(journey.ladder, lambda rung: rung.seen is None and rung is not first):
        rungs = list(group)
        if silent and len(rungs) > 1:
            yield f"{AFTER} {'-':>12}  {not_seen(rungs)}"
            continue
        for rung in rungs:
            mark = GOOD if not rung.wrong else BAD if rung is first else AFTER
            yield from rung_lines(rung, journey, mark, width)


def not_seen(rungs: Sequence[Rung]) -> str:
    """The hops at which nothing was seen, by their interfaces; the first ones and the last where there are many."""
    places = [rung.where for rung in rungs]
    if len(places) <= 3:
        return f"not seen at {', '.join(places)}"
    return f"not seen at {places[0]}, {places[1]}, … {places[-1]} ({len(places)} hops)"


def telling(journey: Journey, nodes: Collection[str]) -> int:
    """The rank of a journey as evidence of a cause at some nodes: 0 shows a wrong packet there, 1 elsewhere, 2 a
    missing one.
    """
    rung = journey.first_wrong
    return 3 if rung is None else 2 if rung.seen is None else int(rung.node not in nodes)


def instead(rung: Rung, journey: Journey) -> str:
    """The place at which a packet was expected that its node sent out elsewhere; empty where that is not known."""
    behind = journey.ladder[journey.ladder.index(rung) :] if rung.direction == "out" and not rung.expected else []
    missed = (one for one in behind if one.node == rung.node and one.direction == "out" and one.expected)
    return next((one.where for one in missed if not one.seen), "")


def rung_lines(rung: Rung, journey: Journey, mark: str, width: int) -> Iterator[str]:
    """The lines of a rung: what was seen, and where it is wrong what was expected above, and why below."""
    since = "-" if rung.time_ns is None else f"{rung.time_ns / 1000:+.1f} us"
    head = f"{mark} {since:>12}  {rung.where:<{width}}  "
    for number, text in enumerate(_sides(rung, journey)):
        yield (" " * len(head) if number else head) + text


def _sides(rung: Rung, journey: Journey) -> Iterator[str]:
    seen = rung.seen or "nothing"
    if not rung.wrong:
        yield seen
        return
    place = instead(rung, journey)
    yield f"expected {rung.expected or (f'nothing here, but at {place}' if place else 'nothing')}"
    yield f"seen     {seen}"
    if rung.seen and (rung.expected or rung.wrong == COPY):
        yield f"why      {rung.wrong}"


def ending_lines(causes: Sequence[Cause]) -> Iterator[str]:
    """The causes, the most likely first: each with what proves it, how to see it, and its fix where there is one."""
    for cause in causes:
        evidence = f" - {cause.evidence}" if cause.evidence else ""
        yield f"cause: {cause.where}: {cause.kind} - expected {cause.declared} - seen {cause.live}{evidence}"
        if cause.show:
            yield f"show:  {cause.show}"
        if cause.fix:
            yield f"fix:   {cause.fix}"


def _ending(journey: Journey) -> Iterator[str]:
    if journey.note:
        yield f"note: {journey.note}"
    if journey.causes:
        yield from ending_lines(journey.causes)
    elif not journey.passed:
        yield f"cause: {f'not found: {journey.unknown}' if journey.unknown else NO_CAUSE}"


def said(error: BaseException | str | None) -> str:
    """The words of a failed assertion, without those that pytest puts around them."""
    first, newline, rest = WHERE.sub("", str(error).strip()).removeprefix("assert ").partition("\n")
    return f"{first}{newline}{dedent(rest)}"


def headline(text: str) -> str:
    """The first line of an assertion's message, without the cause, which stands beside it."""
    return text.partition("\n")[0].partition(" - cause: ")[0]


def common_words(text: str) -> str:
    """The words that tests with one reason share: the headline, without the prefix of an echo."""
    return ECHO.sub("", headline(text))


def failure_text(promise: str, text: str, ladders: Sequence[str], causes: Sequence[Cause]) -> str:
    """All of a failure, the causes once: at the end of a ladder where there is one."""
    first, newline, rest = text.partition("\n")
    words = f"{headline(first)}{newline}{rest}" if ladders else text
    parts = [f"promise: {promise}", words, *ladders]
    if not any("\ncause: " in part for part in parts):
        parts += ending_lines(causes)
    return "\n".join(parts) + "\n"


def failure_line(text: str, causes: Sequence[Cause]) -> str:
    """A failure on one line, as for JUnit: the headline and the causes."""
    return headline(text) + "".join(f" - cause: {cause}" for cause in causes)
