"""Removes from a failed pair's suspects the devices that the packets of other pairs pass. Pure.

The other pairs are walked through the same live state: a fault that it does not hold clears nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from topology.dataplane.paths import Ending
from topology.dataplane.reasons import other_bridge
from topology.expected import expected_journey, reply_to
from topology.links import TUNNELS
from topology.model import Device, Fabric, Tunnel
from topology.packet import Probe
from topology.promises import Kind
from topology.refs import PortRef

OF_DEVICE = frozenset(("bridge", "arp", *(kind for tunnel in TUNNELS for kind in tunnel.kinds)))
"""The kinds of endings by which no packet passes a device; others are about an address, a VLAN or a MAC."""


def without_cleared(fabric: Fabric, found: Ending, probe: Probe, others: Mapping[Probe, Kind]) -> Ending:
    """Return an ending without the devices that packets of other pairs pass, as promised.

    If all of them are such, a port is looked for that keeps the ends in different bridges; without one, the ending
    stays as it is.
    """
    suspects = [replace(found, others=()), *found.others]
    if not any(_is_of_device(fabric, one) for one in suspects):
        return found
    passed = frozenset(_passed(fabric, others))
    left = [one for one in suspects if not _is_of_device(fabric, one) or _device(fabric, one).ref not in passed]
    if len(left) < len(suspects):  # two tunnels, of which one works: they are no ends of each other
        left = [one for one in left if not _is_of_device(fabric, one) or not _is_joined(fabric, _device(fabric, one))]
    if not left:
        source, target = fabric[probe.source].addresses.get(probe.src), fabric[probe.target].addresses.get(probe.dst)
        is_bridged = source and any(probe.dst in one.network for one in source.addresses)
        port = other_bridge(fabric, source, target, passed) if source and target and is_bridged else None
        left = [port] if port else suspects
    return replace(left[0], others=tuple(left[1:]), asks=found.asks)


def _is_of_device(fabric: Fabric, end: Ending) -> bool:
    """Return whether no packet at all would pass a device: one of several remotes is of some packets."""
    if end.kind not in OF_DEVICE or end.interface is None or not fabric[end.node].has(end.interface):
        return False
    device = _device(fabric, end)
    return not isinstance(device, Tunnel) or len(device.remotes) == 1 or "remote" not in end.live


def _device(fabric: Fabric, end: Ending) -> Device:
    return fabric[end.node][str(end.interface)]


def _is_joined(fabric: Fabric, device: Device) -> bool:
    """Return whether a device is a tunnel's with another end, which sends to it."""
    far = fabric.far_ends(device) if isinstance(device, Tunnel) else ()
    return any(device in fabric.far_ends(one) for one in far)


def _passed(fabric: Fabric, others: Mapping[Probe, Kind]) -> Iterator[PortRef]:
    """Yield the devices that the packets of the pairs pass that reach each other as promised, both ways."""
    for probe, kind in others.items():
        ways = [expected_journey(fabric, way) for way in (probe, reply_to(probe))]
        if all(way.kind == kind and not way.dropped for way in ways):
            yield from (hop.ref for way in ways for path in way.paths for hop in path.hops)
