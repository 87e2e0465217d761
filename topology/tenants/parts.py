"""The parts of each type of row: nodes, links, bridges, tunnels, addresses and routes. Pure.

::

    Bridge   customer -- rowN-switch (bridge) -- customer, and the leaf as their gateway
    VXLAN    customer -- rowN-vtep1 (bridge, VXLAN) -- leaf -- spine -- leaf -- rowN-vtep2 (bridge, VXLAN) -- customer
    GRE      customer -- leaf (gretun-rowN) -- spine -- leaf (gretun-rowN) -- customer
    L3       customer -- leaf -- spine -- leaf -- customer
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Interface, IPv4Network
from typing import TypeAlias

from topology.errors import Position
from topology.model import PORT_MTU, Bridge, Device, Fabric, Gre, Link, Node, Port, Route, Vxlan, stable_mac
from topology.promises import Kind, Pair, Tenant, TenantType
from topology.refs import PortRef
from topology.tenants.places import Site, Uplink

VTEP, VTEP_GATEWAY, GATEWAY = 1, 2, 254
"""The hosts of a row's subnets, as the reference lab numbers them; customers are 1, and 2 where they share a subnet."""
VXLAN_MTU = 1450
"""1500 bytes less IP, UDP, VXLAN and Ethernet (RFC 7348, section 4.3, leaves it to the operator)."""


class Growth:
    """A lab that grows: nodes, links, addresses and routes are added, and it becomes a fabric at the end."""

    def __init__(self, base: Fabric) -> None:
        self.base = base
        self._new: dict[str, Node] = {}
        self._known = {node.name for node in base.nodes}
        self._devices: dict[str, list[Device]] = {}
        self._routes: dict[str, dict[IPv4Network, Route]] = {}
        self._links: list[Link] = []
        self.tenants: list[Tenant] = []
        self._macs = {device.mac for device in base.devices}

    def node(self, name: str, role: str, where: Position) -> str:
        """Add a node unless there is one of that name; returns the name."""
        if name not in self._known:
            self._known.add(name)
            self._new[name] = Node(name=name, role=role, where=where)
        return name

    def link(self, a: PortRef, b: PortRef, where: Position, *addresses: IPv4Interface | None) -> None:
        """Add a veth pair, with the addresses of its two ends if they have any."""
        self._links.append(Link(a, b, where))
        for (end, peer), address in zip(((a, b), (b, a)), addresses or (None, None), strict=True):
            port = Port(node=end.node, name=end.interface, peer=peer, mtu=PORT_MTU, where=where)
            self.device(replace(port, addresses=(address,) if address else ()))

    def device(self, device: Device) -> None:
        """Add a device to a node, with a MAC that no other has."""
        made = replace(device, mac=None if isinstance(device, Gre) else self._mac(device))
        self._devices.setdefault(device.node, []).append(made)

    def _mac(self, device: Device) -> str:
        name = device.name
        while (mac := stable_mac(self.base.name, device.node, name)) in self._macs:
            name += "'"
        self._macs.add(mac)
        return mac

    def route(self, node: str, route: Route) -> None:
        """Add a route to a node; one to the same prefix that was added before stays as it is."""
        assert isinstance(route.prefix, IPv4Network)
        self._routes.setdefault(node, {}).setdefault(route.prefix, route)

    def fabric(self, tenants_file: str) -> Fabric:
        """Return the lab with all that was added."""
        return replace(
            self.base,
            nodes=tuple(self._grown(node) for node in (*self.base.nodes, *self._new.values())),
            links=(*self.base.links, *self._links),
            pairs=(*self.base.pairs, *(tenant.pair for tenant in self.tenants)),
            tenants=tuple(self.tenants),
            tenants_file=tenants_file,
        )

    def _grown(self, node: Node) -> Node:
        devices = (*node.devices, *self._devices.get(node.name, ()))
        routes = (*node.routes, *self._routes.get(node.name, {}).values())
        return replace(node, devices=devices, routes=routes)


Built: TypeAlias = tuple[tuple[IPv4Interface, IPv4Interface], tuple[PortRef, ...]]
"""The addresses of a row's customers, and its tunnel devices."""


def build(grow: Growth, site: Site) -> None:
    """Add a row that has its place, its subnets and its VNI."""
    row, parts = site.row, PARTS[site.row.type]
    (src, dst), tunnel = parts.build(grow, site)
    pair = Pair(site.source, site.target, parts.kind, src.ip, dst.ip, row.number, where=site.where)
    crossing = (site.path.source.spine, site.path.target.spine) if site.path else ()
    grow.tenants.append(Tenant(row.number, row.type, pair, site.leaves, crossing, tunnel))


def _host(subnet: IPv4Network, number: int) -> IPv4Interface:
    return IPv4Interface((subnet[number], subnet.prefixlen))


def _bridge(grow: Growth, site: Site) -> Built:
    """Add two customers on a bridge of their own, which the leaf is a gateway of."""
    (subnet,), leaf = site.subnets, site.leaves[0]
    switch = grow.node(f"{site.port}-switch", "switch", site.where)
    addresses = (_host(subnet, 1), _host(subnet, 2))
    grow.link(PortRef(leaf, site.port), PortRef(switch, "leaf"), site.where, _host(subnet, GATEWAY), None)
    _customers(grow, site, (PortRef(switch, "source"), PortRef(switch, "target")), addresses)
    members = ("leaf", "source", "target")
    grow.device(Bridge(node=switch, name="bridge", members=members, where=site.where))
    return addresses, ()


