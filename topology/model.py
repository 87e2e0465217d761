"""What a fabric is: nodes, devices, routes, links and the pairs whose journeys are promised. Frozen and pure.

The field's words are used as ``ip-link(8)``, ``ip-route(8)`` and RFC 7348 (VXLAN) use them. Lengths are bytes,
MTUs are bytes of IP packet, addresses are ``ipaddress`` objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias, TypeVar, get_args

from topology.devices import (
    AGEING,
    GENEVE_PORT,
    LOOPBACK,
    NAME_MAX,
    PORT_MTU,
    VXLAN_PORT,
    Address,
    Bridge,
    Device,
    FrameTunnel,
    Geneve,
    Gre,
    Interface,
    Loopback,
    Network,
    Port,
    Subinterface,
    Tunnel,
    Vxlan,
    link_kind,
    stable_mac,
)
from topology.errors import Position, UnknownName
from topology.fib import Fib, Way
from topology.promises import NOWHERE, Pair, Share, Spread, Tenant
from topology.refs import PortRef

__all__ = [
    "AGEING",
    "GENEVE_PORT",
    "LOOPBACK",
    "NAME_MAX",
    "PORT_MTU",
    "ROLES",
    "TREATMENTS",
    "VXLAN_PORT",
    "Address",
    "Bridge",
    "Device",
    "Fabric",
    "FrameTunnel",
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
    "Role",
    "Route",
    "Routing",
    "Subinterface",
    "Tags",
    "Treatment",
    "Tunnel",
    "Vxlan",
    "link_kind",
    "stable_mac",
]

Role: TypeAlias = Literal["leaf", "spine", "switch", "customer"]
Treatment: TypeAlias = Literal["accepted", "refused"]

Tags: TypeAlias = tuple[int, ...]
"""The VLANs of a frame's 802.1Q tags, the outermost first."""
ROLES: tuple[Role, ...] = get_args(Role)
TREATMENTS: tuple[Treatment, ...] = get_args(Treatment)


@dataclass(frozen=True)
class NextHop:
    """Where a route leads: through the gateway ``via``, or directly out of ``dev``.

    With ``onlink`` the gateway is taken to be behind ``dev``, on whatever subnet (RTNH_F_ONLINK, linux/rtnetlink.h).
    """

    via: Address | None = None
    dev: str | None = None
    onlink: bool = False

    def __str__(self) -> str:
        words = ["via", str(self.via)] if self.via else []
        words += ["dev", self.dev] if self.dev else []
        return " ".join([*words, *(["onlink"] if self.onlink else [])])


@dataclass(frozen=True, kw_only=True)
class Route:
    """A unicast route of the main table: to its next hop, or to one of several of equal cost (``others``)."""

    prefix: Network
    via: Address | None = None
    dev: str | None = None
    onlink: bool = False
    others: tuple[NextHop, ...] = ()
    where: Position = field(default=NOWHERE, compare=False)

    @property
    def next_hops(self) -> tuple[NextHop, ...]:
        """All of them."""
        return (NextHop(self.via, self.dev, self.onlink), *self.others)

    def __str__(self) -> str:
        target = "default" if self.prefix.prefixlen == 0 else str(self.prefix)
        word = " nexthop " if self.others else " "
        return target + "".join(f"{word}{hop}" for hop in self.next_hops)


DeviceT = TypeVar("DeviceT", bound=Device)


