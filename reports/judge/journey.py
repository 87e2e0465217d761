"""The verdict on a journey: the first divergence between the expected hops and the seen ones. Pure.

Expected and seen hops are the rungs of a ladder, in the expected order: a hop that was not seen, shows other headers,
comes before its predecessor or is nowhere expected is a divergence. Equal
timestamps are in order: a decapsulated packet keeps its frame's (``__netif_receive_skb_core``, net/core/dev.c).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from reports.evidence import Cause, Journey, Sighting
from reports.words import COPY, NOTHING
from topology.expected import ExpectedHop, ExpectedJourney, ExpectedPath
from topology.links import NOT_FOLLOWED
from topology.packet import ICMP_ECHO, Probe
from topology.refs import Placed


@dataclass(frozen=True)
class Rung(Placed):
    """One row of the ladder; ``wrong`` says what is, and is empty where expected and seen agree."""

    node: str
    interface: str
    direction: str
    expected: ExpectedHop | None
    seen: Sighting | None
    wrong: str = ""


@dataclass(frozen=True)
class Verdict:
    """A judged journey: its ladder, the first divergence in it, and the causes once they have been looked for.

    The most likely cause comes first. Where none was found, ``asked`` are the sources that found none. ``unkept`` says
    which promise the journey breaks: it can do so where every hop is as the nodes' own state would have it.
    """

    source: str
    target: str
    rungs: tuple[Rung, ...]
    note: str = ""
    causes: tuple[Cause, ...] = ()
    asked: tuple[str, ...] = ()
    unkept: str = ""

    @property
    def unknown(self) -> str:
        """What is known and what is not, if no cause was found; empty if one was, or if none was looked for."""
        if self.causes or not self.asked:
            return ""
        last, rung = self.last_good, self.divergence
        right = f"right until {last.place}" if last else "right nowhere"
        then = f", then {'wrong' if rung.seen else 'not seen'} at {rung.place}" if rung else ""
        return f"{right}{then}; nothing against it in {', '.join(self.asked)}"

    @property
    def cause(self) -> Cause | None:
        """The most likely cause; None where none was found."""
        return next(iter(self.causes), None)

    @property
    def divergence(self) -> Rung | None:
        """The first rung that is wrong."""
        return next((rung for rung in self.rungs if rung.wrong), None)

    @property
    def passed(self) -> bool:
        """Return whether everything expected was seen and nothing else, and no promise is broken."""
        return self.divergence is None and bool(self.rungs) and not self.unkept

    @property
    def last_good(self) -> Rung | None:
        """The rung before the first divergence: the last place that the packet reached as declared."""
        good = _good_prefix(self.rungs)
        return self.rungs[good - 1] if good else None

    @property
    def message(self) -> str:
        """One line in the common grammar."""
        rung = self.divergence
        if rung is None and self.unkept:
            return self.unkept
        if rung is None:
            return f"{self.source} -> {self.target} as declared" if self.rungs else "no hops to judge"
        expected = rung.expected.stack.summary() if rung.expected else NOTHING
        seen = rung.seen.headers.summary() if rung.seen else NOTHING
        place = f"{rung.node} - {self.source} -> {self.target} at {rung.interface} {rung.direction}"
        reason = f" - {rung.wrong}" if rung.seen and (rung.expected or rung.wrong == COPY) else ""
        note = f" - {self.note}" if self.note else ""
        return f"{place} - expected {expected} - seen {seen}{reason}{note}"


def judge_journey(journey: Journey, expected: ExpectedJourney) -> Verdict:
    """Judge a journey against the legal path that it follows furthest.

    What is seen behind a path that is not followed to its end is neither expected nor wrong, and a note says so.
    """
    ladders = [ladder(journey.sightings, path) for path in expected.paths]
    rungs = follows_furthest(ladders)
    ends = [path.dropped for path, laid in zip(expected.paths, ladders, strict=True) if laid is rungs]
    unread = next((rung for rung in rungs if rung.expected is None and not rung.wrong), None)
    why = f"not followed from {unread.place} on: {ends[0]}" if unread else ""
    return Verdict(expected.source, expected.target, rungs, "; ".join(filter(None, (journey.note, why))), unkept=why)


def follows_furthest(ladders: Sequence[tuple[Rung, ...]]) -> tuple[Rung, ...]:
    """The ladder with the most correct rungs from the start, and of those the fewest wrong ones after them."""
    return max(ladders, key=lambda rungs: (_good_prefix(rungs), -sum(1 for rung in rungs if rung.wrong)), default=())


def without_copies(journey: Journey, expected: ExpectedJourney) -> Journey:
    """The journey without sightings of declared copies, each hop of a copy at most once."""
    if not expected.copies:
        return journey
    copies = [hop for path in expected.copies for hop in path.hops]
    own = [hop for path in expected.paths for hop in path.hops]
    kept = []
    for seen in journey.sightings:
        copy = None if any(_shows(hop, seen) for hop in own) else next((c for c in copies if _shows(c, seen)), None)
        if copy is None:
            kept.append(seen)
        else:
            copies.remove(copy)
    return replace(journey, sightings=tuple(kept))


def _shows(hop: ExpectedHop, seen: Sighting) -> bool:
    return hop.place == seen.place and seen == hop.stack


def ladder(sightings: Sequence[Sighting], path: ExpectedPath) -> tuple[Rung, ...]:
    """Match the hops of one path with the sightings."""
    left = in_order(sightings)
    rungs: list[Rung] = []
    latest = 0
    for hop in path.hops:
        seen = next((sighting for sighting in left if sighting.place == hop.place), None)
        if seen is not None:
            left.remove(seen)
        rungs.append(_rung(hop, seen, latest))
        latest = max(latest, seen.time_ns) if seen else latest
    for extra in left:
        _insert(rungs, extra, NOT_FOLLOWED in path.dropped)
    return tuple(rungs)


def in_order(sightings: Iterable[Sighting]) -> list[Sighting]:
    """Sightings by time; of equal times by the order in which the taps were read."""
    return sorted(sightings, key=lambda seen: (seen.time_ns, seen.order))


def _rung(hop: ExpectedHop, seen: Sighting | None, latest_ns: int) -> Rung:
    if seen is None:
        wrong = NOTHING
    elif (mismatch := hop.stack.mismatch(seen.headers)) is not None:
        wrong = str(mismatch)
    elif seen.time_ns < latest_ns:
        wrong = f"seen {latest_ns - seen.time_ns} ns before the hop that must precede it"
    else:
        wrong = ""
    return Rung(hop.node, hop.interface, hop.direction, hop, seen, wrong)


def _insert(rungs: list[Rung], extra: Sighting, is_cut: bool) -> None:
    """Put an unexpected sighting behind the last rung that was seen no later; it is not wrong behind the last hop of a
    path that ``is_cut``.
    """
    at = max((n for n, rung in enumerate(rungs, 1) if rung.seen and rung.seen.time_ns <= extra.time_ns), default=0)
    before = (rung.seen for rung in rungs if rung.seen and rung.place == extra.place)
    is_copy = any(one.headers.summary() == extra.headers.summary() for one in before)
    is_unknown = is_cut and not any(rung.expected for rung in rungs[at:])
    wrong = COPY if is_copy else "" if is_unknown else "nothing is expected here"
    rungs.insert(at, Rung(extra.node, extra.interface, extra.direction, None, extra, wrong))


def _good_prefix(rungs: Iterable[Rung]) -> int:
    return sum(1 for _ in takewhile(lambda rung: not rung.wrong, rungs))


def journey_of(probe: Probe, seen: Iterable[Sighting], protocol: str, note: str = "") -> Journey:
    """Sightings of a probe, in order: of equal times the target's last.

    What a macvlan hands to another namespace keeps its time, as no veth does (__dev_forward_skb, net/core/dev.c).
    """
    last = (probe.target, "in")
    ordered = sorted(seen, key=lambda one: (one.time_ns, (one.node, one.direction) == last, one.order))
    return Journey(probe.source, probe.target, protocol, tuple(ordered), note)


def is_leg(sighting: Sighting, probe: Probe, rewritten: bool = False) -> bool:
    """Return whether a frame is the probe's, by its innermost addresses and, for an echo, its type.

    Of one that may be ``rewritten`` on its way (NAT) one of both addresses is enough.
    """
    ends = [(str(header["src"]), str(header["dst"])) for header in sighting.ips[-1:]]
    alike = [one == other for one, other in zip(ends[0], (str(probe.src), str(probe.dst)), strict=True)] if ends else []
    if not (any(alike) if rewritten else alike and all(alike)):
        return False
    icmp = sighting.headers.get("icmp", -1)
    return icmp is None or icmp["type"] == ICMP_ECHO[probe.src.version][probe.is_reply]
