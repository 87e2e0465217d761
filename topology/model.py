"""What a fabric is: nodes, devices, routes, links and the pairs whose journeys are promised. Frozen and pure.

The field's words are used as ``ip-link(8)``, ``ip-route(8)`` and RFC 7348 (VXLAN) use them. Lengths are bytes,
MTUs are bytes of IP packet, addresses are ``ipaddress`` objects.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Literal, TypeAlias, TypeVar, get_args

from topology.errors import Position, UnknownName
from topology.fib import Fib

Address: TypeAlias = IPv4Address | IPv6Address
Interface: TypeAlias = IPv4Interface | IPv6Interface
Network: TypeAlias = IPv4Network | IPv6Network
Role: TypeAlias = Literal["leaf", "spine", "switch", "customer"]
Kind: TypeAlias = Literal["bridge", "routed", "l2-overlay", "l3-overlay", "hairpin"]
Above: TypeAlias = Literal["fragments", "icmp", "silence"]

ROLES: tuple[Role, ...] = get_args(Role)
KINDS: tuple[Kind, ...] = get_args(Kind)
ABOVE: tuple[Above, ...] = get_args(Above)
NAME_MAX = 15
"""IFNAMSIZ is 16 with the terminating NUL (linux/if.h); node names stay in the same bound."""
PORT_MTU = 1500
"""What Ethernet carries (RFC 894), and a new veth's own choice."""
VXLAN_PORT = 4789
"""The port IANA assigned to VXLAN (RFC 7348, section 8)."""
NOWHERE = Position()


@dataclass(frozen=True, order=True)
class PortRef:
    """One interface of one node, written ``node:interface``."""

    node: str
    interface: str

    def __str__(self) -> str:
        return f"{self.node}:{self.interface}"


@dataclass(frozen=True, kw_only=True)
class Device:
    """What every network device has; ``mtu`` None leaves the kernel's own choice."""

    node: str
    name: str
    mac: str | None = None
    mtu: int | None = None
    addresses: tuple[Interface, ...] = ()
    where: Position = field(default=NOWHERE, compare=False)

    @property
    def ref(self) -> PortRef:
        """The device as ``node:interface``."""
        return PortRef(self.node, self.name)


@dataclass(frozen=True, kw_only=True)
class Port(Device):
    """One end of a veth pair."""

    peer: PortRef


@dataclass(frozen=True, kw_only=True)
class Bridge(Device):
    """A learning bridge (IEEE 802.1D without spanning tree) over devices of its node."""

    members: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Vxlan(Device):
    """A VXLAN device: ``local`` is the VTEP's own address, ``remote`` the VTEP that floods go to."""

    vni: int
    local: Address
    remote: Address
    dev: str | None = None
    port: int = VXLAN_PORT


@dataclass(frozen=True, kw_only=True)
class Gre(Device):
    """A GRE device (RFC 2784, key of RFC 2890); ``ttl`` None inherits the inner packet's."""

    local: Address
    remote: Address
    key: int | None = None
    ttl: int | None = None


