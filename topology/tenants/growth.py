"""A lab that grows: nodes, links, addresses and routes are added to what it has, and made into a fabric at the end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Interface, IPv4Network

from topology.errors import Position
from topology.model import PORT_MTU, Device, Fabric, Gre, Link, Node, Port, Role, Route, stable_mac
from topology.promises import Tenant
from topology.refs import PortRef


class Growth:
    """What is added to a lab so far."""

    def __init__(self, base: Fabric) -> None:
        self.base = base
        self._new: dict[str, Node] = {}
        self._known = {node.name for node in base.nodes}
        self._devices: dict[str, list[Device]] = {}
        self._routes: dict[str, dict[IPv4Network, Route]] = {}
        self._links: list[Link] = []
        self._tenants: list[Tenant] = []
        self._macs = {device.mac for device in base.devices}

    def node(self, name: str, role: Role, where: Position) -> str:
        """A node, made unless there is one of that name; gives the name back."""
        if name not in self._known:
            self._known.add(name)
            self._new[name] = Node(name=name, role=role, where=where)
        return name

    def link(self, a: PortRef, b: PortRef, where: Position, *addresses: IPv4Interface | None) -> None:
        """A veth pair, with the addresses of its two ends where they have any."""
        self._links.append(Link(a, b, where))
        for (end, peer), address in zip(((a, b), (b, a)), addresses or (None, None), strict=True):
            carried = (address,) if address else ()
            self.device(
                Port(node=end.node, name=end.interface, peer=peer, mtu=PORT_MTU, addresses=carried, where=where)
            )

    def device(self, device: Device) -> None:
        """A device of a node that is there already, with a MAC that no other has."""
        made = replace(device, mac=None if isinstance(device, Gre) else self._mac(device))
        self._devices.setdefault(device.node, []).append(made)

    def _mac(self, device: Device) -> str:
        name = device.name
        while (mac := stable_mac(self.base.name, device.node, name)) in self._macs:
            name += "'"
        self._macs.add(mac)
        return mac

    def route(self, node: str, route: Route) -> None:
        """A route of a node; one to the same prefix that was added before stays as it is."""
        assert isinstance(route.prefix, IPv4Network)
        self._routes.setdefault(node, {}).setdefault(route.prefix, route)

    def tenant(self, tenant: Tenant) -> None:
        """A row that has all that it needs."""
        self._tenants.append(tenant)

    def fabric(self, tenants_file: str) -> Fabric:
        """The lab with all that was added."""
        return replace(
            self.base,
            nodes=tuple(self._grown([*self.base.nodes, *self._new.values()])),
            links=(*self.base.links, *self._links),
            pairs=(*self.base.pairs, *(tenant.pair for tenant in self._tenants)),
            tenants=tuple(self._tenants),
            tenants_file=tenants_file,
        )

    def _grown(self, nodes: Iterable[Node]) -> Iterable[Node]:
        for node in nodes:
            devices = (*node.devices, *self._devices.get(node.name, ()))
            routes = (*node.routes, *self._routes.get(node.name, {}).values())
            yield replace(node, devices=devices, routes=routes)
