"""What each type of row is made of: nodes, links, bridges, tunnels, addresses and routes. Pure.

::

    Bridge   customer -- rowN-switch (bridge) -- customer, and the leaf as their gateway
    VXLAN    customer -- rowN-vtep1 (bridge, VXLAN) -- leaf -- spine -- leaf -- rowN-vtep2 (bridge, VXLAN) -- customer
    GRE      customer -- leaf (gretun-rowN) -- spine -- leaf (gretun-rowN) -- customer
    L3       customer -- leaf -- spine -- leaf -- customer
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network

from topology.errors import Position
from topology.model import Bridge, Gre, Route, Vxlan
from topology.promises import Kind, Pair, Tenant, TenantType
from topology.refs import PortRef
from topology.tenants.growth import Growth
from topology.tenants.places import Uplink, Way
from topology.tenants.rows import TenantRow

VTEP, VTEP_GATEWAY, GATEWAY = 1, 2, 254
"""The hosts of a row's subnets, as the reference lab numbers them; customers are 1, and 2 where they share a subnet."""
VXLAN_MTU = 1450
"""What is left of 1500 bytes by IP, UDP, VXLAN and Ethernet (RFC 7348, section 4.3, leaves it to the operator)."""


@dataclass(frozen=True)
class Site:
    """A row that has its place: both customers under the lab's own names, their leaves, and its subnets."""

    row: TenantRow
    source: str
    target: str
    leaves: tuple[str, str]
    subnets: tuple[IPv4Network, ...]
    way: Way | None = None
    vni: int = 0

    @property
    def over(self) -> Way:
        """The way between the leaves, of a row that crosses the fabric."""
        assert self.way is not None
        return self.way

    @property
    def port(self) -> str:
        """The name of the row's interface at customers and leaves."""
        return f"row{self.row.number}"

    @property
    def where(self) -> Position:
        """The row's place."""
        return self.row.where


def host(subnet: IPv4Network, number: int) -> IPv4Interface:
    """An address of a subnet, with its length."""
    return IPv4Interface((subnet[number], subnet.prefixlen))


def bridge(grow: Growth, site: Site) -> None:
    """Two customers on a bridge of their own, which the leaf is a gateway of."""
    (subnet,), leaf = site.subnets, site.leaves[0]
    switch = grow.node(f"{site.port}-switch", "switch", site.where)
    addresses = (host(subnet, 1), host(subnet, 2))
    grow.link(PortRef(leaf, site.port), PortRef(switch, "leaf"), site.where, host(subnet, GATEWAY), None)
    _customers(grow, site, (PortRef(switch, "source"), PortRef(switch, "target")), addresses)
    members = ("leaf", "source", "target")
    grow.device(Bridge(node=switch, name="bridge", members=members, where=site.where))
    grow.tenant(_tenant(site, addresses))


def vxlan(grow: Growth, site: Site) -> None:
    """One Ethernet segment in two places, joined by a VXLAN whose VTEPs the leaves and the spine route between."""
    shared, *own = site.subnets
    ends = (PortRef(f"{site.port}-vtep1", "vxlan"), PortRef(f"{site.port}-vtep2", "vxlan"))
    for end, leaf, (near, far) in zip(ends, site.leaves, (own, own[::-1]), strict=True):
        vtep = grow.node(end.node, "switch", site.where)
        local, gateway = host(near, VTEP), host(near, VTEP_GATEWAY)
        grow.link(PortRef(vtep, "leaf"), PortRef(leaf, site.port), site.where, local, gateway)
        grow.route(vtep, Route(prefix=far, via=gateway.ip, dev="leaf", where=site.where))
        members = ("customer", "vxlan")
        grow.device(Bridge(node=vtep, name="bridge", members=members, where=site.where))
        grow.device(
            Vxlan(
                node=vtep,
                name=end.interface,
                vni=site.vni,
                local=local.ip,
                remote=host(far, VTEP).ip,
                dev="leaf",
                mtu=VXLAN_MTU,
                where=site.where,
            )
        )
    addresses = (host(shared, 1), host(shared, 2))
    _customers(grow, site, (PortRef(ends[0].node, "customer"), PortRef(ends[1].node, "customer")), addresses)
    _routes_over(grow, site, (own[0], own[1]))
    grow.tenant(_tenant(site, addresses, ends))


