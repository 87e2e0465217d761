"""Evidence: the sightings and findings that instruments write, judges read and renderers show. No I/O."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from reports.record.exhibits import Cause as RecordedCause
from topology.errors import NotProven, PromiseBroken
from topology.refs import Placed
from topology.wire.headers import Headers, Vlan, quoted
from topology.wire.scapy_views import dissected
from topology.wire.stack import Stack
from topology.wire.walk import Header

Direction: TypeAlias = Literal["in", "out"]


@dataclass(frozen=True, eq=False)
class Sighting(Placed):
    """One frame at one interface: ``time_ns`` since the epoch, ``length`` on the wire in bytes.

    ``order`` is the place in its namespace's socket, which decides between equal timestamps; ``hardware`` is the
    device's ARPHRD type (linux/if_arp.h): 1 Ethernet, 778 GRE. A sighting equals a Stack that its headers match.
    """

    node: str
    interface: str
    direction: Direction
    time_ns: int
    order: int
    length: int
    frame: bytes
    headers: Headers
    hardware: int = 1
    vlan: Vlan | None = None

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Stack):
            return bool(other == self.headers)
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"{self.place}: {self.headers.summary()}"

    @property
    def has_ethernet(self) -> bool:
        """True where the frame starts with an Ethernet header."""
        return self.headers.layers[:1] == ("ether",)

    @property
    def wire(self) -> bytes:
        """The frame as it is on the wire: with the VLAN tag back in its place, without the capture's own header."""
        if not self.has_ethernet:
            return self.frame[self.headers[0].offset :] if len(self.headers) else self.frame
        if self.vlan is None:
            return self.frame
        return self.frame[:12] + struct.pack("!HH", self.vlan.tpid, self.vlan.tci) + self.frame[12:]

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of its headers, outermost first."""
        return self.headers.layers

    @property
    def ips(self) -> Sequence[Header]:
        """Its IP headers, outermost first."""
        return [header for header in self.headers if header.layer in ("ipv4", "ipv6")]

    @property
    def is_error(self) -> bool:
        """True for an ICMP error, which quotes another packet."""
        return quoted(self.headers) is not None

    @property
    def ttl(self) -> int | None:
        """The innermost TTL or hop limit: the customer's."""
        found = [header.fields.get("ttl", header.fields.get("hlim")) for header in self.ips]
        return int(found[-1]) if found and found[-1] is not None else None

    @property
    def udp_length(self) -> int | None:
        """The bytes that the outermost UDP header carries, as tcpdump prints "UDP, length"."""
        udp = self.headers.get("udp")
        return int(udp.fields["len"]) - 8 if udp and udp.fields["len"] else None

    @property
    def gre_length(self) -> int | None:
        """The bytes of the outermost GRE packet, its header included, as tcpdump prints "GREv0, length"."""
        outer = self.headers.get("ipv4")
        if self.headers.get("gre") is None or outer is None or not outer.fields["len"]:
            return None
        return int(outer.fields["len"]) - 4 * int(outer.fields["ihl"])

    @property
    def packet(self) -> Any:
        """The frame as scapy dissects it."""
        return dissected(self.wire)


@dataclass(frozen=True)
class Journey:
    """Every sighting of one packet, in order of time; ``note`` says what else is known, as a refusal to send.

    ``resolution`` are the sightings of requests for addresses, and of their answers, meanwhile.
    """

    source: str
    target: str
    protocol: str
    sightings: tuple[Sighting, ...]
    note: str = ""
    resolution: tuple[Sighting, ...] = field(default=(), repr=False)

    @property
    def arrived(self) -> bool:
        """True where the packet was seen coming in at its target."""
        return any(seen.node == self.target and seen.direction == "in" for seen in self.sightings)

    def all_at(self, node: str, interface: str | None = None, direction: str | None = None) -> Iterator[Sighting]:
        """The sightings at a node, at one interface or in one direction where asked."""
        for seen in self.sightings:
            if seen.node == node and interface in (None, seen.interface) and direction in (None, seen.direction):
                yield seen

    def at(self, node: str, interface: str | None = None, direction: str | None = None) -> Sighting | None:
        """The first sighting there; None, which equals no Stack, where the packet was not seen."""
        return next(self.all_at(node, interface, direction), None)

    def sighting(self, node: str, interface: str, direction: str | None = None) -> Sighting:
        """The first sighting there; PromiseBroken where the packet was not seen."""
        found = self.at(node, interface, direction)
        if found is None:
            way = f"{self.source} -> {self.target}"
            raise PromiseBroken(f"{node} - {interface} - expected {way} ({self.protocol}) - seen nothing")
        return found


@dataclass(frozen=True)
class Cause(RecordedCause):
    """A cause, with what stays out of the record: the part of a node's state that differs, and whether it decides."""

    about: object = field(default=None, compare=False, repr=False)
    """A link, a device and its address, a sysctl's key, a route, an entry."""
    sure: bool = field(default=True, compare=False, repr=False)
    """False for what may have changed a packet's fate, and may not."""
    remade: bool = field(default=False, compare=False, repr=False)
    """True where only making the device anew fixes it; ``fix`` removes what is left of it."""


@dataclass(frozen=True)
class Finding:
    """A claim about the network, held or not; its representation is the message that a failed assertion shows.

    The cause is still to be looked for where there are ``suspects``: the nodes that are asked first. The ``note`` of
    one that holds is for the report.
    """

    holds: bool
    message: str = "as declared"
    causes: tuple[Cause, ...] = ()
    suspects: tuple[str, ...] = ()
    note: str = ""

    def __bool__(self) -> bool:
        return self.holds

    def __repr__(self) -> str:
        return self.message

    @property
    def cause(self) -> Cause | None:
        """The most likely cause; None where none was found."""
        return next(iter(self.causes), None)


class LoopFound(PromiseBroken):
    """Frames circle, which breaks every promise along their path."""

    def __init__(self, cause: Cause, note: str) -> None:
        super().__init__(f"{cause.node} - {cause.interface} - expected {cause.declared} - seen {cause.live} - {note}")
        self.cause = cause


class LoopStands(NotProven):
    """Frames still circle in a fabric that must not be changed: nothing more can be proven there."""

    def __init__(self, found: Exception) -> None:
        super().__init__(f"the network loops: {found}")
        self.cause = found.cause if isinstance(found, LoopFound) else None


def first_broken(findings: Iterable[Finding], otherwise: str = "as declared") -> Finding:
    """The first finding that does not hold, or one that does."""
    return next((finding for finding in findings if not finding), Finding(True, otherwise))