def _vxlan(grow: Growth, site: Site) -> Built:
    """Add one Ethernet segment in two places, joined by a VXLAN whose VTEPs the leaves and the spine route between."""
    shared, *own = site.subnets
    ends = (PortRef(f"{site.port}-vtep1", "vxlan"), PortRef(f"{site.port}-vtep2", "vxlan"))
    for end, leaf, (near, far) in zip(ends, site.leaves, (own, own[::-1]), strict=True):
        vtep = grow.node(end.node, "switch", site.where)
        local, gateway = _host(near, VTEP), _host(near, VTEP_GATEWAY)
        grow.link(PortRef(vtep, "leaf"), PortRef(leaf, site.port), site.where, local, gateway)
        grow.route(vtep, Route(prefix=far, via=gateway.ip, dev="leaf", where=site.where))
        members = ("customer", "vxlan")
        grow.device(Bridge(node=vtep, name="bridge", members=members, where=site.where))
        tunnel = Vxlan(node=vtep, name=end.interface, vni=site.vni, local=local.ip, remote=_host(far, VTEP).ip)
        grow.device(replace(tunnel, dev="leaf", mtu=VXLAN_MTU, where=site.where))
    addresses = (_host(shared, 1), _host(shared, 2))
    _customers(grow, site, (PortRef(ends[0].node, "customer"), PortRef(ends[1].node, "customer")), addresses)
    _routes_over(grow, site, (own[0], own[1]))
    return addresses, ends


def _routed(grow: Growth, site: Site) -> Built:
    """Add a customer behind each leaf, each in a subnet of its own that leaves and spine have routes to."""
    near, far = site.subnets
    addresses = _gateways(grow, site)
    _routes_over(grow, site, (near, far))
    return addresses, ()


def _gre(grow: Growth, site: Site) -> Built:
    """Add a customer behind each leaf, and a tunnel of its own between the leaves, distinguished by its key."""
    name = f"gretun-{site.port}"
    path, addresses = site.over, _gateways(grow, site)
    ends = (PortRef(site.leaves[0], name), PortRef(site.leaves[1], name))
    for near, far, beyond in ((path.source, path.target, site.subnets[1]), (path.target, path.source, site.subnets[0])):
        leaf, local, remote = near.leaf.node, near.leaf_address.ip, far.leaf_address.ip
        tunnel = Gre(node=leaf, name=name, local=local, remote=remote, key=site.row.number, where=site.where)
        grow.device(tunnel)
        grow.route(leaf, Route(prefix=beyond, dev=name, where=site.where))
        if not grow.base[leaf].fib.lookup(remote):
            grow.route(leaf, _by(near, far.leaf_address.network, site.where))
    return addresses, ends


def _gateways(grow: Growth, site: Site) -> tuple[IPv4Interface, IPv4Interface]:
    """Link each customer to its leaf, with a route to the other's subnet; returns the customers' addresses."""
    near, far = site.subnets
    own = (_host(near, 1), _host(far, 1))
    gateways = (_host(near, GATEWAY), _host(far, GATEWAY))
    leaves = (PortRef(site.leaves[0], site.port), PortRef(site.leaves[1], site.port))
    _customers(grow, site, leaves, own, gateways)
    for customer, gateway, beyond in zip((site.source, site.target), gateways, (far, near), strict=True):
        grow.route(customer, Route(prefix=beyond, via=gateway.ip, dev=site.port, where=site.where))
    return own


def _customers(
    grow: Growth,
    site: Site,
    at: tuple[PortRef, PortRef],
    own: tuple[IPv4Interface, IPv4Interface],
    theirs: tuple[IPv4Interface | None, IPv4Interface | None] = (None, None),
) -> None:
    """Add both customers, each linked by an interface for this row."""
    for name, end, address, other in zip((site.source, site.target), at, own, theirs, strict=True):
        grow.node(name, "customer", site.where)
        grow.link(PortRef(name, site.port), end, site.where, address, other)


def _routes_over(grow: Growth, site: Site, subnets: tuple[IPv4Network, IPv4Network]) -> None:
    """Add routes to both subnets at the leaves and the spine between them."""
    uplinks = (site.over.source, site.over.target)
    for uplink, own, beyond in zip(uplinks, subnets, reversed(subnets), strict=True):
        grow.route(uplink.leaf.node, _by(uplink, beyond, site.where))
        down = Route(prefix=own, via=uplink.leaf_address.ip, dev=uplink.spine.interface, where=site.where)
        grow.route(uplink.spine.node, down)


def _by(uplink: Uplink, prefix: IPv4Network, where: Position) -> Route:
    return Route(prefix=prefix, via=uplink.spine_address.ip, dev=uplink.leaf.interface, where=where)


@dataclass(frozen=True)
class Parts:
    """A type of row: how its traffic is carried, the pools of its subnets, and the function that builds it."""

    kind: Kind
    pools: tuple[str, ...]
    build: Callable[[Growth, Site], Built]


PARTS: Mapping[TenantType, Parts] = {
    "Bridge": Parts("bridge", ("Bridge",), _bridge),
    "VXLAN": Parts("l2-overlay", ("VXLAN", "VXLAN VTEPs, source", "VXLAN VTEPs, destination"), _vxlan),
    "GRE": Parts("l3-overlay", ("GRE, source", "GRE, destination"), _gre),
    "L3": Parts("routed", ("L3, source", "L3, destination"), _routed),
}
"""The registry of types."""