@dataclass(frozen=True, kw_only=True)
class Node:
    """A network namespace, container or machine: its devices in creation order, and its routes."""

    name: str
    role: Role
    devices: tuple[Device, ...] = ()
    routes: tuple[Route, ...] = ()
    where: Position = field(default=NOWHERE, compare=False)

    def __getitem__(self, name: str) -> Device:
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownName(f"device of {self.name}", name, self._by_name) from None

    @cached_property
    def _by_name(self) -> Mapping[str, Device]:
        return {device.name: device for device in self.devices}

    def has(self, name: str) -> bool:
        """Whether a device of that name is declared here."""
        return name in self._by_name

    def all(self, kind: type[DeviceT]) -> tuple[DeviceT, ...]:
        """The node's devices of one class, in declaration order."""
        return tuple(device for device in self.devices if isinstance(device, kind))

    def _only(self, kind: type[DeviceT]) -> DeviceT:
        found = self.all(kind)
        if len(found) != 1:
            raise UnknownName(f"single {kind.__name__} of {self.name}", "", (d.name for d in found))
        return found[0]

    @property
    def gre(self) -> Gre:
        """The node's only GRE device; raises UnknownName where there is none or more than one."""
        return self._only(Gre)

    @property
    def vxlan(self) -> Vxlan:
        """The node's only VXLAN device; raises UnknownName where there is none or more than one."""
        return self._only(Vxlan)

    @property
    def vtep(self) -> Address:
        """The address at which the node's only VXLAN device ends its tunnels."""
        return self.vxlan.local

    @cached_property
    def addresses(self) -> Mapping[Address, Device]:
        """Every address of the node and the device that carries it."""
        return {interface.ip: device for device in self.devices for interface in device.addresses}

    @property
    def address(self) -> Address:
        """The node's first declared address: where probes come from and go to."""
        for found in self.addresses:
            return found
        raise UnknownName(f"address of {self.name}", "first", ())

    def bridge_of(self, member: str) -> Bridge | None:
        """The bridge that the device is a member of."""
        return self._bridges.get(member)

    def subinterface(self, link: str, vid: int) -> Subinterface | None:
        """The sub-interface that takes a port's frames of one VLAN."""
        return next((found for found in self.subinterfaces(link) if found.vid == vid), None)

    def subinterfaces(self, link: str) -> tuple[Subinterface, ...]:
        """A port's VLANs."""
        return tuple(found for found in self.all(Subinterface) if found.link == link)

    @cached_property
    def _bridges(self) -> Mapping[str, Bridge]:
        """Each member's bridge, the first one declared."""
        return {member: bridge for bridge in reversed(self.all(Bridge)) for member in bridge.members}

    def device_towards(self, hop: NextHop) -> str | None:
        """The device by which a next hop is reached: the declared one, or the one on whose subnet the gateway is."""
        if hop.dev is not None or hop.via is None:
            return hop.dev
        return next((way.dev for way in self._connected.lookup(hop.via)), None)

    @cached_property
    def _connected(self) -> Fib:
        return Fib(self._subnets())

    def _subnets(self) -> Iterator[tuple[Network, Sequence[Way]]]:
        for device in self.devices:
            yield from ((interface.network, (Way(device.name, None),)) for interface in device.addresses)

    @cached_property
    def fib(self) -> Fib:
        """Where the node's packets go: the routes that its addresses bring, then the declared ones."""
        declared = ((route.prefix, self.ways(route)) for route in self.routes)
        return Fib((*self._subnets(), *declared))

    def ways(self, route: Route) -> tuple[Way, ...]:
        """A route's next hops, each with the device by which it is reached; those that none reaches are left out."""
        found = ((self.device_towards(hop), hop.via) for hop in route.next_hops)
        return tuple(Way(dev, via) for dev, via in found if dev is not None)

    def source_towards(self, address: Address, dev: str | None = None) -> Address | None:
        """The address that the kernel gives a packet of the node's own, out of ``dev`` where one is named: the way's
        device's, on the gateway's subnet where it has one there (inet_select_addr, net/ipv4/devinet.c); None where
        there is no way, no address, or more than one."""
        if address in self.addresses:
            return address
        found = {self._source(way, address) for way in self.fib.lookup(address, dev)}
        return found.pop() if len(found) == 1 else None

    def _source(self, way: Way, address: Address) -> Address | None:
        device = self[way.dev] if self.has(way.dev) else None
        own = [i for i in device.addresses if i.version == address.version] if device else []
        if not own:
            # The kernel goes on through the node's other devices, in the order of their numbers: lo comes first.
            others = sorted(self.devices, key=lambda other: not isinstance(other, Loopback))
            return next((i.ip for d in others for i in d.addresses if i.version == address.version), None)
        return next((i.ip for i in own if (way.via or address) in i.network), own[0].ip)

    def outer_source(self, vxlan: Vxlan, remote: Address) -> Address:
        """The source of a VXLAN device's packets to an address."""
        return (self.source_towards(remote, vxlan.dev) or vxlan.local) if vxlan.by_route else vxlan.local

    def ends_of(self, tunnel: Tunnel) -> tuple[Address, ...]:
        """The addresses at which a tunnel device takes packets."""
        if not isinstance(tunnel, Vxlan) or not tunnel.by_route:
            return (tunnel.local,)
        return tuple(address for address in self.addresses if address.version == tunnel.remote.version)

    @cached_property
    def geneve_by_ends(self) -> Mapping[tuple[int, int, Address], Geneve]:
        """The node's Geneve devices by UDP port, VNI and the address that packets come from (``geneve_lookup``)."""
        return {(geneve.port, geneve.vni, geneve.remote): geneve for geneve in reversed(self.all(Geneve))}

    @cached_property
    def gre_by_ends(self) -> Mapping[tuple[Address, Address, int | None], Gre]:
        """The node's GRE devices by what the kernel tells them apart by: local, remote, key (``ip_tunnel_lookup``)."""
        return {(gre.local, gre.remote, gre.key): gre for gre in reversed(self.all(Gre))}

    @cached_property
    def vxlan_by_vni(self) -> Mapping[tuple[int, int], Vxlan]:
        """The node's VXLAN devices by UDP port and VNI (``vxlan_vs_find_vni``)."""
        return {(vxlan.port, vxlan.vni): vxlan for vxlan in reversed(self.all(Vxlan))}


