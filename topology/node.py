"""A node of a fabric: its devices, its routes, and where its packets go. Frozen and pure.

``topology.model`` gives it with all the rest; import it from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias, TypeVar, get_args

from topology.devices import (
    Address,
    Bridge,
    Device,
    Geneve,
    Gre,
    Loopback,
    Network,
    Subinterface,
    Tunnel,
    Vxlan,
)
from topology.errors import Position, UnknownName
from topology.fib import Fib, Way
from topology.promises import NOWHERE

Role: TypeAlias = Literal["leaf", "spine", "switch", "customer"]
ROLES: tuple[Role, ...] = get_args(Role)


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