@dataclass(frozen=True, kw_only=True)
class Route:
    """A unicast route of the main table: through the gateway ``via``, or directly out of ``dev``."""

    prefix: Network
    via: Address | None = None
    dev: str | None = None
    where: Position = field(default=NOWHERE, compare=False)

    def __str__(self) -> str:
        words = ["default" if self.prefix.prefixlen == 0 else str(self.prefix)]
        words += ["via", str(self.via)] if self.via else []
        words += ["dev", self.dev] if self.dev else []
        return " ".join(words)


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

    @cached_property
    def _bridges(self) -> Mapping[str, Bridge]:
        """Each member's bridge, the first one declared."""
        return {member: bridge for bridge in reversed(self.all(Bridge)) for member in bridge.members}

    def route_device(self, route: Route) -> str | None:
        """The device a route leaves by: the declared one, or the one on whose subnet the gateway is."""
        if route.dev is not None or route.via is None:
            return route.dev
        way = self._connected.lookup(route.via)
        return way.dev if way else None

    @cached_property
    def _connected(self) -> Fib:
        return Fib((i.network, device.name, None) for device in self.devices for i in device.addresses)

    @cached_property
    def fib(self) -> Fib:
        """Where the node's packets go: the routes that its addresses bring, then the declared ones."""
        declared = ((route.prefix, self.route_device(route), route.via) for route in self.routes)
        connected = ((i.network, device.name, None) for device in self.devices for i in device.addresses)
        return Fib((*connected, *((prefix, dev, via) for prefix, dev, via in declared if dev is not None)))

    @cached_property
    def gre_by_ends(self) -> Mapping[tuple[Address, Address, int | None], Gre]:
        """The node's GRE devices by what the kernel tells them apart by: local, remote, key (``ip_tunnel_lookup``)."""
        return {(gre.local, gre.remote, gre.key): gre for gre in reversed(self.all(Gre))}

    @cached_property
    def vxlan_by_vni(self) -> Mapping[tuple[int, int], Vxlan]:
        """The node's VXLAN devices by UDP port and VNI (``vxlan_vs_find_vni``)."""
        return {(vxlan.port, vxlan.vni): vxlan for vxlan in reversed(self.all(Vxlan))}


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
class MtuPromise:
    """What sizes a pair's packets may have, in bytes of the customer's IP packet.

    Packets up to ``customers`` cross whole (None: as much as the declaration computes). ``above`` is what may become of
    larger ones with DF: they arrive in fragments of an outer packet, are answered by ICMP, or vanish in silence.
    """

    customers: int | None = None
    above: tuple[Above, ...] = ABOVE
    where: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True)
class Pair:
    """A promise: traffic from ``source`` reaches ``target`` and comes back, carried as ``kind`` says."""

    source: str
    target: str
    kind: Kind
    where: Position = field(default=NOWHERE, compare=False)
    mtu: MtuPromise = MtuPromise()

    def __str__(self) -> str:
        return f"{self.source}-{self.target}-{self.kind}"


@dataclass(frozen=True)
class Fabric:
    """A declared fabric; ``fabric["lc1"]`` is a node."""

    name: str
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    pairs: tuple[Pair, ...]
    file: str = "<lab>"
    title: str = ""

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
        """The links between a leaf and a spine: where nothing of a customer may be bare."""
        wanted = {"leaf", "spine"}
        return tuple(link for link in self.links if {self[end.node].role for end in link.ends} == wanted)

    @cached_property
    def tunnels(self) -> tuple[Gre | Vxlan, ...]:
        """Every tunnel device: those that wrap packets between two addresses."""
        return (*self.all(Gre), *self.all(Vxlan))

    @cached_property
    def vteps(self) -> Mapping[tuple[Address, int, int], tuple[Vxlan, ...]]:
        """The VXLAN devices by what a packet must name to reach them: local address, UDP port, VNI."""
        found: dict[tuple[Address, int, int], tuple[Vxlan, ...]] = {}
        for vxlan in self.all(Vxlan):
            ends = (vxlan.local, vxlan.port, vxlan.vni)
            found[ends] = (*found.get(ends, ()), vxlan)
        return found

    @cached_property
    def vxlan_ports(self) -> frozenset[int]:
        """UDP destination ports that carry VXLAN in this fabric; a decoder guesses no others."""
        return frozenset(device.port for device in self.all(Vxlan))

    @cached_property
    def needs(self) -> frozenset[str]:
        """The rtnetlink link kinds that a kernel must offer to carry this fabric."""
        return frozenset(link_kind(device) for device in self.devices)


def link_kind(device: Device) -> str:
    """The rtnetlink link kind (IFLA_INFO_KIND) that a device is made of."""
    if isinstance(device, Gre):
        return "ip6gre" if device.local.version == 6 else "gre"
    return {Bridge: "bridge", Vxlan: "vxlan", Port: "veth"}[type(device)]


def stable_mac(lab: str, node: str, interface: str) -> str:
    """A locally administered unicast MAC, the same in every build, so that a stack can state it.

    40 bits of SHA-256 behind ``02``: the U/L bit set, the I/G bit clear (IEEE 802, section 8.2).
    """
    digest = hashlib.sha256(f"{lab}/{node}/{interface}".encode()).digest()
    return ":".join(f"{byte:02x}" for byte in b"\x02" + digest[:5])
