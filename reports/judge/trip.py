"""A round trip, seen and judged, with the properties that tests assert. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from reports.evidence import Cause, Finding, Journey, Sighting, first_broken
from reports.judge.encapsulation import judge_encapsulation
from reports.judge.journey import Verdict, judge_journey, without_copies
from topology.errors import NotApplicable
from topology.expected import ExpectedJourney
from topology.links import TUNNEL_HEADERS
from topology.model import Link
from topology.packet import ttl_of
from topology.promises import Encapsulation
from topology.refs import PortRef


def is_tunnelled(layers: Iterable[str]) -> bool:
    """Return whether a header stack has a tunnel's header."""
    return not TUNNEL_HEADERS.isdisjoint(layers)


@dataclass(frozen=True, eq=False)
class Leg:
    """One direction of a trip; it equals the ExpectedJourney it was judged against when the verdict is good."""

    journey: Journey
    expected: ExpectedJourney
    verdict: Verdict

    @classmethod
    def judged(cls, journey: Journey, expected: ExpectedJourney) -> Leg:
        """A journey without the declared copies of its packet, judged; its cause is still to be looked for."""
        own = without_copies(journey, expected)
        return cls(own, expected, judge_journey(own, expected))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ExpectedJourney):
            return other == self.expected and self.verdict.passed
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return self.verdict.message

    def at(self, node: str, interface: str | None = None, direction: str | None = None) -> Sighting | None:
        """Return the first sighting at a node, at one interface or in one direction where asked."""
        return self.journey.at(node, interface, direction)

    def sighting(self, node: str, interface: str, direction: str | None = None) -> Sighting:
        """Return the first sighting there; PromiseBroken where the packet was not seen."""
        return self.journey.sighting(node, interface, direction)

    @property
    def arrived(self) -> Finding:
        """Return whether the packet reached its target; the message names the hop where it was lost, and the cause."""
        return Finding(True) if self.journey.arrived else self.fails("did not arrive")

    @property
    def as_declared(self) -> Finding:
        """Return whether every hop was as the declaration derives, and no other was seen."""
        return Finding(True) if self.verdict.passed else self.fails("diverges")

    def fails(self, what: str) -> Finding:
        """Return a finding against this leg, with the verdict's message and cause."""
        cause = f" - cause: {self.verdict.cause}" if self.verdict.cause else ""
        words = f"{self.journey.source} -> {self.journey.target} {what}: {self.verdict.message}{cause}"
        return Finding(False, words, self.verdict.causes)

    def never_bare(self, on: Iterable[Link]) -> Finding:
        """Judge that the packet was inside a tunnel on each of the links where the declared path has it in one.

        A link that the path crosses once more, before encapsulation or after decapsulation, may show it bare as often.
        Raises NotApplicable where none of the links lies between encapsulation and decapsulation.
        """
        inside, bare = self._declared_on({end for link in on for end in link.ends})
        ends = f"{self.expected.source} -> {self.expected.target}"
        if not inside:
            raise NotApplicable(f"{ends}: no link of its declared path lies between encapsulation and decapsulation")
        there = [seen for seen in self.journey.sightings if seen.ref in inside]
        bare_there = [seen for seen in there if not is_tunnelled(seen.layers)]
        too_many = Counter(seen.ref for seen in bare_there) - bare
        for seen in bare_there:
            if seen.ref in too_many:
                where = f"{seen.node} - {seen.interface}"
                return Finding(False, f"{where} - expected inside a tunnel - seen {seen.headers.summary()}")
        where = ", ".join(map(str, inside))
        return Finding(
            len(there) > len(bare_there), f"{ends} - expected inside a tunnel at {where} - seen at none of them"
        )

    def _declared_on(self, ports: Collection[PortRef]) -> tuple[Sequence[PortRef], Counter[PortRef]]:
        """Return those of the ports at which a legal path has the packet in a tunnel, and how often one has it bare."""
        inside: dict[PortRef, None] = {}
        bare = Counter[PortRef]()
        for path in self.expected.paths:
            hops = [(hop.ref, is_tunnelled(name for name, _ in hop.layers)) for hop in path.hops if hop.ref in ports]
            inside |= dict.fromkeys(ref for ref, wrapped in hops if wrapped)
            bare |= Counter(ref for ref, wrapped in hops if not wrapped)
        return list(inside), bare

    def silent_at(self, node: str) -> Finding:
        """Return whether the packet was not seen at a node."""
        seen = self.at(node)
        return Finding(seen is None, "as declared" if seen is None else f"{node} - expected nothing - seen {seen}")

    @property
    def lowered_by(self) -> int | None:
        """The difference of the customer's TTL between the first and the last sighting; None if it had none."""
        ttls = [seen.ttl for seen in self.journey.sightings]
        return None if not ttls or ttls[0] is None or ttls[-1] is None else ttls[0] - ttls[-1]

    @property
    def outer_ends(self) -> frozenset[frozenset[str]]:
        """The two addresses of every IP header that wraps another one, at any hop."""
        outer = (header for seen in self.journey.sightings for header in seen.ips[:-1])
        return frozenset(frozenset((str(header["src"]), str(header["dst"]))) for header in outer)

    @property
    def bare_on_arrival(self) -> Finding:
        """Return whether the last sighting, at the target, shows no tunnel's header any more."""
        seen = self.journey.sightings[-1] if self.journey.sightings else None
        bare = seen is not None and seen.node == self.journey.target and not is_tunnelled(seen.layers)
        return Finding(bare, f"{self.journey.target} - expected the customer's own headers - seen {seen}")

    @property
    def frame_unchanged(self) -> Finding:
        """Return whether the last frame is, byte for byte, the first."""
        frames = [seen.wire for seen in self.journey.sightings]
        same = len(frames) > 1 and frames[0] == frames[-1]
        return Finding(same, f"{self.journey.target} - expected the frame that was sent - seen another")

    @property
    def declared_lowering(self) -> int:
        """The number of routed hops outside tunnels, by which the declared path lowers the customer's TTL."""
        hops = self.expected.paths[0].hops
        return int(str(ttl_of(hops[0].layers))) - int(str(ttl_of(hops[-1].layers)))


