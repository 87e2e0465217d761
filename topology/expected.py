"""The journey of a packet through a declared fabric, hop by hop, with the header stack at each. Pure.

A small model of Linux forwarding walks the declaration: longest-prefix routing, neighbour resolution on a Layer 2
segment, learned bridging, VXLAN, Geneve and GRE in and out, TTLs, lengths and MAC addresses. Verdicts
compare the seen journey with it, and a lab whose pairs cannot reach each other as declared is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from topology.carried import encapsulation, kind_of
from topology.dataplane.paths import Direction, ExpectedHop, ExpectedPath
from topology.dataplane.walk import PacketWalk
from topology.errors import Problem
from topology.model import Fabric
from topology.packet import Probe, ttl_of
from topology.promises import Encapsulation, Kind, Pair

__all__ = [
    "Direction",
    "ExpectedHop",
    "ExpectedJourney",
    "ExpectedPath",
    "check_pairs",
    "expected_journey",
    "probe_between",
    "probes_of",
    "reply_to",
]


@dataclass(frozen=True)
class ExpectedJourney:
    """The set of legal paths of one packet from a node to a node; each starts and ends at an interface of theirs.

    ``copies`` are the paths of copies that may be seen besides: a device that learns nothing, or soon forgets, sends
    the packet's frame to others too.
    """

    source: str
    target: str
    paths: tuple[ExpectedPath, ...]
    copies: tuple[ExpectedPath, ...] = ()

    @property
    def dropped(self) -> str:
        """The reason why the packet cannot arrive on some path; empty when it arrives on all."""
        return next((path.dropped for path in self.paths if path.dropped), "")

    @property
    def kind(self) -> Kind | None:
        """The kind in which the packet is carried, when all paths agree; None where no kind fits."""
        kinds = {_kind(path) for path in self.paths}
        return kinds.pop() if len(kinds) == 1 else None

    @property
    def tunnels(self) -> tuple[Encapsulation, ...]:
        """The tunnels next to the customer's packet on its paths, each once."""
        found = (encapsulation(hop.layers) for path in self.paths for hop in path.hops)
        return tuple(dict.fromkeys(tunnel for tunnel in found if tunnel is not None))


def expected_journey(fabric: Fabric, probe: Probe) -> ExpectedJourney:
    """Return every legal path of a probe through a fabric; it is walked once."""
    if probe not in fabric.walked:
        walk = PacketWalk(fabric, probe.target)
        paths = tuple(walk.send(fabric[probe.source], probe.layers, ()))
        fabric.walked[probe] = ExpectedJourney(probe.source, probe.target, paths, tuple(walk.copies))
    journey: ExpectedJourney = fabric.walked[probe]
    return journey


def check_pairs(fabric: Fabric) -> Iterator[Problem]:
    """Yield the pairs whose traffic cannot arrive, or is not carried as the pair declares."""
    for pair in fabric.walkable_pairs:
        for probe in probes_of(fabric, pair):
            source, target = probe.source, probe.target
            if probe.src.version != probe.dst.version:
                what = f"{source} -> {target} cannot start: {probe.src} and {probe.dst} are of two IP versions"
                yield Problem(pair.where, what, "nodes whose first addresses are of one version")
                continue
            journey = expected_journey(fabric, probe)
            if journey.dropped:
                right = f"a fabric in which {source} reaches {target}"
                yield Problem(pair.where, f"{source} -> {target} cannot arrive: {journey.dropped}", right)
            elif journey.kind != pair.kind:
                yield _wrong_kind(pair, source, target, journey)
            elif wrong := [tunnel for tunnel in journey.tunnels if not pair.within.allows(tunnel)]:
                what = f"{source} -> {target} is declared in {pair.within} but this fabric carries it in {wrong[0]}"
                yield Problem(pair.where, what, "the tunnel that carries it, or routes that lead into the declared one")


def probes_of(fabric: Fabric, pair: Pair) -> tuple[Probe, Probe]:
    """Return a plain ICMP echo request between the ends of a pair, and one the other way."""
    src, dst = pair.src or fabric[pair.source].address, pair.dst or fabric[pair.target].address
    return Probe(pair.source, pair.target, src, dst), Probe(pair.target, pair.source, dst, src)


def probe_between(fabric: Fabric, source: str, target: str) -> Probe:
    """Return a plain ICMP echo request between two nodes' first addresses."""
    return Probe(source, target, fabric[source].address, fabric[target].address)


def _wrong_kind(pair: Pair, source: str, target: str, journey: ExpectedJourney) -> Problem:
    what = f"{source} -> {target} is declared {pair.kind} but this fabric carries it as {journey.kind or 'no kind'}"
    right = f"kind: {journey.kind}" if journey.kind else "addresses and routes that carry it as declared"
    return Problem(pair.where, what, right)


def _kind(path: ExpectedPath) -> Kind | None:
    return kind_of(([name for name, _ in hop.layers], ttl_of(hop.layers)) for hop in path.hops) if path.hops else None


def reply_to(probe: Probe) -> Probe:
    """Return the answer that a probe must bring."""
    source, target, src, dst = probe.target, probe.source, probe.dst, probe.src
    return replace(probe, source=source, target=target, src=src, dst=dst, is_reply=not probe.is_reply)