@dataclass(frozen=True)
class Isolation:
    """What a fabric does where isolation leaves a choice; the defaults are what Linux does.

    ``foreign_sources``: VXLAN packets that do not come from the VTEP's peer (``vxlan_rcv``, drivers/net/vxlan, looks at
    no source). ``reserved_bits``: VXLAN packets with a reserved bit set, which RFC 7348 has ignored and Linux drops.
    ``overlap``: customers on separate Layer 2 segments with the same addresses and MACs.
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
        """Both ends, in declared order."""
        return (self.a, self.b)

    def __str__(self) -> str:
        return f"{self.a} -- {self.b}"


@dataclass(frozen=True)
class Routing:
    """How the nodes of a fabric choose among equal-cost next hops (Documentation/networking/ip-sysctl)."""

    hash_policy: int = 0
    ignore_linkdown: bool = False


@dataclass(frozen=True)
class Fabric:
    """A declared fabric; ``fabric["lc1"]`` is a node. Tenants, where there are any, are parts of all the rest.

    ``notes`` is what its reader must tell people: a line for each thing that was left out, changed or derived.
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

    def __getitem__(self, name: str) -> Node:
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownName(f"node of {self.name}", name, self._by_name) from None

    @cached_property
    def _by_name(self) -> Mapping[str, Node]:
        return {node.name: node for node in self.nodes}

    @property
    def devices(self) -> Iterable[Device]:
        """Every device of every node."""
        return (device for node in self.nodes for device in node.devices)

    def all(self, kind: type[DeviceT]) -> tuple[DeviceT, ...]:
        """Every device of one class, in declaration order."""
        return tuple(device for node in self.nodes for device in node.all(kind))

    def role(self, role: Role) -> tuple[Node, ...]:
        """The nodes of one role, in declaration order."""
        return tuple(node for node in self.nodes if node.role == role)

    @cached_property
    def spine_links(self) -> tuple[Link, ...]:
        """The links between a leaf and a spine; a fabric may have none."""
        wanted = {"leaf", "spine"}
        return tuple(link for link in self.links if {self[end.node].role for end in link.ends} == wanted)

    @cached_property
    def tunnels(self) -> tuple[Tunnel, ...]:
        """Every tunnel device: those that wrap packets between two addresses."""
        return (*self.all(Gre), *self.all(Vxlan), *self.all(Geneve))

    @cached_property
    def geneve_ends(self) -> Mapping[tuple[Address, Address, int, int], tuple[Geneve, ...]]:
        """The Geneve devices by what a packet must name to reach them: both addresses, UDP port, VNI."""
        found: dict[tuple[Address, Address, int, int], tuple[Geneve, ...]] = {}
        for geneve in self.all(Geneve):
            ends = (geneve.remote, geneve.local, geneve.port, geneve.vni)
            found[ends] = (*found.get(ends, ()), geneve)
        return found

    @cached_property
    def vteps(self) -> Mapping[tuple[Address, int, int], tuple[Vxlan, ...]]:
        """The VXLAN devices by what a packet must name to reach them: local address, UDP port, VNI."""
        found: dict[tuple[Address, int, int], tuple[Vxlan, ...]] = {}
        for vxlan in self.all(Vxlan):
            for address in self[vxlan.node].ends_of(vxlan):
                ends = (address, vxlan.port, vxlan.vni)
                found[ends] = (*found.get(ends, ()), vxlan)
        return found

    def learned_end(self, vxlan: Vxlan, far: Vxlan) -> Address | None:
        """The address that a VXLAN device sends to once it has learned what is behind another one: the source of what
        that one sends here (vxlan_snoop, drivers/net/vxlan); None where that sends nothing here."""
        here = next((remote for remote in far.remotes if vxlan in self.far_vteps(far, remote)), None)
        return self[far.node].outer_source(far, here) if here is not None else None

    def outer_ends(self, tunnel: Tunnel) -> Iterator[tuple[Address, Address]]:
        """Source and destination of the outer headers that a tunnel device's packets have, in the order of its
        remotes."""
        for remote in tunnel.remotes:
            if not isinstance(tunnel, Vxlan):
                yield tunnel.local, remote
                continue
            learned = (self.learned_end(tunnel, far) for far in self.far_vteps(tunnel, remote) if tunnel.learning)
            for end in dict.fromkeys((remote, *(end for end in learned if end is not None))):
                yield self[tunnel.node].outer_source(tunnel, end), end

    def far_vteps(self, vxlan: Vxlan, remote: Address) -> tuple[Vxlan, ...]:
        """The VXLAN devices that a VTEP's packets to one of its remotes reach."""
        return self.vteps.get((remote, vxlan.port, vxlan.vni), ())

    def far_ends(self, device: Device) -> tuple[Device, ...]:
        """Where a frame that a device lets out comes in: a veth's other end, a VLAN's, those of a tunnel's remotes."""
        if isinstance(device, Port):
            there = self._by_name.get(device.peer.node)
            return (there[device.peer.interface],) if there is not None and there.has(device.peer.interface) else ()
        if isinstance(device, Vxlan):
            return tuple(far for remote in device.remotes for far in self.far_vteps(device, remote))
        if isinstance(device, Geneve):
            return self.geneve_ends.get((device.local, device.remote, device.port, device.vni), ())
        if isinstance(device, Subinterface):
            return tuple(dict.fromkeys(self._far_vlans(device, (), set())))
        return ()

    def _far_vlans(self, device: Device, tags: Tags, passed: set[PortRef]) -> Iterator[Device]:
        """The VLANs that a VLAN's frames reach: at the other end of its port, or through bridges, which look at no
        tags, and what they join."""
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

    def sent_by(self, device: Device, tags: Tags = ()) -> tuple[Device, Tags]:
        """The port by which a device's frame leaves, and the VLAN tags that it has there, the outermost first."""
        if not isinstance(device, Subinterface) or not self[device.node].has(device.link):
            return device, tags
        return self.sent_by(self[device.node][device.link], (device.vid, *tags))

    def received_by(self, device: Device, tags: Tags) -> tuple[Device, Tags]:
        """The device that a frame is for which comes into another one with VLAN tags, and those that it still has there
        (vlan_do_receive, net/8021q)."""
        vlan = self[device.node].subinterface(device.name, tags[0]) if tags else None
        return (device, tags) if vlan is None else self.received_by(vlan, tags[1:])

    @cached_property
    def vxlan_ports(self) -> frozenset[int]:
        """UDP destination ports that carry VXLAN in this fabric; a decoder guesses no others."""
        return frozenset(device.port for device in self.all(Vxlan))

    @cached_property
    def geneve_ports(self) -> frozenset[int]:
        """The same for Geneve."""
        return frozenset(device.port for device in self.all(Geneve))

    @cached_property
    def needs(self) -> frozenset[str]:
        """The rtnetlink link kinds that a kernel must offer to carry this fabric."""
        return frozenset(link_kind(device) for device in self.devices if not isinstance(device, Loopback))
