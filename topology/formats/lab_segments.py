"""Layer 2 segments, and the checks of the addresses on them."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from topology.errors import Position, Problem
from topology.formats.lab_draft import Draft
from topology.formats.lab_links import ambiguous
from topology.formats.lab_tunnels import Strands, endless, has_sound_vni, strands
from topology.model import Bridge, Device, Fabric, Geneve, Gre, Interface, Network, Subinterface, Tunnel, Vxlan
from topology.refs import PortRef

IPV6_MTU_MIN = 1280
"""RFC 8200, section 5."""
K = TypeVar("K")
T = TypeVar("T")


@dataclass(frozen=True)
class Carried:
    """One address of the lab: on which interface, on which segment, and where the file says so."""

    interface: Interface
    ref: PortRef
    segment: PortRef
    where: Position

    @property
    def subnet(self) -> Network:
        """The subnet that the address is in."""
        return self.interface.network


class _Sets(dict[K, K]):
    """Disjoint sets; each key leads to its set's first member."""

    def find(self, key: K) -> K:
        root = key
        while self.get(root, root) != root:
            root = self[root]
        while self.get(key, key) != root:
            self[key], key = root, self[key]
        return root

    def join(self, a: K, b: K) -> None:
        self[self.find(b)] = self.find(a)


def segments(fabric: Fabric) -> Mapping[PortRef, PortRef]:
    """Every interface of the fabric, with the one that stands for its segment.

    Links, bridges and tunnels join; joined interfaces share a broadcast domain (or a GRE tunnel).
    """
    sets: _Sets[PortRef] = _Sets()
    for link in fabric.links:
        sets.join(*link.ends)
    for bridge in fabric.all(Bridge):
        for member in bridge.members:
            sets.join(bridge.ref, PortRef(bridge.node, member))
    for near, far in _vlans(fabric):
        sets.join(near, far)
    for near, far in _tunnels(fabric):
        sets.join(near, far)
    return {device.ref: sets.find(device.ref) for device in fabric.devices}


def _vlans(fabric: Fabric) -> Iterator[tuple[PortRef, PortRef]]:
    """Each VLAN with those that its frames reach."""
    return ((vlan.ref, far.ref) for vlan in fabric.all(Subinterface) for far in fabric.far_ends(vlan))


def _tunnels(fabric: Fabric) -> Iterator[tuple[PortRef, PortRef]]:
    """Both ends of each tunnel, as far as its VNI can be believed."""
    for kind in (Vxlan, Geneve, Gre):
        yield from _strands_of(fabric, kind)


def _strands_of(fabric: Fabric, kind: type[Tunnel]) -> Iterator[tuple[PortRef, PortRef]]:
    tunnels: Sequence[Tunnel] = fabric.all(kind)
    known = Strands(fabric, tunnels)
    for tunnel, remote in strands(tunnels):
        peer = known.peer(tunnel, remote)
        if peer is not None:
            yield tunnel.ref, peer.ref
        elif not has_sound_vni(tunnel):
            for other in tunnels:
                if other.local == remote and tunnel.local in other.remotes:
                    yield tunnel.ref, other.ref


def check_loops(draft: Draft) -> Iterator[Problem]:
    """No two ways lead from one bridge to another: without spanning tree a frame to all would go round for ever.

    A VXLAN device lets no frame out that came in by it, so devices that are each other's remotes are one place.
    """
    fabric = draft.fabric
    meshes: _Sets[PortRef] = _Sets()
    for near, far in _strands_of(fabric, Vxlan):
        meshes.join(near, far)
    sets: _Sets[PortRef] = _Sets()
    for bridge in fabric.all(Bridge):
        for name in bridge.members:
            sets.join(bridge.ref, PortRef(bridge.node, name))
    ways = [(link.ends, link.where) for link in fabric.links]
    ways += [((mesh.ref, meshes.find(mesh.ref)), mesh.where) for mesh in fabric.all(Vxlan)]
    others = (*_strands_of(fabric, Geneve), *_vlans(fabric))
    ways += [((near, far), fabric[near.node][near.interface].where) for near, far in others]
    seen: set[frozenset[PortRef]] = set()
    for (near, far), where in ways:
        ends = frozenset((near, far))
        if len(ends) < 2 or ends in seen or not all(_is_bridged(fabric, end) for end in ends):
            continue
        seen.add(ends)
        if sets.find(near) == sets.find(far):
            what = f"{near} and {far} are joined by another way already, so a broadcast would loop"
            yield Problem(where, what, "one way between any two bridges: hopcheck's bridges have no spanning tree")
        sets.join(near, far)


