"""Judges that no host of one segment receives what the hosts of another send. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reports.checks import Check, Subject
from reports.checks.seen import is_wrapped
from reports.evidence import Cause, Finding, Sighting
from reports.judge.journey import in_order
from topology.errors import NotProven
from topology.model import Fabric
from topology.promises import Separation
from topology.refs import PortRef

SUBJECTS = {"separation": Subject("no segments apart", lambda lab: lab.apart)}


@dataclass(frozen=True)
class HostSent:
    """One packet of a host: what it is, the nodes at which it must not be heard, and every sighting of it."""

    source: str
    what: str
    sightings: tuple[Sighting, ...]
    refusal: str = ""


@dataclass(frozen=True)
class SeparationSeen:
    """The packets that the hosts of two segments sent; ``hosts`` are, by the sender's node, the nodes of the other
    segment's hosts.

    ``mute`` are the hosts that did not reach one of their own segment, with the reason. ``own`` has, by the sender's
    node, the places that the pings within its segment passed, and all bridges.
    """

    sent: Sequence[HostSent]
    hosts: dict[str, frozenset[str]]
    mute: Sequence[str] = ()
    own: Mapping[str, frozenset[PortRef]] = field(default_factory=dict)

    @property
    def heard(self) -> Iterator[tuple[HostSent, Sighting]]:
        """Each packet that was heard where it must not be, with its first sighting there."""
        for one in self.sent:
            for node in sorted(self.hosts[one.source]):
                if (seen := heard_at(node, one.sightings)) is not None:
                    yield one, seen

    @property
    def suspects(self) -> tuple[str, ...]:
        """The nodes on the path of the first packet that was heard, in order of time."""
        first = next((one for one, _ in self.heard), None)
        return tuple(dict.fromkeys(seen.node for seen in in_order(first.sightings))) if first else ()

    def crossing(self, one: HostSent) -> Sighting | None:
        """The first sighting of an unencapsulated packet outside its own segment; None if only a host of the other
        segment saw it.
        """
        own = self.own.get(one.source)
        bare = (seen for seen in in_order(one.sightings) if not is_wrapped(seen))
        first = next((seen for seen in bare if own and seen.ref not in own), None)
        return None if first is None or first.node in self.hosts[one.source] else first


def heard_at(node: str, sightings: Sequence[Sighting]) -> Sighting | None:
    """Return the first sighting that shows that a node received a packet: unencapsulated there, or in a tunnel that
    ends there.

    A tunnel's packet that leaves the node again was only forwarded.
    """
    here = [seen for seen in in_order(sightings) if seen.node == node]
    bare = next((seen for seen in here if not is_wrapped(seen)), None)
    passes = any(seen.direction == "out" for seen in here)
    return bare or (here[0] if here and not passes else None)


def judge_apart(name: str, seen: SeparationSeen) -> Finding:
    """Return whether nothing was heard; the message names the first packet that was, and counts the others."""
    heard = list(seen.heard)
    if not heard:
        return Finding(True, f"{name} - {len(seen.sent)} packets - none heard by the other segment")
    one, first = heard[0]
    more = f"; and {len(heard) - 1} more" if len(heard) > 1 else ""
    words = f"{first.ref} - {one.what} from {one.source} - expected nothing of it - seen {first.headers.summary()}"
    crossing, causes = seen.crossing(one), tuple[Cause, ...]()
    if crossing is not None:
        way, right = f"{one.what} from {one.source} {crossing.direction}", f"nothing of {one.source}'s segment"
        causes = (Cause("separation", crossing.node, crossing.interface, right, way, "", source="traffic"),)
        more += f" - it left its segment at {crossing.place}"
    return Finding(False, f"{words}{more}", causes, seen.suspects)


def judge_separation(_: Fabric, answers: Sequence[SeparationSeen], separation: Separation) -> Finding:
    """Return whether two segments never hear each other; not proven while a host does not reach its own segment."""
    (seen,) = answers
    finding = judge_apart(str(separation), seen)
    if finding and seen.mute:
        raise NotProven(seen.mute[0])
    return finding


APART = Check("segments", lambda _, two: [two], judge_separation, together=("separation",), sends="")
