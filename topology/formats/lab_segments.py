"""Layer 2 segments, the checks of the addresses on them, and the pairs that need no tunnel between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from topology.errors import Position, Problem
from topology.formats.lab_draft import Draft
from topology.formats.lab_tunnels import strands
from topology.model import Bridge, Device, Fabric, Interface, Network, Node, Subinterface, Vxlan
from topology.promises import WITHOUT_TUNNEL, Pair
from topology.refs import PortRef, is_of_link

IPV6_MTU_MIN = 1280
"""RFC 8200, section 5."""
K = TypeVar("K")
T = TypeVar("T")


@dataclass(frozen=True)
class PlacedAddress:
    """One address of the lab: on which interface, on which segment, and its place in the file."""

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
    """Return every interface of the fabric with the one that stands for its segment.

    Links, bridges and tunnels join; joined interfaces share a broadcast domain (or a GRE tunnel).
    """
    sets = _joined_without_tunnels(fabric)
    for tunnel, remote, peer in strands(fabric, fabric.tunnels):
        if peer is not None:
            sets.join(tunnel.ref, peer.ref)
        elif not tunnel.has_sound_identity:
            for other in fabric.all(type(tunnel)):
                if other.local == remote and tunnel.local in other.remotes:
                    sets.join(tunnel.ref, other.ref)
    first: dict[int, Vxlan] = {}
    for vxlan in (vxlan for vxlan in fabric.all(Vxlan) if vxlan.by_daemon):
        sets.join(vxlan.ref, first.setdefault(vxlan.vni, vxlan).ref)
    return {device.ref: sets.find(device.ref) for device in fabric.devices}


def _joined_without_tunnels(fabric: Fabric) -> _Sets[PortRef]:
    sets: _Sets[PortRef] = _Sets()
    for near, far in (*(link.ends for link in fabric.links), *_members(fabric), *_vlans(fabric)):
        sets.join(near, far)
    return sets


def _members(fabric: Fabric) -> Iterator[tuple[PortRef, PortRef]]:
    """Yield each bridge with each of its members."""
    return ((bridge.ref, PortRef(bridge.node, name)) for bridge in fabric.all(Bridge) for name in bridge.members)


def _vlans(fabric: Fabric) -> Iterator[tuple[PortRef, PortRef]]:
    """Yield each VLAN with those that its frames reach."""
    return ((vlan.ref, far.ref) for vlan in fabric.all(Subinterface) for far in fabric.far_ends(vlan))


def check_loops(draft: Draft) -> Iterator[Problem]:
    """No two paths lead from one bridge to another: without spanning tree a broadcast would loop for ever.

    A tunnel device lets no frame out that came in by it, so devices that are each other's remotes are one place.
    """
    fabric = draft.fabric
    tunnels = [tunnel for tunnel in fabric.tunnels if tunnel.ethernet]
    meshes: _Sets[PortRef] = _Sets()
    for tunnel, _, peer in strands(fabric, tunnels):
        if peer is not None:
            meshes.join(tunnel.ref, peer.ref)
    sets: _Sets[PortRef] = _Sets()
    for bridge, member in _members(fabric):
        sets.join(bridge, member)
    ways = [(link.ends, link.where) for link in fabric.links]
    ways += [((mesh.ref, meshes.find(mesh.ref)), mesh.where) for mesh in tunnels]
    ways += [((near, far), fabric[near.node][near.interface].where) for near, far in _vlans(fabric)]
    seen: set[frozenset[PortRef]] = set()
    for (near, far), where in ways:
        ends = frozenset((near, far))
        if len(ends) < 2 or ends in seen or not all(fabric[end.node].bridge_of(end.interface) for end in ends):
            continue
        seen.add(ends)
        if sets.find(near) == sets.find(far):
            what = f"{near} and {far} are already joined by another path, so a broadcast would loop"
            yield Problem(where, what, "one path between any two bridges: hopcheck's bridges have no spanning tree")
        sets.join(near, far)


def placed_addresses(draft: Draft) -> Iterator[PlacedAddress]:
    """Yield every address of the lab, in file order within a node."""
    segment = segments(draft.fabric)
    for node in draft.fabric.nodes:
        for name, addresses in draft.spec.nodes[node.name].addresses.items():
            ref = PortRef(node.name, name)
            for index, interface in addresses.items():
                where = draft.at("nodes", node.name, "addresses", name, index)
                yield PlacedAddress(interface, ref, segment.get(ref, ref), where)


def _secluded(draft: Draft) -> frozenset[PortRef]:
    """Return the segments that may use one another's addresses and MACs: if the lab accepts overlap, those on which
    only customers have addresses, so that no packet can be routed from one to another."""
    if draft.fabric.isolation.overlap != "accepted":
        return frozenset()
    routed = {one.segment for one in placed_addresses(draft) if draft.fabric[one.ref.node].role != "customer"}
    return frozenset(segments(draft.fabric).values()) - routed


class _Holders(dict[tuple[Hashable, PortRef | None, bool], T]):
    """The first holder of each MAC or address, which is unique in the lab, or on its segment if that is secluded."""

    def __init__(self, alone: Collection[PortRef]) -> None:
        super().__init__()
        self._alone = alone

    def first(self, thing: Hashable, segment: PortRef | None, holder: T) -> T:
        """Return the first holder with which this one must not share the thing; itself if there is none."""
        apart = segment in self._alone
        place = segment if apart else None
        rivals = (self.get((thing, place, apart)), self.get((thing, None, not apart)))
        self.setdefault((thing, place, apart), holder)
        self.setdefault((thing, None, apart), holder)
        return next((rival for rival in rivals if rival is not None), holder)


def check_macs(draft: Draft) -> Iterator[Problem]:
    """No two devices have one MAC, those on secluded segments apart."""
    alone = _secluded(draft)
    segment, holders = segments(draft.fabric) if alone else {}, _Holders[Device](alone)
    for device in draft.fabric.devices:
        if device.mac is None:
            continue
        other = holders.first(device.mac, segment.get(device.ref), device)
        if other.ref != device.ref and not _is_anycast(draft, device.ref, other.ref):
            where = draft.at("nodes", device.node, "mac", device.name)
            what = f"{device.ref} and {other.ref} have one MAC, {device.mac}"
            yield Problem(where, what, "a MAC of its own for each device, or none, to have one made")


def _is_anycast(draft: Draft, *ends: PortRef) -> bool:
    """Return whether bridges are one gateway in two routers with daemons, and so may share address and MAC."""
    nodes = {end.node: draft.fabric[end.node] for end in ends}
    bridges = [node[end.interface] for end in ends if (node := nodes[end.node]).frr and node.has(end.interface)]
    one, *others = [{*bridge.addresses} for bridge in bridges if isinstance(bridge, Bridge)] or [set()]
    return len(nodes) > 1 and len(others) == 1 and not one.isdisjoint(others[0])


def check_hosts(draft: Draft) -> Iterator[Problem]:
    """Every address is one that a host may have, and no other has, those on secluded segments and IPv6 link-local
    ones on other links apart."""
    holders = _Holders[PlacedAddress](_secluded(draft))
    for found in placed_addresses(draft):
        ip = found.interface.ip
        other = holders.first((ip, found.segment) if is_of_link(found.interface) else ip, found.segment, found)
        shared = other.segment == found.segment and _is_anycast(draft, other.ref, found.ref)
        if other is not found and not shared:
            what = f"{ip} is the address of {other.ref} already, on line {other.where.line}"
            yield Problem(found.where, what, "an address of its own for each interface")
        if (problem := _host(draft, found)) is not None:
            yield Problem(found.where, *problem)


def _host(draft: Draft, found: PlacedAddress) -> tuple[str, str] | None:
    ip, subnet = found.interface.ip, found.subnet
    if ip.is_multicast or ip.is_unspecified or ip.is_loopback or (ip.version == 4 and ip.is_reserved):
        return f"{ip} is no unicast address of a network", "such as 10.0.0.1"
    if subnet.prefixlen < ip.max_prefixlen - 1:
        if ip == subnet.network_address:
            return f"{ip} is the address of the network {subnet} itself", f"another address of {subnet}"
        if ip.version == 4 and ip == subnet.broadcast_address:
            return f"{ip} is the broadcast address of {subnet}", f"another address of {subnet}"
    node = draft.fabric[found.ref.node]
    mtu = node[found.ref.interface].mtu if node.has(found.ref.interface) else None
    if ip.version == 6 and mtu is not None and mtu < IPV6_MTU_MIN:
        return f"{found.ref} has an IPv6 address and the MTU {mtu}", f"an MTU of {IPV6_MTU_MIN} or more (RFC 8200)"
    return None


def check_subnets(draft: Draft) -> Iterator[Problem]:
    """A subnet is on one segment, a segment in one subnet of each family, and a node in each subnet once.

    Left out are segments whose extent is unknown (an interface that two links or devices claim, a tunnel without its
    other end), and link-local subnets, which are on every link.
    """
    claims = Counter(device.ref for device in draft.fabric.devices)
    doubtful = {ref for ref, count in claims.items() if count > 1}
    for tunnel, _, peer in strands(draft.fabric, draft.fabric.tunnels):
        if peer is None and tunnel.has_sound_identity:
            doubtful.add(tunnel.ref)
    unsure = {segment for ref, segment in segments(draft.fabric).items() if ref in doubtful}
    sure = (
        one
        for one in placed_addresses(draft)
        if one.ref in claims and one.segment not in unsure and not is_of_link(one.interface)
    )
    found = sorted(sure, key=lambda one: one.where)
    apart = list(_apart(found))
    yield from apart
    alone = _secluded(draft)
    yield from _twice(found, alone)
    # An address that is wrong for its own segment would overlap others only until it is fixed.
    misplaced = {problem.where for problem in apart}
    subnets: dict[tuple[PortRef, Network], PlacedAddress] = {}
    for one in found:
        if one.where not in misplaced:
            subnets.setdefault((one.segment, one.subnet), one)
    yield from _overlaps(list(subnets.values()), alone)


def _overlaps(firsts: list[PlacedAddress], alone: Collection[PortRef]) -> Iterator[Problem]:
    """Prefixes that overlap are nested, so a stack of the enclosing ones finds them in one sorted pass.

    A wide subnet may overlap many; its line is reported for the first only. Segments that are ``alone`` may overlap
    with each other: of those with one subnet the first stands for all.
    """
    around: list[PlacedAddress] = []
    reported: set[Position] = set()
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
            if late.where not in reported:
                reported.add(late.where)
                what = f"the subnet {late.subnet} of {late.ref} overlaps {early.subnet} of {early.ref}"
                what += f" in another Layer 2 segment, on line {early.where.line}"
                yield Problem(late.where, what, "a subnet of its own for each segment, or a link that joins them")


def _inside(inner: Network, outer: Network) -> bool:
    return inner.version == outer.version and int(outer[0]) <= int(inner[0]) <= int(outer[-1])


def _apart(found: list[PlacedAddress]) -> Iterator[Problem]:
    """Interfaces of one segment that share no subnet with the segment's first, not even by way of others."""
    sets: _Sets[tuple[PortRef, Network]] = _Sets()
    on: dict[tuple[PortRef, int], PlacedAddress] = {}
    for one in found:
        same = on.setdefault((one.ref, one.interface.version), one)
        sets.join((same.segment, same.subnet), (one.segment, one.subnet))
    first: dict[tuple[PortRef, int], PlacedAddress] = {}
    reported: set[tuple[PortRef, Network]] = set()
    for one in found:
        other = first.setdefault((one.segment, one.interface.version), one)
        group = sets.find((one.segment, one.subnet))
        if group != sets.find((other.segment, other.subnet)) and group not in reported:
            reported.add(group)
            what = f"{one.ref} has {one.interface}, but its segment is {other.subnet}"
            what += f" ({other.ref}, line {other.where.line})"
            yield Problem(one.where, what, f"an address in {other.subnet}")


