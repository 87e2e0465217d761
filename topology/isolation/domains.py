"""Layer 2 domains: the interfaces that a frame of each must reach, and those it may pass in a tunnel. Pure.

A domain is joined by bridges, links and VXLAN or Geneve (a broadcast domain of IEEE 802.1Q, a VNI of RFC 7348 or RFC
8926). Its frames are bare at its members and nowhere else; between two tunnel ends, which are called VTEPs here
whichever they are, they are inside the tunnel, under one of the domain's own VNIs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise
from typing import Literal, TypeAlias, get_args

from topology.expected import expected_journey
from topology.model import Bridge, Device, Fabric, Subinterface, Tags, Tunnel, Vxlan
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
    vteps: tuple[Tunnel, ...]
    first: PortRef
    tags: frozenset[tuple[PortRef, int]] = frozenset()
    """The ports at which its frames have an 802.1Q tag, and which."""
    is_vlan: bool = False
    """True for a VLAN whose frames are tagged in every bridge that they pass."""

    @cached_property
    def tunnels(self) -> frozenset[str]:
        """The titles of the tunnels that may carry its frames."""
        return frozenset(vtep.title for vtep in self.vteps)

    def __str__(self) -> str:
        known = {vtep.identity[0] for vtep in self.vteps if vtep.identity[0][1] is not None}
        numbers = "+".join(map(str, sorted(number for _, number in known if number is not None)))
        word = next((name for name, _ in sorted(known)), "").upper()
        return f"{word}-{numbers}" if numbers and not self.is_vlan else str(self.first)


def domains(fabric: Fabric) -> tuple[Domain, ...]:
    """Every domain that has a bridge, or VLANs whose frames pass one; a link alone is none."""
    found: list[Domain] = []
    known: set[PortRef] = set()
    place = {device.ref: number for number, device in enumerate(fabric.devices)}
    bridges = [bridge for bridge in fabric.all(Bridge) if bridge.members]
    for start in (*bridges, *fabric.all(Subinterface)):
        if start.ref in known:
            continue
        seen = list(_Flood(fabric).emit(start, ()))
        members = frozenset(step.ref for step in seen)
        devices = [fabric[ref.node][ref.interface] for ref in sorted(members, key=place.__getitem__)]
        if not any(isinstance(device, Bridge) for device in devices):
            continue
        tagged = {step.ref for step in seen if step.tags}
        known |= members - tagged
        own = [device for device in devices if device.ref not in tagged]
        stations = tuple(device.ref for device in own if is_station(fabric, device))
        vteps = tuple(device for device in devices if isinstance(device, Tunnel) and device.ethernet)
        vids = frozenset((step.ref, step.tags[0]) for step in seen if step.tags)
        found.append(Domain(members, stations, vteps, start.ref, vids, isinstance(start, Subinterface)))
    return tuple(found)


def is_station(fabric: Fabric, device: Device) -> bool:
    """Return whether a node sends and receives its own frames here: not at a bridge's member, nor at a bridge or trunk
    without an address.
    """
    node = fabric[device.node]
    free = node.bridge_of(device.name) is None and (bool(device.addresses) or not node.subinterfaces(device.name))
    return free and device.mac is not None and (not isinstance(device, Bridge) or bool(device.addresses))


def flooded(fabric: Fabric, start: Device, *, to_bridges: bool = True) -> frozenset[PortRef]:
    """The interfaces of a frame that a device sends and every bridge floods, the device itself included.

    A bridge takes broadcasts and multicasts up itself, but (``to_bridges`` False) no frame to a MAC that is not its own
    (``br_handle_frame_finish``, net/bridge/br_input.c).
    """
    return frozenset(step.ref for step in _Flood(fabric, to_bridges).emit(start, ()))


def flooded_from(fabric: Fabric, vtep: Tunnel) -> frozenset[PortRef]:
    """The interfaces of a broadcast that comes out of a tunnel at one of its ends."""
    return frozenset(step.ref for step in _Flood(fabric).arrive(vtep, ()))


def has_station(fabric: Fabric, vtep: Tunnel) -> bool:
    """Return whether a VTEP has stations behind it that send through it."""
    return any(is_station(fabric, fabric[ref.node][ref.interface]) for ref in flooded_from(fabric, vtep))


def way(fabric: Fabric, source: PortRef, target: PortRef, *, may: bool = False) -> frozenset[PortRef]:
    """The interfaces of a frame to a MAC that all bridges have learned, both stations included; empty for no way.

    A bridge or VTEP that learns nothing, or (with ``may``) has learned nothing that lasts, makes copies all the same.
    """
    start = fabric[source.node][source.interface]
    known = _path(fabric, start, target)
    if not known:
        return known
    mac = fabric[target.node][target.interface].mac
    copies = (step.ref for step in _Flood(fabric, False, Known(target, mac, known, may)).emit(start, ()))
    return known.union(copies)


def _path(fabric: Fabric, start: Device, target: PortRef) -> frozenset[PortRef]:
    """The interfaces that a frame passes from a device to another; empty where none leads there."""
    steps = _Flood(fabric).emit(start, ())
    step = next((step for step in steps if step.ref == target and not step.tags), None)
    found: set[PortRef] = set()
    while step is not None:
        found.add(step.ref)
        step = step.before
    return frozenset(found)


@dataclass(frozen=True)
class Step:
    """An interface at which a frame is seen, the VLAN tags that it has there, and the step before."""

    ref: PortRef
    tags: Tags
    before: Step | None = None


@dataclass(frozen=True)
class Known:
    """A frame's target and its MAC, the interfaces on the way there, and whether what forgets soon ``may`` flood."""

    target: PortRef
    mac: str | None
    path: frozenset[PortRef]
    may: bool = False