def routed(grow: Growth, site: Site) -> None:
    """A customer behind each leaf, each in a subnet of its own that leaves and spine have routes to."""
    near, far = site.subnets
    addresses = _gateways(grow, site)
    _routes_over(grow, site, (near, far))
    grow.tenant(_tenant(site, addresses))


def gre(grow: Growth, site: Site) -> None:
    """A customer behind each leaf, and a tunnel of its own between the leaves, told from others by its key."""
    name = f"gretun-{site.port}"
    way, addresses = site.over, _gateways(grow, site)
    ends = (PortRef(site.leaves[0], name), PortRef(site.leaves[1], name))
    for near, far, beyond in ((way.source, way.target, site.subnets[1]), (way.target, way.source, site.subnets[0])):
        leaf, local, remote = near.leaf.node, near.leaf_address.ip, far.leaf_address.ip
        tunnel = Gre(node=leaf, name=name, local=local, remote=remote, key=site.row.number, where=site.where)
        grow.device(tunnel)
        grow.route(leaf, Route(prefix=beyond, dev=name, where=site.where))
        if not grow.base[leaf].fib.lookup(remote):
            grow.route(leaf, _by(near, far.leaf_address.network, site.where))
    grow.tenant(_tenant(site, addresses, ends))


def _gateways(grow: Growth, site: Site) -> tuple[IPv4Interface, IPv4Interface]:
    """Each customer on a link to its leaf, with a route to the other's subnet; gives the customers' addresses."""
    near, far = site.subnets
    own = (host(near, 1), host(far, 1))
    gateways = (host(near, GATEWAY), host(far, GATEWAY))
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
    """Both customers, each linked by an interface for this row to where it hangs."""
    for name, end, address, other in zip((site.source, site.target), at, own, theirs, strict=True):
        grow.node(name, "customer", site.where)
        grow.link(PortRef(name, site.port), end, site.where, address, other)


def _routes_over(grow: Growth, site: Site, subnets: tuple[IPv4Network, IPv4Network]) -> None:
    """Routes to both subnets at the leaves and the spine between them."""
    uplinks = (site.over.source, site.over.target)
    for uplink, own, beyond in zip(uplinks, subnets, reversed(subnets), strict=True):
        grow.route(uplink.leaf.node, _by(uplink, beyond, site.where))
        down = Route(prefix=own, via=uplink.leaf_address.ip, dev=uplink.spine.interface, where=site.where)
        grow.route(uplink.spine.node, down)


def _by(uplink: Uplink, prefix: IPv4Network, where: Position) -> Route:
    """A leaf's route by its spine."""
    return Route(prefix=prefix, via=uplink.spine_address.ip, dev=uplink.leaf.interface, where=where)


def _tenant(site: Site, addresses: tuple[IPv4Interface, IPv4Interface], tunnel: tuple[PortRef, ...] = ()) -> Tenant:
    row, (src, dst) = site.row, (interface.ip for interface in addresses)
    pair = Pair(site.source, site.target, PARTS[row.type].kind, src, dst, row.number, where=site.where)
    crossing = site.way.crossing if site.way else ()
    return Tenant(row.number, row.type, pair, site.leaves, crossing, tunnel)


@dataclass(frozen=True)
class Parts:
    """A type of row: how its traffic is carried, the pools of its subnets, and what builds it."""

    kind: Kind
    pools: tuple[str, ...]
    build: Callable[[Growth, Site], None]


PARTS: Mapping[TenantType, Parts] = {
    "Bridge": Parts("bridge", ("Bridge",), bridge),
    "VXLAN": Parts("l2-overlay", ("VXLAN", "VXLAN VTEPs, source", "VXLAN VTEPs, destination"), vxlan),
    "GRE": Parts("l3-overlay", ("GRE, source", "GRE, destination"), gre),
    "L3": Parts("routed", ("L3, source", "L3, destination"), routed),
}
"""The registry of types."""
