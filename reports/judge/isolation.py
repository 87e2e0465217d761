"""Frames of tenants, forged packets and packets to the outside, and where each was seen: what judges of isolation read.

A frame is *bare* where no header of a tunnel of frames is around it. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reports.evidence import Sighting
from reports.judge.journey import in_order
from topology.expected import ExpectedJourney
from topology.isolation.domains import Domain, FrameKind
from topology.isolation.forgery import Forgery
from topology.links import FRAME_HEADERS
from topology.packet import Probe
from topology.refs import PortRef


@dataclass(frozen=True)
class FrameSeen:
    """One frame of a domain's station: where it must be bare, where it may be in a tunnel, and where it was seen.

    It is for ``target``, or for all. The answer to an ARP request of an ``asker`` is sent by asking.
    """

    domain: Domain
    source: PortRef
    kind: FrameKind
    expected: frozenset[PortRef]
    transit: frozenset[PortRef]
    sightings: tuple[Sighting, ...] = ()
    possible: frozenset[PortRef] = frozenset()
    """Further places where it may be, as a device on its way may have forgotten the target's MAC."""
    target: PortRef | None = None
    asker: PortRef | None = None

    @property
    def what(self) -> str:
        """The frame in words."""
        return f"{self.kind} frame of {self.domain} from {self.source}"


@dataclass(frozen=True)
class ForgerySeen:
    """A forged packet and every sighting of it."""

    forgery: Forgery
    sightings: tuple[Sighting, ...]

    @property
    def delivered(self) -> Mapping[PortRef, Sighting]:
        """Places of its bare frame; an ICMP error that quotes the packet delivers nothing."""
        return bare(seen for seen in self.sightings if not seen.is_error)


@dataclass(frozen=True)
class ForgeryAttempt:
    """All forgeries of one sender, and a packet like the peer's own that followed them the same way."""

    forged: tuple[ForgerySeen, ...]
    control: ForgerySeen


@dataclass(frozen=True)
class OutwardSeen:
    """A probe to the outside: how far the declaration lets it come, and every sighting of it and of what it brought."""

    probe: Probe
    expected: ExpectedJourney
    sightings: tuple[Sighting, ...]
    refusal: str = ""


@dataclass(frozen=True)
class Surroundings:
    """A node's devices that are up, rules, routes of other tables, and resolvers, to be compared with the declared
    ones.
    """

    node: str
    up: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    resolvers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outwards:
    """Sightings of every node's probes, and those on this machine's own interfaces, as interface and packet's sender.

    ``why_not`` says why this machine's interfaces were not read.
    """

    probes: Mapping[str, tuple[OutwardSeen, ...]]
    strays: tuple[tuple[str, str], ...] = ()
    why_not: str = ""


@dataclass(frozen=True)
class HomeSeen:
    """The devices of the network namespace in which a kernel's agent started, and the kernel's name."""

    kernel: str
    devices: tuple[str, ...]


def bare(sightings: Iterable[Sighting]) -> dict[PortRef, Sighting]:
    """Return the first sighting at each interface where no tunnel is around the frame, in the order of time."""
    found: dict[PortRef, Sighting] = {}
    for seen in in_order(sightings):
        if FRAME_HEADERS.isdisjoint(seen.layers):
            found.setdefault(seen.ref, seen)
    return found


def arrives(seen: ForgerySeen) -> bool:
    """Return whether a forger's packet got through its VTEP."""
    return seen.forgery.attack_path.vtep.ref in seen.delivered