def _is_bridged(fabric: Fabric, ref: PortRef) -> bool:
    return fabric[ref.node].bridge_of(ref.interface) is not None


def carried(draft: Draft) -> Iterator[Carried]:
    """Every address of the lab, in file order within a node."""
    segment = segments(draft.fabric)
    for node in draft.fabric.nodes:
        for name, addresses in draft.spec.nodes[node.name].addresses.items():
            ref = PortRef(node.name, name)
            for index, interface in addresses.items():
                where = draft.at("nodes", node.name, "addresses", name, index)
                yield Carried(interface, ref, segment.get(ref, ref), where)


def secluded(draft: Draft) -> frozenset[PortRef]:
    """The segments that may use one another's addresses and MACs: where the lab accepts overlap, those that nobody but
    customers has an address on, so that no packet can be routed from one to another."""
    if draft.fabric.isolation.overlap != "accepted":
        return frozenset()
    routed = {one.segment for one in carried(draft) if draft.fabric[one.ref.node].role != "customer"}
    return frozenset(segments(draft.fabric).values()) - routed


class _Holders(dict[tuple[Hashable, PortRef | None, bool], T]):
    """Who has something first, where each has a thing of its own: anywhere, or among secluded segments on one."""

    def __init__(self, alone: Collection[PortRef]) -> None:
        super().__init__()
        self._alone = alone

    def first(self, thing: Hashable, segment: PortRef | None, holder: T) -> T:
        """The first who has the thing and must not share it with this holder; the holder where there is none."""
        apart = segment in self._alone
        place = segment if apart else None
        rivals = (self.get((thing, place, apart)), self.get((thing, None, not apart)))
        self.setdefault((thing, place, apart), holder)
        self.setdefault((thing, None, apart), holder)
        return next((rival for rival in rivals if rival is not None), holder)


def check_macs(draft: Draft) -> Iterator[Problem]:
    """No two devices have one MAC, those on secluded segments apart."""
    alone = secluded(draft)
    segment, holders = segments(draft.fabric) if alone else {}, _Holders[Device](alone)
    for device in draft.fabric.devices:
        if device.mac is None:
            continue
        other = holders.first(device.mac, segment.get(device.ref), device)
        if other.ref != device.ref:
            where = draft.at("nodes", device.node, "mac", device.name)
            what = f"{device.ref} and {other.ref} have one MAC, {device.mac}"
            yield Problem(where, what, "a MAC of its own for each device, or none, to have one made")


def check_hosts(draft: Draft) -> Iterator[Problem]:
    """Every address is one that a host may have, and nobody else has, those on secluded segments apart."""
    holders = _Holders[Carried](secluded(draft))
    for found in carried(draft):
        ip, subnet = found.interface.ip, found.subnet
        other = holders.first(ip, found.segment, found)
        if other is not found:
            what = f"{ip} is the address of {other.ref} already, on line {other.where.line}"
            yield Problem(found.where, what, "an address of its own for each interface")
        if ip.is_multicast or ip.is_unspecified or ip.is_loopback or (ip.version == 4 and ip.is_reserved):
            yield Problem(found.where, f"{ip} is no unicast address of a network", "such as 10.0.0.1")
        elif subnet.prefixlen < ip.max_prefixlen - 1:
            right = f"another address of {subnet}"
            if ip == subnet.network_address:
                yield Problem(found.where, f"{ip} is the address of the network {subnet} itself", right)
            elif ip.version == 4 and ip == subnet.broadcast_address:
                yield Problem(found.where, f"{ip} is the broadcast address of {subnet}", right)
        yield from _narrow(draft, found)


def _narrow(draft: Draft, found: Carried) -> Iterator[Problem]:
    node = draft.fabric[found.ref.node]
    mtu = node[found.ref.interface].mtu if node.has(found.ref.interface) else None
    if found.interface.version == 6 and mtu is not None and mtu < IPV6_MTU_MIN:
        what = f"{found.ref} has an IPv6 address and the MTU {mtu}"
        yield Problem(found.where, what, f"an MTU of {IPV6_MTU_MIN} or more (RFC 8200)")


