"""The model of forwarding and simulated kernels with the plan agree."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address

from tests.self.topology.simulated_frames import expected_layers
from tests.self.topology.simulation import Network, Seen
from topology.expected import expected_journey, probes_of
from topology.isolation.domains import domains
from topology.model import Fabric
from topology.packet import Probe
from topology.plan import make_plan
from topology.promises import Pair
from topology.refs import PortRef

TUNNELS = ("gre", "ipip", "vxlan", "geneve")


def assert_simulated(fabric: Fabric, pairs: Iterable[Pair]) -> None:
    """The simulated kernels pass a pair's probes on by one of the model's ways, hop by hop, and deliver them."""
    network = Network(make_plan(fabric))
    for pair in pairs:
        for probe in probes_of(fabric, pair):
            trace, arrived = walked(network, probe)
            ways = {
                tuple(Seen(h.node, h.interface, h.direction, expected_layers(h.layers)) for h in path.hops): path
                for path in expected_journey(fabric, probe).paths
            }
            assert tuple(trace) in ways, (pair, trace)
            last = ways[tuple(trace)].hops[-1].layers
            assert arrived == [(probe.target, int(str(last[1][1]["ttl"])))], pair


def assert_floods_simulated(fabric: Fabric) -> None:
    """A station's frame to all is bare in the simulated network at exactly its domain's members."""
    network = Network(make_plan(fabric))
    for domain in domains(fabric):
        for station in domain.stations:
            trace = network.flood(station.node, station.interface)
            bare = [seen for seen in trace if not any(layer.startswith(TUNNELS) for layer in seen.layers)]
            assert {PortRef(seen.node, seen.device) for seen in bare} == domain.members, station


def walked(network: Network, probe: Probe) -> tuple[list[Seen], list[tuple[str, int]]]:
    """Send a probe through the simulated kernels."""
    return network.probe(probe.source, IPv4Address(probe.src), IPv4Address(probe.dst))
