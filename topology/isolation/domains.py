"""Layer 2 domains: which interfaces a frame of each must reach, and by which others it may travel in a tunnel. Pure.

A domain is what bridges, links and VXLAN or Geneve join (a broadcast domain of IEEE 802.1Q, a VNI of RFC 7348 or RFC
8926). Its frames are bare at its members and nowhere else; between two tunnel ends, which are called VTEPs here
whichever they are, they are inside the tunnel, under one of the domain's own VNIs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise
from typing import Literal, TypeAlias, get_args

from topology.expected import expected_journey
from topology.model import Bridge, Device, Fabric, FrameTunnel, Geneve, Subinterface, Vxlan
from topology.packet import Probe
from topology.refs import PortRef

FrameKind: TypeAlias = Literal["unicast", "broadcast", "unknown-unicast", "multicast"]
FRAME_KINDS: tuple[FrameKind, ...] = get_args(FrameKind)


@dataclass(frozen=True)
class Domain:
    """One Layer 2 domain with at least one bridge: every interface in it, and those of them that end it.

    ``stations`` are the interfaces whose node is an end of the domain: frames start and stop there.
    """

    members: frozenset[PortRef]
    stations: tuple[PortRef, ...]
    vteps: tuple[FrameTunnel, ...]
    first: PortRef
    tags: frozenset[tuple[PortRef, int]] = frozenset()
    """The ports at which its frames have an 802.1Q tag, and which."""

    @cached_property
    def tunnels(self) -> frozenset[tuple[int, int]]:
        """UDP port and VNI of each tunnel that may carry its frames."""
        return frozenset((vtep.port, vtep.vni) for vtep in self.vteps)

    def __str__(self) -> str:
        vnis = sorted({vtep.vni for vtep in self.vteps})
        return f"VNI-{'+'.join(map(str, vnis))}" if vnis else str(self.first)


def domains(fabric: Fabric) -> tuple[Domain, ...]:
    """Every domain that has a bridge, in declaration order; a link alone joins nobody but its two ends."""
    found: list[Domain] = []
    known: set[PortRef] = set()
    place = {device.ref: number for number, device in enumerate(fabric.devices)}
    for bridge in fabric.all(Bridge):
        if bridge.ref not in known and bridge.members:
            members = flooded(fabric, bridge)
            known |= members
            devices = [fabric[ref.node][ref.interface] for ref in sorted(members, key=place.__getitem__)]
            stations = tuple(device.ref for device in devices if is_station(fabric, device))
            vteps = tuple(device for device in devices if isinstance(device, Vxlan | Geneve))
            tags = ((PortRef(d.node, d.link), d.vid) for d in devices if isinstance(d, Subinterface))
            found.append(Domain(members, stations, vteps, bridge.ref, frozenset(tags)))
    return tuple(found)


def is_station(fabric: Fabric, device: Device) -> bool:
    """Whether a node sends and takes frames of its own here: no bridge's member, and no bridge or trunk without an
    address."""
    node = fabric[device.node]
    free = node.bridge_of(device.name) is None and (bool(device.addresses) or not node.subinterfaces(device.name))
    return free and device.mac is not None and (not isinstance(device, Bridge) or bool(device.addresses))


def flooded(fabric: Fabric, start: Device, *, to_bridges: bool = True) -> frozenset[PortRef]:
    """Where a frame is seen that a device sends and every bridge floods, the device itself included.

    A bridge takes broadcasts and multicasts up itself, but (``to_bridges`` False) no frame to a MAC that is not its own
    (``br_handle_frame_finish``, net/bridge/br_input.c).
    """
    return frozenset(_Flood(fabric, to_bridges).emit(start))


def flooded_from(fabric: Fabric, vtep: FrameTunnel) -> frozenset[PortRef]:
    """Where a broadcast is seen that comes out of a tunnel at one of its ends."""
    return frozenset(_Flood(fabric, True).arrive(vtep))


class _Flood:
    """Follows a flooded frame through each bridge once."""

    def __init__(self, fabric: Fabric, to_bridges: bool) -> None:
        self.fabric, self.to_bridges = fabric, to_bridges
        self.passed: set[PortRef] = set()

    def emit(self, device: Device) -> Iterator[PortRef]:
        """Out of a device: to the other end of its link or tunnel, or into the bridge that it is."""
        yield device.ref
        if isinstance(device, Bridge):
            yield from self.across(device, None)
        yield from trunk(self.fabric, device)
        for far in self.fabric.far_ends(device):
            yield from self.arrive(far)

    def arrive(self, device: Device) -> Iterator[PortRef]:
        """Into a device, and its bridge."""
        yield device.ref
        bridge = self.fabric[device.node].bridge_of(device.name)
        if bridge is not None:
            if self.to_bridges:
                yield bridge.ref
            yield from self.across(bridge, device.name)

    def across(self, bridge: Bridge, came_by: str | None) -> Iterator[PortRef]:
        """Out of all ports of a bridge but the one that the frame came by."""
        if bridge.ref in self.passed:
            return
        self.passed.add(bridge.ref)
        for name in bridge.members:
            if name != came_by:
                yield from self.emit(self.fabric[bridge.node][name])


def trunk(fabric: Fabric, device: Device) -> Iterator[PortRef]:
    """The ports that a sub-interface's frames pass under its tag."""
    if isinstance(device, Subinterface):
        port = fabric[device.node][device.link]
        yield port.ref
        yield from (far.ref for far in fabric.far_ends(port))