def check_subnets(draft: Draft) -> Iterator[Problem]:
    """A subnet is on one segment, a segment in one subnet of each family, and a node in each subnet once."""
    declared = {device.ref for device in draft.fabric.devices}
    doubtful = ambiguous(draft) | endless(draft.fabric)
    unsure = {segment for ref, segment in segments(draft.fabric).items() if ref in doubtful}
    found = sorted(
        (one for one in carried(draft) if one.ref in declared and one.segment not in unsure), key=lambda one: one.where
    )
    apart = list(_apart(found))
    yield from apart
    alone = secluded(draft)
    yield from _twice(found, alone)
    # An address that is wrong for its own segment would overlap others only until it is fixed.
    misplaced = {problem.where for problem in apart}
    subnets: dict[tuple[PortRef, Network], Carried] = {}
    for one in found:
        if one.where not in misplaced:
            subnets.setdefault((one.segment, one.subnet), one)
    yield from _overlaps(list(subnets.values()), alone)


def _overlaps(firsts: list[Carried], alone: Collection[PortRef]) -> Iterator[Problem]:
    """Prefixes that overlap are nested, so a stack of the enclosing ones finds them in one sorted pass.

    A wide subnet may overlap many; its line is told of the first only. Segments that are ``alone`` may overlap with
    each other: of those with one subnet the first stands for all.
    """
    around: list[Carried] = []
    told: set[Position] = set()
    for one in sorted(firsts, key=lambda c: (c.subnet.version, int(c.subnet[0]), c.subnet.prefixlen)):
        while around and not _inside(one.subnet, around[-1].subnet):
            around.pop()
        apart = one.segment in alone
        rivals = (o for o in reversed(around) if o.segment != one.segment)
        other = next((rival for rival in rivals if not (apart and rival.segment in alone)), None)
        if not (apart and around and around[-1].subnet == one.subnet and around[-1].segment in alone):
            around.append(one)
        if other is not None and other.interface.ip != one.interface.ip:
            late, early = (one, other) if one.where > other.where else (other, one)
            if late.where in told:
                continue
            told.add(late.where)
            what = f"the subnet {late.subnet} of {late.ref} overlaps {early.subnet} of {early.ref}"
            what += f" on line {early.where.line}, which is another Layer 2 segment"
            yield Problem(late.where, what, "a subnet of its own for each segment, or a link that joins them")


def _inside(inner: Network, outer: Network) -> bool:
    return inner.version == outer.version and int(outer[0]) <= int(inner[0]) <= int(outer[-1])


def _apart(found: list[Carried]) -> Iterator[Problem]:
    """Interfaces of one segment that share no subnet with the segment's first, not even by way of others."""
    sets: _Sets[tuple[PortRef, Network]] = _Sets()
    on: dict[tuple[PortRef, int], Carried] = {}
    for one in found:
        same = on.setdefault((one.ref, one.interface.version), one)
        sets.join((same.segment, same.subnet), (one.segment, one.subnet))
    first: dict[tuple[PortRef, int], Carried] = {}
    told: set[tuple[PortRef, Network]] = set()
    for one in found:
        other = first.setdefault((one.segment, one.interface.version), one)
        group = sets.find((one.segment, one.subnet))
        if group != sets.find((other.segment, other.subnet)) and group not in told:
            told.add(group)
            what = f"{one.ref} has {one.interface}, but its segment is {other.subnet}"
            what += f" ({other.ref}, line {other.where.line})"
            yield Problem(one.where, what, f"an address in {other.subnet}")


def _twice(found: list[Carried], alone: Collection[PortRef]) -> Iterator[Problem]:
    first: dict[tuple[str, PortRef | None, Network], Carried] = {}
    for one in found:
        segment = None if one.segment in alone else one.segment
        other = first.setdefault((one.ref.node, segment, one.subnet), one)
        if other.ref != one.ref:
            what = f"{one.ref} is in {one.subnet}, and so is {other.ref} of the same node"
            yield Problem(one.where, what, "one interface of a node in each subnet")
