"""A node of a fabric: its devices, its routes and its forwarding table. Frozen and pure.

Import it from ``topology.model``.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

from topology.errors import Position, UnknownName
from topology.fib import Egress, Fib
from topology.frr import Frr
from topology.links import Bridge, Device, Gre, Loopback, Subinterface, Tunnel, Vrf, Vxlan
from topology.promises import NOWHERE
from topology.refs import Address, Network
from topology.roles import ROLES, ROUTERS, role_of

BARE_RUNTIMES = ("netns", "docker")
"""The runtimes that need nothing of a node, the default first."""
RUNTIMES = (*BARE_RUNTIMES, "frr")
"""The runtimes that make nodes: each is a module in ``topology.nodes``."""

FILTERS = "filters"
"""What may drop a packet or set its mark, among what is not followed of a node; probes have no mark."""


@dataclass(frozen=True)
class NextHop:
    """A next hop as declared: the gateway ``via``, the device ``dev``, or both.

    ``onlink`` makes the kernel accept a gateway outside the subnets of ``dev`` (RTNH_F_ONLINK, linux/rtnetlink.h).
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
    """A unicast route of the main table; ``others`` are further next hops of equal cost."""

    prefix: Network
    via: Address | None = None
    dev: str | None = None
    onlink: bool = False
    others: tuple[NextHop, ...] = ()
    kind: str = "unicast"
    encap: str = ""
    """The header that it adds to packets, in the words of ip-route(8)."""
    src: Address | None = None
    """The source address that it gives to packets of its node without one."""
    where: Position = field(default=NOWHERE, compare=False)

    @property
    def next_hops(self) -> tuple[NextHop, ...]:
        """All next hops, the first one first."""
        return (NextHop(self.via, self.dev, self.onlink), *self.others)

    def __str__(self) -> str:
        target = "default" if self.prefix.prefixlen == 0 else str(self.prefix)
        word = " nexthop " if self.others else " "
        return target + "".join(f"{word}{hop}" for hop in self.next_hops)


DeviceT = TypeVar("DeviceT", bound=Device)


