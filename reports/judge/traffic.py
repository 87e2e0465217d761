"""The role of each node in given journeys: only what their packets meet can explain a failure. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from topology.expected import ExpectedHop, ExpectedJourney, expected_journey, probes_of, reply_to
from topology.model import Address, Fabric
from topology.packet import IP_VERSIONS, Layers, Probe, ends_of, size_of


@dataclass(frozen=True)
class Received:
    """A packet that a device hands to its node's IP; ``forwarded`` where it is for an address of another node."""

    device: str
    src: Address
    forwarded: bool


@dataclass
class Handled:
    """One node's part: the devices that packets pass, and the packets that it routes, receives, bridges and answers."""

    devices: set[str] = field(default_factory=set)
    targets: set[Address] = field(default_factory=set)
    """The destinations that it looks up in its routes."""
    sources: set[Address] = field(default_factory=set)
    """The sources of the packets that its IP handles, its own among them."""
    received: set[Received] = field(default_factory=set)
    bridged: set[int] = field(default_factory=set)
    """The IP versions of the packets that it bridges."""
    answers: set[tuple[int, str]] = field(default_factory=set)
    """The IP version and the protocol of the probes that end here."""
    size: int = 0
    """The largest packet, in bytes from its IP header on."""

    @property
    def versions(self) -> set[int]:
        """The IP versions of the packets that the node's IP handles."""
        return {target.version for target in self.targets} | {one.src.version for one in self.received}


@dataclass
class Traffic:
    """The packets of some journeys, by node, with every address and MAC that they need."""

    fabric: Fabric
    nodes: dict[str, Handled] = field(default_factory=dict)
    ips: set[Address] = field(default_factory=set)
    macs: set[str] = field(default_factory=set)
    astray: set[str] = field(default_factory=set)
    """The nodes that showed a packet where none is expected: there anything may be the cause."""
    sized: bool = False
    """True for packets of a search for sizes: then every other MTU counts, and so do ICMP errors."""

    @classmethod
    def of(cls, fabric: Fabric, journeys: Iterable[ExpectedJourney], astray: Iterable[tuple[str, str]] = ()) -> Traffic:
        """The packets of these journeys; ``astray`` are the node and interface of unexpected sightings."""
        traffic = cls(fabric)
        for journey in journeys:
            for path in journey.paths:
                for hop in path.hops:
                    traffic._add(hop)
                traffic._add_answer(journey.target, path.hops[:1])
        for node, interface in astray:
            traffic.astray.add(node)
            traffic.at(node).devices.add(interface)
        return traffic

    def at(self, node: str) -> Handled:
        """Return a node's part in the journeys; empty where no packet passes it."""
        return self.nodes.setdefault(node, Handled())

    def _add(self, hop: ExpectedHop) -> None:
        node, handled = self.fabric[hop.node], self.at(hop.node)
        bridge = node.bridge_of(hop.interface)
        handled.devices |= {hop.interface, *([bridge.name] if bridge else ())}
        self.macs |= {str(fields[end]) for name, fields in hop.layers if name == "ether" for end in ("src", "dst")}
        ends = [end for name, fields in hop.layers if name in IP_VERSIONS for end in ends_of(fields)]
        self.ips |= set(ends)
        packet = _without_frame(hop.layers)
        handled.size = max(handled.size, size_of(packet))
        if bridge:
            handled.bridged.add(ends[0].version)
        elif hop.layers[1][0] != "dot1q":
            self.ips |= {interface.ip for interface in node[hop.interface].addresses}
            handled.sources.add(ends[0])
            if hop.direction == "out":
                handled.targets.add(ends[1])
            else:
                handled.received.add(Received(hop.interface, ends[0], ends[1] not in node.addresses))

    def _add_answer(self, target: str, first: Iterable[ExpectedHop]) -> None:
        for hop in first:
            names = [name for name, _ in _without_frame(hop.layers)]
            self.at(target).answers.add((IP_VERSIONS[names[0]], names[1]))


def _without_frame(layers: Layers) -> Layers:
    """A packet from its outermost IP header on."""
    at = next(number for number, (name, _) in enumerate(layers) if name in IP_VERSIONS)
    return layers[at:]


def all_traffic(fabric: Fabric) -> Traffic:
    """The packets of all that a lab promises: between its pairs, the ends of its links, and those of its tunnels."""
    owners = {address: node.name for node in fabric.nodes for address in node.addresses}
    ends = {ends for tunnel in fabric.tunnels for ends in fabric.outer_ends(tunnel)}
    for link in fabric.links:
        a, b = (fabric[end.node][end.interface].addresses for end in link.ends)
        ends |= {(one.ip, other.ip) for one in a[:1] for other in b[:1]}
    probes = [probe for pair in fabric.pairs for probe in probes_of(fabric, pair)]
    probes += [Probe(owners[a], owners[b], a, b) for a, b in ends if a in owners and b in owners]
    both = (one for probe in probes for one in (probe, reply_to(probe)) if probe.src.version == probe.dst.version)
    return Traffic.of(fabric, (expected_journey(fabric, probe) for probe in both))
