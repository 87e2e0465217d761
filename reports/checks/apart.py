"""Judge that what the hosts of one segment send is heard by no host of another one. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reports.checks import Check, Subject
from reports.checks.seen import is_wrapped
from reports.evidence import Finding, Sighting
from reports.judge.journey import in_order
from topology.errors import NotProven
from topology.model import Fabric
from topology.promises import Separation

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
    """What the hosts of each of two segments sent; ``hosts`` are the nodes of the other one's, by the sender's node.

    ``mute`` are the hosts that did not reach one of their own segment, with the reason.
    """

    sent: Sequence[HostSent]
    hosts: dict[str, frozenset[str]]
    mute: Sequence[str] = ()

    @property
    def heard(self) -> Iterator[tuple[HostSent, Sighting]]:
        """Each packet that was heard where it must not be, with its first sighting there."""
        for one in self.sent:
            for node in sorted(self.hosts[one.source]):
                if (seen := heard_at(node, one.sightings)) is not None:
                    yield one, seen

    @property
    def suspects(self) -> tuple[str, ...]:
        """The nodes on the way of the first packet that was heard, in the order of time."""
        first = next((one for one, _ in self.heard), None)
        return tuple(dict.fromkeys(seen.node for seen in in_order(first.sightings))) if first else ()


def heard_at(node: str, sightings: Sequence[Sighting]) -> Sighting | None:
    """Return the first sighting by which a node hears a packet: bare there, or in a tunnel that ends there.

    A tunnel's packet that leaves the node again only passes it.
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
    return Finding(False, f"{words}{more}", suspects=seen.suspects)


def judge_separation(_: Fabric, answers: Sequence[SeparationSeen], separation: Separation) -> Finding:
    """Return whether two segments never hear each other; not proven while a host does not reach its own segment."""
    (seen,) = answers
    finding = judge_apart(str(separation), seen)
    if finding and seen.mute:
        raise NotProven(seen.mute[0])
    return finding


APART = Check("segments", lambda _, two: [two], judge_separation, together=("separation",), for_adopted=True)