@dataclass(frozen=True, kw_only=True)
class Node:
    """A network namespace, container or machine: its devices in the order of their creation, and its routes."""

    name: str
    role: str
    devices: tuple[Device, ...] = ()
    routes: tuple[Route, ...] = ()
    forwarding: frozenset[tuple[int, str]] | None = None
    """The IP versions and devices of which incoming packets are forwarded; None for a declared node."""
    forwards: bool = False
    """Whether it forwards packets; only for a role that is a word of the lab's own."""
    connected: bool = True
    """False if ``routes`` has the routes of the addresses too."""
    runtime: str = ""
    """The runtime that makes the node; empty where the run's ``--runtime`` decides."""
    neighbours: Mapping[tuple[str, Address], str] = field(default_factory=dict)
    """The MACs of permanent neighbour entries, by device and address."""
    frr: Frr | None = None
    """The routing daemons that run in it."""
    unfollowed: str = ""
    """Further state that may route packets, and is not followed; empty for a declared node."""
    sends_elsewhere: bool = False
    """True where a device of it is one of another namespace, such as a VLAN's of a port there."""
    handed: Mapping[str, str] = field(default_factory=dict)
    """By port the device that takes its frames, where that device is not followed, such as a bond."""
    opaque: str = ""
    """Why nothing of its state says what becomes of a frame that comes in by a cable; empty where it does."""
    sysctls: Mapping[str, str] = field(default_factory=dict)
    """The settings of a live node; empty for a declared one, which has the defaults."""
    rules: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """By IP version the policy rules in the words of ip-rule(8), in their order, where not just the kernel's own."""
    tables: tuple[tuple[str, Route], ...] = ()
    """The routes of other tables than main, each with its table."""
    where: Position = field(default=NOWHERE, compare=False)

    @property
    def is_router(self) -> bool:
        """True if its role is to forward IP packets."""
        return role_of(self.role, self.forwards).forwards

    @property
    def is_live(self) -> bool:
        """True where the node was read, not declared."""
        return self.forwarding is not None

    def setting(self, version: int, device: str, name: str) -> int:
        """Return a setting of a device: the greater of its own and that for all devices."""
        family = "ipv4" if version == 4 else "ipv6"
        keys = [f"net.{family}.conf.{of}.{name}" for of in ("all", device)] + [f"net/{family}/conf/{device}/{name}"]
        found = [self.sysctls[key] for key in keys if key in self.sysctls]
        return max((int(value) for value in found if value.isdecimal()), default=0)

    def refuses_to_forward(self, version: int, device: str) -> str:
        """Return why packets of an IP version that come in by a device are not forwarded; empty if they are."""
        if self.forwarding is None:
            why = f"{' and '.join(ROUTERS)} do" if self.role in ROLES else "forwards: false"
            return "" if self.is_router else f"a {self.role} does not forward ({why})"
        return "" if (version, device) in self.forwarding else f"forwards no IPv{version} packets from {device}"

    def __getitem__(self, name: str) -> Device:
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownName(f"device of {self.name}", name, self._by_name) from None

    @cached_property
    def _by_name(self) -> Mapping[str, Device]:
        return {device.name: device for device in self.devices}

    def has(self, name: str) -> bool:
        """Return whether the node declares a device of that name."""
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
        """The local tunnel address of the node's only VXLAN device."""
        return self.vxlan.local

    @cached_property
    def addresses(self) -> Mapping[Address, Device]:
        """The node's addresses, each with the device that has it."""
        return {interface.ip: device for device in self.devices for interface in device.addresses}

    @property
    def address(self) -> Address:
        """The node's first declared address, which probes use as source or destination."""
        for found in self.addresses:
            return found
        raise UnknownName(f"address of {self.name}", "first", ())

    def bridge_of(self, member: str) -> Bridge | None:
        """Return the bridge that the device is a port of, or None."""
        return self._bridges.get(member)

    @cached_property
    def vrfs(self) -> Mapping[str, Vrf]:
        """The VRF of each device that is in one."""
        return {member: vrf for vrf in self.all(Vrf) for member in vrf.members}

    def subinterface(self, link: str, vid: int) -> Subinterface | None:
        """Return the VLAN sub-interface of a port for one VLAN ID, or None."""
        return next((found for found in self.subinterfaces(link) if found.vid == vid), None)

    def subinterfaces(self, link: str) -> tuple[Subinterface, ...]:
        """Return the VLAN sub-interfaces of a port."""
        return tuple(found for found in self.all(Subinterface) if found.link == link)

    @cached_property
    def _bridges(self) -> Mapping[str, Bridge]:
        """The bridge of each member; of several the first one declared."""
        return {member: bridge for bridge in reversed(self.all(Bridge)) for member in bridge.members}

    def device_towards(self, hop: NextHop) -> str | None:
        """Return the outgoing device of a next hop: the declared one, or the one whose subnet has the gateway."""
        if hop.dev is not None or hop.via is None:
            return hop.dev
        return next((egress.dev for egress in self._connected.lookup(hop.via)), None)

    @cached_property
    def _connected(self) -> Fib:
        return Fib(self._subnets())

    def _subnets(self) -> Iterator[tuple[Network, Sequence[Egress]]]:
        for device in self.devices:
            yield from ((interface.network, (Egress(device.name, None),)) for interface in device.addresses)

    @cached_property
    def fib(self) -> Fib:
        """The node's forwarding table: connected routes first, then the declared ones."""
        routes = ((r.prefix, self.egresses(r) if r.kind == "unicast" else None) for r in self.routes)
        return Fib((*self._subnets(), *routes) if self.connected else routes)

    def _fitting(self, address: Address) -> list[Route]:
        return [route for route in self.routes if route.prefix.version == address.version and address in route.prefix]

    def refusal(self, address: Address) -> str:
        """Return the kind of the longest route to an address, if it refuses packets; else nothing."""
        longest = max(self._fitting(address), key=lambda route: route.prefix.prefixlen, default=None)
        return f"a route of type {longest.kind}" if longest is not None and longest.kind != "unicast" else ""

    def encap_towards(self, address: Address) -> str:
        """Return the longest route to an address with the header that it adds; empty where it adds none."""
        by_length = sorted(self._fitting(address), key=lambda route: (-route.prefix.prefixlen, not route.encap))
        return f"{by_length[0]} encap {by_length[0].encap}" if by_length and by_length[0].encap else ""

    def egresses(self, route: Route) -> tuple[Egress, ...]:
        """Return a route's next hops with their outgoing devices; unreachable next hops are left out."""
        found = ((self.device_towards(hop), hop.via) for hop in route.next_hops)
        return tuple(Egress(dev, via, route.src) for dev, via in found if dev is not None)

    def source_towards(self, address: Address, dev: str | None = None) -> Address | None:
        """Return the source address that the kernel selects for a packet from this node (inet_select_addr,
        net/ipv4/devinet.c): the route's, else one of the outgoing device, on the gateway's subnet if it has one there.

        ``dev`` restricts the lookup to one outgoing device. None without a route, without an address, or where
        equal-cost routes give different sources.
        """
        if address in self.addresses:
            return address
        found = {egress.src or self._source(egress, address) for egress in self.fib.lookup(address, dev)}
        return found.pop() if len(found) == 1 else None

    def _source(self, egress: Egress, address: Address) -> Address | None:
        device = self[egress.dev] if self.has(egress.dev) else None
        own = [i for i in device.addresses if i.version == address.version] if device else []
        if not own:
            # The kernel falls back to the node's other devices in the order of their indexes: lo comes first.
            others = sorted(self.devices, key=lambda other: not isinstance(other, Loopback))
            return next((i.ip for d in others for i in d.addresses if i.version == address.version), None)
        return next((i.ip for i in own if (egress.via or address) in i.network), own[0].ip)

    def outer_source(self, tunnel: Tunnel, remote: Address) -> Address:
        """Return the outer source address of a tunnel's packets to a remote."""
        if not tunnel.without_local:
            return tunnel.local
        return self.source_towards(remote, tunnel.out_by) or tunnel.local

    def ends_of(self, tunnel: Tunnel) -> tuple[Address, ...]:
        """Return the addresses at which a tunnel device receives packets."""
        if not tunnel.without_local:
            return (tunnel.local,)
        return tuple(address for address in self.addresses if address.version == tunnel.remote.version)

    @cached_property
    def tunnel_by_ends(self) -> Mapping[Hashable, Tunnel]:
        """The tunnel devices by the key with which the kernel looks for them (``Tunnel.lookup``)."""
        return {tunnel.lookup: tunnel for tunnel in reversed(self.tunnels)}

    @property
    def tunnels(self) -> tuple[Tunnel, ...]:
        """The node's tunnels; several of one device that takes a VNI from each packet."""
        return tuple(tunnel for device in self.all(Tunnel) for tunnel in device.each)

    @property
    def sourced(self) -> Node:
        """The node with the sources of its tunnels' packets that the routes to their remotes select."""
        return replace(self, devices=tuple(map(self._with_source, self.devices)))

    def _with_source(self, device: Device) -> Device:
        if not isinstance(device, Tunnel) or not device.source_by_route or not device.local.is_unspecified:
            return device
        return replace(device, local=self.source_towards(device.remote, device.out_by) or device.local)