def _twice(found: list[PlacedAddress], alone: Collection[PortRef]) -> Iterator[Problem]:
    first: dict[tuple[str, PortRef | None, Network], PlacedAddress] = {}
    for one in found:
        segment = None if one.segment in alone else one.segment
        other = first.setdefault((one.ref.node, segment, one.subnet), one)
        if other.ref != one.ref:
            what = f"{one.ref} is in {one.subnet}, and so is {other.ref} of the same node"
            yield Problem(one.where, what, "one interface of a node in each subnet")


def with_local_kinds(fabric: Fabric) -> Fabric:
    """Return the fabric in which derived pairs whose ends need no tunnel to reach each other are of the local kind.

    These are hosts on one Layer 2 segment without any tunnel, and hosts with one router before the first tunnel.
    """
    if not any(pair.segment for pair in fabric.pairs):
        return fabric
    sets = _joined_without_tunnels(fabric)
    place = {device.ref: sets.find(device.ref) for device in fabric.devices}
    routers: dict[PortRef, set[str]] = {}
    for device in fabric.devices:
        if device.addresses:
            routers.setdefault(place[device.ref], set()).add(device.node)
    local = partial(_with_local_kind, fabric, place, routers)
    return replace(fabric, pairs=tuple(local(pair) if pair.segment else pair for pair in fabric.pairs))


def _with_local_kind(
    fabric: Fabric, place: Mapping[PortRef, PortRef], routers: Mapping[PortRef, set[str]], pair: Pair
) -> Pair:
    one, other = (place[_first(fabric[name])] for name in (pair.source, pair.target))
    shared = routers[one] & routers[other] - {pair.source, pair.target}
    is_local = one == other if pair.kind == "l2-overlay" else one != other and bool(shared)
    if not is_local or pair.kind not in WITHOUT_TUNNEL:
        return pair
    return replace(pair, kind=WITHOUT_TUNNEL[pair.kind], within=Pair.within)


def _first(node: Node) -> PortRef:
    """Return the device with a node's first address."""
    return node.addresses[node.address].ref
