"""The model of a fabric: nodes, devices, routes, links and promised pairs. Frozen and pure.

Terms are used as in ``ip-link(8)``, ``ip-route(8)`` and RFC 7348 (VXLAN). Lengths are bytes,
MTUs are bytes of the IP packet, addresses are ``ipaddress`` objects.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias, TypeVar, get_args

from topology.errors import Position, UnknownName
from topology.links import (
    LINKS,
    UDP_TUNNELS,
    Bridge,
    Device,
    Geneve,
    Gre,
    Loopback,
    Port,
    Subinterface,
    Tunnel,
    UdpTunnel,
    Vrf,
    Vxlan,
)
from topology.links.base import AGEING, NAME_MAX, PORT_MTU, stable_mac
from topology.links.bridge import USER_HZ
from topology.links.geneve import GENEVE_PORT
from topology.links.port import LOOPBACK
from topology.links.vxlan import VXLAN_PORT
from topology.node import NextHop, Node, Route
from topology.promises import (
    NO_MANAGEMENT,
    NOWHERE,
    Management,
    Pair,
    Segment,
    Separation,
    Share,
    Spread,
    Survival,
    Tenant,
)
from topology.refs import Address, Interface, Network, PortRef, Tags

__all__ = [
    "AGEING",
    "GENEVE_PORT",
    "LOOPBACK",
    "NAME_MAX",
    "PORT_MTU",
    "TREATMENTS",
    "USER_HZ",
    "VXLAN_PORT",
    "Address",
    "Bridge",
    "Device",
    "Fabric",
    "Geneve",
    "Gre",
    "Interface",
    "Isolation",
    "Link",
    "Loopback",
    "Network",
    "NextHop",
    "Node",
    "Port",
    "Route",
    "Routing",
    "Subinterface",
    "Tags",
    "Treatment",
    "Tunnel",
    "UdpTunnel",
    "Vrf",
    "Vxlan",
    "stable_mac",
]

Treatment: TypeAlias = Literal["accepted", "refused"]

TREATMENTS: tuple[Treatment, ...] = get_args(Treatment)


DeviceT = TypeVar("DeviceT", bound=Device)


@dataclass(frozen=True)
class Isolation:
    """The treatment that a fabric promises where isolation leaves a choice; the defaults are those of Linux.

    ``foreign_sources``: VXLAN packets whose source is not the VTEP's peer (``vxlan_rcv``, drivers/net/vxlan, does not
    check it). ``reserved_bits``: VXLAN packets with a reserved bit set; RFC 7348 ignores these bits, Linux drops the
    packets. ``overlap``: customers on separate Layer 2 segments with the same addresses and MACs.
    """

    foreign_sources: Treatment = "accepted"
    reserved_bits: Treatment = "refused"
    overlap: Treatment = "refused"


@dataclass(frozen=True)
class Link:
    """A veth pair between two nodes."""

    a: PortRef
    b: PortRef
    where: Position = field(default=NOWHERE, compare=False)

    @property
    def ends(self) -> tuple[PortRef, PortRef]:
        """Both interfaces, in declared order."""
        return (self.a, self.b)

    def __str__(self) -> str:
        return f"{self.a} -- {self.b}"


def other_ends(links: Iterable[Link]) -> dict[PortRef, PortRef]:
    """Return the other end of each interface that is an end of a link."""
    return {end: other for link in links for end, other in (link.ends, link.ends[::-1])}


@dataclass(frozen=True)
class Routing:
    """The ECMP sysctls of all nodes (Documentation/networking/ip-sysctl)."""

    hash_policy: int = 0
    ignore_linkdown: bool = False


@dataclass(frozen=True)
class Fabric:
    """A declared fabric; ``fabric["lc1"]`` is a node. Tenants are already part of its nodes, links and pairs.

    ``notes`` has a line for each thing that the reader of the file left out, changed or derived.
    """

    name: str
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    pairs: tuple[Pair, ...]
    file: str = "<lab>"
    title: str = ""
    notes: tuple[str, ...] = field(default=(), compare=False)
    tenants: tuple[Tenant, ...] = ()
    tenants_file: str = ""
    routing: Routing = Routing()
    spreads: tuple[Spread, ...] = ()
    isolation: Isolation = Isolation()
    throughput: tuple[Share, ...] = ()
    failover: tuple[Survival, ...] = ()
    segments: tuple[Segment, ...] = ()
    apart: tuple[Separation, ...] = ()
    management: Management = NO_MANAGEMENT
    blocked: tuple[Link, ...] = ()
    """In live forwarding state, the cables that a spanning tree blocks: no links, as they join nothing."""
    built: Fabric | None = field(default=None, compare=False, repr=False)
    """The declaration of which these are the promises alone, where hopcheck has built it."""

    def __getitem__(self, name: str) -> Node:
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownName(f"node of {self.name}", name, self._by_name) from None

    @cached_property
    def _by_name(self) -> Mapping[str, Node]:
        return {node.name: node for node in self.nodes}

    @cached_property
    def walked(self) -> dict[Any, Any]:
        """Probes whose paths through the fabric are already derived, each with its journey (``topology.expected``)."""
        return {}

    @property
    def has_daemons(self) -> bool:
        """True if routing daemons, not the declaration, decide how it forwards."""
        return any(node.frr for node in self.nodes)

    @property
    def walkable_pairs(self) -> tuple[Pair, ...]:
        """The pairs whose paths the declaration determines."""
        return self.pairs if self.nodes and not self.has_daemons else ()

    @property
    def judged(self) -> Fabric:
        """The reference for verdicts: the declaration or, if daemons decide how it forwards, its promises alone."""
        return self.promises if self.has_daemons else self

    @property
    def promises(self) -> Fabric:
        """Only its promises between hosts, as for an adopted fabric."""
        return replace(self, nodes=(), links=(), tenants=(), spreads=(), throughput=(), built=self)

    @property
    def devices(self) -> Iterable[Device]:
        """All devices of all nodes."""
        return (device for node in self.nodes for device in node.devices)

    def all(self, kind: type[DeviceT]) -> tuple[DeviceT, ...]:
        """Return all devices of a class, in declaration order."""
        return tuple(device for node in self.nodes for device in node.all(kind))

    def role(self, role: str) -> tuple[Node, ...]:
        """Return the nodes of a role, in declaration order."""
        return tuple(node for node in self.nodes if node.role == role)

    @property
    def cables(self) -> tuple[Link, ...]:
        """The links, and the cables that a spanning tree blocks."""
        return (*self.links, *self.blocked)

    @cached_property
    def spine_links(self) -> tuple[Link, ...]:
        """The links between a leaf and a spine; possibly none."""
        wanted = {"leaf", "spine"}
        return tuple(link for link in self.links if {self[end.node].role for end in link.ends} == wanted)

    @cached_property
    def tunnels(self) -> tuple[Tunnel, ...]:
        """All tunnels, by kind."""
        kinds = (kind for kind in LINKS if issubclass(kind, Tunnel))
        return tuple(tunnel for kind in kinds for device in self.all(kind) for tunnel in device.each)

    @cached_property
    def _receivers(self) -> Mapping[tuple[Address, Hashable], tuple[Tunnel, ...]]:
        """The tunnel devices by the address at which they receive, and the key by which the kernel there finds them."""
        found: dict[tuple[Address, Hashable], tuple[Tunnel, ...]] = {}
        for tunnel in self.tunnels:
            for address in self[tunnel.node].ends_of(tunnel):
                ends = (address, tunnel.lookup)
                found[ends] = (*found.get(ends, ()), tunnel)
        return found

    def receivers(self, tunnel: Tunnel, remote: Address) -> tuple[Tunnel, ...]:
        """Return the devices that receive a tunnel's packets to one of its remotes."""
        if remote.is_multicast:
            return tuple(self._heard_by(tunnel, remote))
        return self._receivers.get((remote, tunnel.lookup_at(remote)), ())

    def _heard_by(self, tunnel: Tunnel, group: Address) -> Iterator[Tunnel]:
        """Yield the devices of a multicast group that are on the segment by which a device sends to it."""
        by = tunnel.out_by
        near = {other.ref for other in self.segment(self[tunnel.node][by])} if by else set()
        for far in self.tunnels:
            there = PortRef(far.node, far.out_by or "")
            if group in far.remotes and far.lookup == tunnel.lookup and far.ref != tunnel.ref and there in near:
                yield far

    def learned_end(self, tunnel: Tunnel, far: Tunnel) -> Address | None:
        """Return the remote that a tunnel device learns for MACs behind another one: the outer source of the packets
        from there (vxlan_snoop, drivers/net/vxlan). None if that one sends nothing here."""
        here = next((remote for remote in far.remotes if tunnel in self.receivers(far, remote)), None)
        return self[far.node].outer_source(far, here) if here is not None else None

    def outer_ends(self, tunnel: Tunnel) -> Iterator[tuple[Address, Address]]:
        """Yield the outer source and destination of a tunnel's packets, in the order of its remotes."""
        for remote in tunnel.remotes:
            learned: list[Address | None] = []
            if tunnel.learns:
                learned = [self.learned_end(tunnel, far) for far in self.receivers(tunnel, remote)]
            for end in dict.fromkeys((remote, *learned)):
                if end is not None:
                    yield self[tunnel.node].outer_source(tunnel, end), end

    def far_ends(self, device: Device) -> tuple[Device, ...]:
        """Return the devices that receive a device's packets: a veth's peer, the far VLANs, the tunnels' far ends."""
        if isinstance(device, Port):
            there = self._by_name.get(device.peer.node)
            return (there[device.peer.interface],) if there is not None and there.has(device.peer.interface) else ()
        if isinstance(device, Tunnel) and device.ethernet:
            return tuple(far for remote in device.leads_to for far in self.receivers(device, remote))
        if isinstance(device, Subinterface):
            return tuple(dict.fromkeys(self._far_vlans(device, (), set())))
        return ()

    def _far_vlans(self, device: Device, tags: Tags, passed: set[PortRef]) -> Iterator[Device]:
        """Yield the VLAN sub-interfaces that receive a VLAN's frames: at the port's peer, or behind bridges, which
        forward without regard to tags."""
        out, tags = self.sent_by(device, tags)
        for far in () if isinstance(out, Subinterface) else self.far_ends(out):
            end, left = self.received_by(far, tags)
            bridge = self[end.node].bridge_of(end.name)
            if not left:
                yield end
            elif bridge is not None and bridge.ref not in passed:
                passed.add(bridge.ref)
                members = (name for name in bridge.members if name != end.name and self[end.node].has(name))
                for name in members:
                    yield from self._far_vlans(self[end.node][name], left, passed)

    def segment(self, device: Device) -> Iterator[Device]:
        """Yield the devices in the broadcast domain of a device, without the device itself."""
        yield from self.behind(device, set())

    def behind(self, device: Device, passed: set[PortRef], tags: Tags = ()) -> Iterator[Device]:
        """Yield the devices that a frame reaches at Layer 2 when a device sends it with these VLAN tags."""
        out, tags = self.sent_by(device, tags)
        if isinstance(out, Bridge):
            yield from self._across(out, out.name, passed, tags)
        for far in self.far_ends(out):
            yield from self.beyond(far, passed, tags)

    def beyond(self, far: Device, passed: set[PortRef], tags: Tags = ()) -> Iterator[Device]:
        """Yield the device that receives a frame, or all devices that its bridge connects."""
        far, tags = self.received_by(far, tags)
        bridge = self[far.node].bridge_of(far.name)
        if bridge is None:
            yield from () if tags else (far,)
        elif bridge.ref not in passed:
            own, left = self.received_by(bridge, bridge.lets_out(tags, far.name, bridge.name))
            yield from () if left else (own,)
            yield from self._across(bridge, far.name, passed, tags)

    def _across(self, bridge: Bridge, came_by: str, passed: set[PortRef], tags: Tags) -> Iterator[Device]:
        passed.add(bridge.ref)
        vid = bridge.vlan_of(tags, came_by)
        # By a port in other VLANs a frame would come to the next bridge in another VLAN, and that counts but once.
        for name in sorted(bridge.members, key=lambda name: bridge.filters and vid not in bridge.vlans_of(name)):
            if name != came_by:
                yield from self.behind(self[bridge.node][name], passed, bridge.lets_out(tags, came_by, name))

    def sent_by(self, device: Device, tags: Tags = ()) -> tuple[Device, Tags]:
        """Return the port by which a device's frame leaves, and its VLAN tags there."""
        if isinstance(device, Vxlan) and (part := device.part(tags)):
            return part, tags[1:]
        if not isinstance(device, Subinterface) or not self[device.node].has(device.link):
            return device, tags
        return self.sent_by(self[device.node][device.link], (device.vid, *tags))

    def received_by(self, device: Device, tags: Tags) -> tuple[Device, Tags]:
        """Return the device that receives a tagged frame that arrives at another one, and the tags left on it there
        (vlan_do_receive, net/8021q), or that of the VLAN to which its VNI is mapped
        (br_handle_ingress_vlan_tunnel, net/bridge)."""
        if isinstance(device, Vxlan) and device.vid and not tags:
            return device, (device.vid,)
        vlan = self[device.node].subinterface(device.name, tags[0]) if tags else None
        return (device, tags) if vlan is None else self.received_by(vlan, tags[1:])

    @cached_property
    def udp_ports(self) -> Mapping[str, frozenset[int]]:
        """The UDP destination ports of this fabric's tunnels, by their header; the decoder uses only these."""
        return {kind.headers[-1]: frozenset(device.port for device in self.all(kind)) for kind in UDP_TUNNELS}

    @cached_property
    def needs(self) -> frozenset[str]:
        """The rtnetlink link kinds that a kernel must support for this fabric."""
        return frozenset(device.kind for device in self.devices if not isinstance(device, Loopback))