class _Flood:
    """Follows a frame through each bridge once: a flooded one, or one that goes where it is known to belong."""

    def __init__(self, fabric: Fabric, to_bridges: bool = True, known: Known | None = None) -> None:
        self.fabric, self.to_bridges, self.known = fabric, to_bridges, known
        self.passed: set[tuple[PortRef, Tags]] = set()

    def emit(self, device: Device, tags: Tags, before: Step | None = None) -> Iterator[Step]:
        """Out of a device: to the other end of its link or tunnel, or into the bridge that it is."""
        here = Step(device.ref, tags, before)
        yield here
        if self.known is not None and device.ref == self.known.target:
            return
        if isinstance(device, Bridge):
            yield from self.across(device, None, here)
        if isinstance(device, Subinterface):
            yield from self.emit(self.fabric[device.node][device.link], (device.vid, *tags), here)
        else:
            for far in self.far_ends(device):
                yield from self.arrive(far, tags, here)

    def arrive(self, device: Device, tags: Tags, before: Step | None = None) -> Iterator[Step]:
        """Into a device, its VLAN, and its bridge."""
        here = Step(device.ref, tags, before)
        yield here
        node = self.fabric[device.node]
        if tags and (vlan := node.subinterface(device.name, tags[0])) is not None:
            yield from self.arrive(vlan, tags[1:], here)
        elif (bridge := node.bridge_of(device.name)) is not None:
            is_target = self.known is not None and bridge.ref == self.known.target and not tags
            if self.to_bridges or is_target:
                yield Step(bridge.ref, tags, here)
            if not is_target:
                yield from self.across(bridge, device.name, here)

    def across(self, bridge: Bridge, came_by: str | None, before: Step) -> Iterator[Step]:
        """Out of the ports of a bridge but the one that the frame came by."""
        if (bridge.ref, before.tags) in self.passed:
            return
        self.passed.add((bridge.ref, before.tags))
        members = [name for name in bridge.members if name != came_by]
        if self.known is not None and not bridge.floods(self.known.mac, may=self.known.may):
            members = [name for name in members if PortRef(bridge.node, name) in self.known.path]
        for name in members:
            yield from self.emit(self.fabric[bridge.node][name], before.tags, before)

    def far_ends(self, device: Device) -> Sequence[Device]:
        """The other ends that a device sends the frame to."""
        found = self.fabric.far_ends(device)
        known = self.known
        if known is None or not isinstance(device, Vxlan) or device.floods(known.mac, may=known.may):
            return found
        return [far for far in found if far.ref in known.path] or found


def reached(fabric: Fabric, domain: Domain, kind: FrameKind, source: PortRef, target: PortRef) -> frozenset[PortRef]:
    """Exactly where a station's frame of one kind must be bare; ``target`` is that of a unicast."""
    start = fabric[source.node][source.interface]
    if kind == "unicast":
        return way(fabric, source, target)
    return domain.members if kind != "unknown-unicast" else flooded(fabric, start, to_bridges=False)


def stations_near(fabric: Fabric, domain: Domain, vtep: Tunnel) -> tuple[PortRef, ...]:
    """The stations whose frames reach a VTEP without passing another one."""
    others = {other.ref for other in domain.vteps} - {vtep.ref}
    starts = ((station, fabric[station.node][station.interface]) for station in domain.stations)
    ways = ((station, _path(fabric, start, vtep.ref)) for station, start in starts)
    return tuple(station for station, passed in ways if passed and others.isdisjoint(passed))


def transit(fabric: Fabric, domain: Domain) -> frozenset[PortRef]:
    """Every interface that the domain's tunnelled packets may pass between their VTEPs, whichever way they take."""
    return frozenset(hop for vtep in domain.vteps for hop in _between(fabric, vtep))


def _between(fabric: Fabric, vtep: Tunnel) -> Iterator[PortRef]:
    owners = {end: far.node for far in fabric.far_ends(vtep) for end in fabric[far.node].addresses}
    for source, end in fabric.outer_ends(vtep):
        if end in owners:
            journey = expected_journey(fabric, Probe(vtep.node, owners[end], source, end, "udp"))
            for path in journey.paths:
                yield from (hop.ref for hop in path.hops)


def twins(fabric: Fabric, all_domains: tuple[Domain, ...]) -> Iterator[tuple[PortRef, PortRef]]:
    """Stations of different domains that have the same address or the same MAC: each with the next holder."""
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


def two_in_one_node(all_domains: tuple[Domain, ...]) -> Iterator[tuple[Domain, Domain, Tunnel, Tunnel]]:
    """Two domains of two stations each that have tunnel devices in one node, and these devices."""
    wide = [domain for domain in all_domains if len(domain.stations) > 1]
    for one, other in combinations(wide, 2):
        here = {vtep.node: vtep for vtep in other.vteps}
        yield from ((one, other, vtep, here[vtep.node]) for vtep in one.vteps if vtep.node in here)
