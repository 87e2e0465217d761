"""Addresses and MACs that two nodes of one segment have, where a packet needs them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from topology.dataplane.paths import Ending, ExpectedHop
from topology.expected import ExpectedJourney
from topology.model import Bridge, Device, Fabric, Subinterface
from topology.packet import Probe

VIRTUAL = "00:00:5e:00:0"
"""The MACs of virtual routers, which several nodes have on purpose (RFC 9568, section 7.3)."""
GATEWAYS = (Bridge, Subinterface)
"""What has the MAC of a gateway that is in several nodes on purpose."""


def doubled(fabric: Fabric, probe: Probe, way: ExpectedJourney) -> Iterator[Ending]:
    """Yield the duplicate addresses and MACs on the segments on which a packet leaves its nodes."""
    for hop in (hop for path in way.paths for hop in path.hops if hop.direction == "out"):
        if hop.layers[0][0] == "ether" and fabric[hop.node].bridge_of(hop.interface) is None:
            yield from _on_segment(fabric, probe, hop)


def _on_segment(fabric: Fabric, probe: Probe, hop: ExpectedHop) -> Iterator[Ending]:
    device, ether = fabric[hop.node][hop.interface], hop.layers[0][1]
    macs = {ether["src"], ether["dst"]}
    ends = {probe.source: probe.src, probe.target: probe.dst}
    for one, other in combinations(dict.fromkeys((device, *fabric.segment(device))), 2):
        both = {i.ip for i in one.addresses} & {i.ip for i in other.addresses}
        if one.node == other.node or (both and one.mac == other.mac):
            continue  # a gateway that is in several nodes on purpose has the same MAC in each
        for address in sorted(both, key=str):
            holders = sorted((one, other), key=lambda holder: ends.get(holder.node) == address)
            known = ends.get(holders[1].node) == address
            yield _both(holders[0], holders[1], f"{address}", "address", known)
        if one.mac != other.mac or one.mac not in macs:
            continue
        without, gateway = sorted((one, other), key=lambda end: bool(end.addresses))
        if gateway.addresses and not without.addresses and all(isinstance(end, GATEWAYS) for end in (one, other)):
            wanted = f"{gateway.addresses[0]}, as {gateway.ref} has with the same MAC"
            yield Ending(without.node, without.name, "no address", "address", wanted)
        elif not str(one.mac).startswith(VIRTUAL):
            first, second = sorted((one, other), key=lambda holder: holder.node not in ends)
            yield _both(first, second, f"{one.mac}", "mac", known=False)


def _both(wrong: Device, right: Device, what: str, kind: str, known: bool) -> Ending:
    """Return what two devices have; unless it is ``known`` which is wrong, either may be."""
    sides = [
        Ending(at.node, at.name, what, kind, f"another one: {other.ref} has it too")
        for at, other in ((wrong, right), (right, wrong))
    ]
    return sides[0] if known else Ending(wrong.node, wrong.name, what, kind, sides[0].wanted, (sides[1],))