def way(fabric: Fabric, source: PortRef, target: PortRef) -> frozenset[PortRef]:
    """Where a frame to a MAC that all bridges have learned is seen, both stations included; empty if there is none."""
    before: dict[PortRef, PortRef | None] = {source: None}
    waiting = [source]
    while waiting and target not in before:
        here = waiting.pop(0)
        for there in _steps(fabric, here, starts=here == source):
            if there not in before:
                before[there] = here
                waiting.append(there)
    passed = list(_back(before, target)) if target in before else []
    tagged = (port for ref in passed for port in trunk(fabric, fabric[ref.node][ref.interface]))
    return frozenset((*passed, *tagged))


def _steps(fabric: Fabric, here: PortRef, starts: bool) -> Iterator[PortRef]:
    """The interfaces next on a way: those across the bridge, the bridge itself, or the other end."""
    device = fabric[here.node][here.interface]
    bridge = fabric[here.node].bridge_of(here.interface)
    if isinstance(device, Bridge) and starts:
        yield from (PortRef(here.node, name) for name in device.members)
    if bridge is not None:
        yield bridge.ref
        yield from (PortRef(here.node, name) for name in bridge.members)
    yield from (far.ref for far in fabric.far_ends(device))


def _back(before: Mapping[PortRef, PortRef | None], target: PortRef) -> Iterator[PortRef]:
    place: PortRef | None = target
    while place is not None:
        yield place
        place = before[place]


def reached(fabric: Fabric, domain: Domain, kind: FrameKind, source: PortRef, target: PortRef) -> frozenset[PortRef]:
    """Exactly where a station's frame of one kind must be bare; ``target`` is whom a unicast is for."""
    start = fabric[source.node][source.interface]
    if kind == "unicast":
        return way(fabric, source, target)
    return domain.members if kind != "unknown-unicast" else flooded(fabric, start, to_bridges=False)


def stations_near(fabric: Fabric, domain: Domain, vtep: FrameTunnel) -> tuple[PortRef, ...]:
    """The stations whose frames reach a VTEP without passing another one."""
    others = {other.ref for other in domain.vteps} - {vtep.ref}
    ways = ((station, way(fabric, station, vtep.ref)) for station in domain.stations)
    return tuple(station for station, passed in ways if passed and passed.isdisjoint(others))


def transit(fabric: Fabric, domain: Domain) -> frozenset[PortRef]:
    """Every interface that the domain's tunnelled packets may pass between their VTEPs, whichever way they take."""
    return frozenset(hop for vtep in domain.vteps for hop in _between(fabric, vtep))


def _between(fabric: Fabric, vtep: FrameTunnel) -> Iterator[PortRef]:
    for far in fabric.far_ends(vtep):
        assert isinstance(far, Vxlan | Geneve)
        journey = expected_journey(fabric, Probe(vtep.node, far.node, vtep.local, far.local, "udp"))
        for path in journey.paths:
            yield from (hop.ref for hop in path.hops)


def twins(fabric: Fabric, all_domains: tuple[Domain, ...]) -> Iterator[tuple[PortRef, PortRef]]:
    """Stations of different domains that have the same address or the same MAC: each with the next who has it."""
    holders: dict[object, list[tuple[int, PortRef]]] = {}
    for number, domain in enumerate(all_domains):
        for ref in domain.stations:
            device = fabric[ref.node][ref.interface]
            for thing in (device.mac, *(interface.ip for interface in device.addresses)):
                holders.setdefault(thing, []).append((number, ref))
    pairs: dict[tuple[PortRef, PortRef], None] = {}
    for held in holders.values():
        pairs |= dict.fromkeys((a, b) for (i, a), (j, b) in pairwise(held) if i != j)
    yield from pairs


def askers(fabric: Fabric, all_domains: tuple[Domain, ...], domain: Domain) -> list[tuple[PortRef, PortRef]]:
    """The stations of a domain that have an IPv4 address, and an address or a MAC of another domain's station too, each
    behind a neighbour that can ask for it by ARP."""
    shared = dict.fromkeys(end for pair in twins(fabric, all_domains) for end in pair if end in domain.stations)
    versions = {ref: {interface.version for interface in fabric[ref.node][ref.interface].addresses} for ref in shared}
    asked = ((next((s for s in domain.stations if s != owner), owner), owner) for owner in shared)
    return [(source, owner) for source, owner in asked if source != owner and 4 in versions[owner]]


def two_in_one_node(all_domains: tuple[Domain, ...]) -> Iterator[tuple[Domain, Domain, FrameTunnel, FrameTunnel]]:
    """Two domains of two stations each that have tunnel devices in one node, and these devices."""
    wide = [domain for domain in all_domains if len(domain.stations) > 1]
    for one, other in combinations(wide, 2):
        here = {vtep.node: vtep for vtep in other.vteps}
        yield from ((one, other, vtep, here[vtep.node]) for vtep in one.vteps if vtep.node in here)
