"""Judges that links lose nothing, delay no packet and pass a train as fast as other links between nodes of these roles.
Pure.

Packets and trains of fragments go over every link in turn, both ways, in rounds, so that load on the machine slows
all links alike. A link is judged against the median of its siblings in the same round by the rule of
``reports.perf.compare``. The median within each round excludes single delays of a busy machine.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from reports.checks import Check, Subject
from reports.checks.underlay import Ends, link_ends
from reports.evidence import Finding
from reports.perf.compare import Threshold, compare, decide
from topology.errors import NotApplicable, NotProven, Undecided
from topology.model import Fabric

ROUNDS, TRAIN = 12, 44
"""With the answers to packets from the other end at least 1 000 packets each way: of 1 % loss two or more are seen in
99.97 % of runs."""
AT_MOST = Threshold(3.0, "at most", "of the other links'")
Way: TypeAlias = tuple[str, str]
"""The sender and the receiver."""


@dataclass(frozen=True)
class Train:
    """One round over a link, one way: packets sent and received, their answers, and two times in nanoseconds.

    ``turned_ns`` is the median time from a packet's arrival at the receiver to its answer's arrival at the sender: the
    delay in the opposite direction. ``gap_ns`` is the median time between the arrivals of two fragments of one large
    packet.
    """

    sent: int
    received: int
    answered: int
    turned_ns: float | None
    gap_ns: float | None


Trains: TypeAlias = Mapping[Way, Sequence[Train]]


def siblings(lab: Fabric, ends: Ends) -> list[Ends]:
    """The other links with addresses between nodes of the same roles."""
    return [other for other in link_ends(lab) if other != ends and _roles(lab, other) == _roles(lab, ends)]


def _roles(lab: Fabric, ends: Ends) -> frozenset[str]:
    return frozenset(lab[node].role for node in (ends.source, ends.target))


def links_with_siblings(lab: Fabric) -> Iterator[Ends]:
    """The links that can be judged by others."""
    return (ends for ends in link_ends(lab) if siblings(lab, ends))


def _asks(lab: Fabric, ends: Ends) -> list[Ends]:
    return [ends, *siblings(lab, ends)]


def judge_loss(_: Fabric, answers: Sequence[Trains], ends: Ends) -> Finding:
    """Return whether no packet is lost in either direction; Undecided for a single one, which may have another
    reason.
    """
    for source, target in _ways(ends):
        there, back = answers[0][source, target], answers[0][target, source]
        sent = sum(train.sent for train in there) + sum(train.received for train in back)
        lost = sent - sum(train.received for train in there) - sum(train.answered for train in back)
        words = f"{source} - loss on {ends}, {source} to {target} - expected none of {sent} packets - seen {lost} lost"
        if lost == 1:
            raise Undecided(words)
        if lost:
            return Finding(False, words, suspects=(source, target))
    return Finding(True)


def judge_delay(_: Fabric, answers: Sequence[Trains], ends: Ends) -> Finding:
    """Return whether packets take at most three times as long as on the other links."""
    return _judge(answers, ends, "turned_ns", "delay")


def judge_rate(_: Fabric, answers: Sequence[Trains], ends: Ends) -> Finding:
    """Return whether the fragments of a large packet arrive at least a third as fast as on the other links."""
    if ends.src.version == 6:
        raise NotApplicable(f"{ends}: IPv6 is not sent in fragments here")
    return _judge(answers, ends, "gap_ns", "time between the fragments of a train")


def _judge(answers: Sequence[Trains], ends: Ends, figure: str, noun: str) -> Finding:
    others = [[getattr(train, figure) for train in trains] for each in answers[1:] for trains in each.values()]
    rounds = [statistics.median([one for one in values if one] or [0]) for values in zip(*others, strict=True)]
    for way in _ways(ends):
        # An answer comes back the other way: its delay is that of the opposite direction.
        asked = way if figure == "gap_ns" else way[::-1]
        own = [getattr(train, figure) for train in answers[0][asked]]
        if not all(own) or not all(rounds):
            raise NotProven(f"{ends}: packets are lost on {'it' if all(rounds) else 'all other links'}")
        found = compare(own, rounds)
        words = f"{way[0]} - {noun} on {ends}, {way[0]} to {way[1]} - expected {AT_MOST} - seen {found}"
        answer = decide(found, AT_MOST)
        if answer == "unstable":
            raise Undecided(words)
        if answer == "failed":
            return Finding(False, words, suspects=way)
    return Finding(True)


def _ways(ends: Ends) -> tuple[Way, Way]:
    return (ends.source, ends.target), (ends.target, ends.source)


LOAD = "trains of packets"
LOSS = Check("trains", _asks, judge_loss, together=("measured_link",), sends=LOAD)
DELAY = Check("trains", _asks, judge_delay, together=("measured_link",), sends=LOAD)
RATE = Check("trains", _asks, judge_rate, together=("measured_link",), sends=LOAD)
SUBJECTS = {"measured_link": Subject("no two links between nodes of the same roles", links_with_siblings)}