@dataclass(frozen=True, eq=False)
class Trip:
    """A probe, its answer, and the errors that quote it."""

    out: Leg
    back: Leg
    errors: tuple[Journey, ...] = ()

    def __repr__(self) -> str:
        return f"the trip {self.out.journey.source} -> {self.out.journey.target}"

    @property
    def legs(self) -> tuple[Leg, Leg]:
        """Out and back."""
        return (self.out, self.back)

    def at(self, node: str, interface: str | None = None, direction: str | None = None) -> Sighting | None:
        """Return the request's first sighting there."""
        return self.out.at(node, interface, direction)

    def sighting(self, node: str, interface: str, direction: str | None = None) -> Sighting:
        """Return the request's first sighting there; PromiseBroken where it was not seen."""
        return self.out.sighting(node, interface, direction)

    @property
    def outer_ends(self) -> frozenset[frozenset[str]]:
        """The two addresses of every IP header that wraps another one, at any hop of both ways."""
        return self.out.outer_ends | self.back.outer_ends

    @property
    def frame(self) -> Any:
        """The request's frame as its sender let it go, as a scapy packet with every field set."""
        sent = self.out.journey.sightings
        return sent[0].packet if sent else None

    @property
    def payload(self) -> bytes:
        """The request's payload, behind its transport header; empty if it was never seen."""
        sent = self.out.journey.sightings
        return sent[0].headers.payload if sent else b""

    @property
    def arrived(self) -> Finding:
        """Return whether the request reached its target and the answer its sender."""
        return first_broken(leg.arrived for leg in self.legs)

    @property
    def as_declared(self) -> Finding:
        """Return whether both directions were as declared at every hop."""
        return first_broken(leg.as_declared for leg in self.legs)

    def within(self, promised: Encapsulation) -> Finding:
        """Return whether both directions were in the promised tunnel."""
        return first_broken(judge_encapsulation(leg.journey, promised) for leg in self.legs)

    def never_bare(self, on: Iterable[Link]) -> Finding:
        """Judge the same for both directions."""
        links = tuple(on)
        return first_broken(leg.never_bare(links) for leg in self.legs)

    def silent_at(self, node: str) -> Finding:
        """Return whether the packets of neither direction were seen at a node."""
        return first_broken(leg.silent_at(node) for leg in self.legs)

    @property
    def causes(self) -> tuple[Cause, ...]:
        """The causes of the first leg that failed."""
        return next((leg.verdict.causes for leg in self.legs if not leg.verdict.passed), ())

    @property
    def cause(self) -> Cause | None:
        """The most likely cause of the first leg that failed."""
        return next(iter(self.causes), None)
