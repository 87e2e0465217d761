"""What can be read off a live node, in the words in which it is declared. Pure.

``declared_state`` says what a node's links, addresses and routes must be; ``topology.kernels.netlink`` reads what they
are; ``reports.judge.state`` says where the two differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address

from topology.model import Address, Bridge, Device, Gre, Interface, Network, Node, Port, Vxlan
from topology.mtu import device_mtu

FALLBACK_DEVICES = frozenset(
    ("lo", "gre0", "gretap0", "erspan0", "tunl0", "sit0", "ip_vti0", "ip6tnl0", "ip6gre0", "ip6_vti0")
)
"""Devices that the kernel puts into every namespace (net/ipv4/ip_tunnel.c): not part of any fabric."""


@dataclass(frozen=True)
class LinkState:
    """One device: ``parameters`` are a tunnel's, by ip-link(8)'s names; None where nothing is declared or known."""

    name: str
    kind: str
    up: bool = True
    mac: str | None = None
    mtu: int | None = None
    master: str | None = None
    parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, order=True)
class RouteState:
    """One unicast route of the main table."""

    prefix: Network
    via: Address | None
    dev: str | None

    def __str__(self) -> str:
        words = ["default" if self.prefix.prefixlen == 0 else str(self.prefix)]
        words += ["via", str(self.via)] if self.via else []
        words += ["dev", self.dev] if self.dev else []
        return " ".join(words)


@dataclass(frozen=True)
class NodeState:
    """A node's links by name, its addresses by device, its routes."""

    node: str
    links: Mapping[str, LinkState]
    addresses: frozenset[tuple[str, Interface]]
    routes: frozenset[RouteState]

    @property
    def canonical(self) -> str:
        """The whole state as text, the same for equal states."""
        links = [repr(self.links[name]) for name in sorted(self.links)]
        addresses = sorted(f"{device} {interface}" for device, interface in self.addresses)
        return "\n".join([self.node, *links, *addresses, *sorted(str(route) for route in self.routes)])


def declared_state(node: Node) -> NodeState:
    """What a node must look like once it is built, the routes that its addresses bring included.

    IPv6 has such a route for a host's prefix too (addrconf_prefix_route, net/ipv6/addrconf.c), IPv4 has not.
    """
    connected = {
        RouteState(interface.network, None, device.name)
        for device in node.devices
        for interface in device.addresses
        if interface.version == 6 or interface.network.prefixlen < interface.max_prefixlen
    }
    explicit = {RouteState(route.prefix, route.via, node.route_device(route)) for route in node.routes}
    addresses = frozenset((device.name, interface) for device in node.devices for interface in device.addresses)
    links = {device.name: declared_link(node, device) for device in node.devices}
    return NodeState(node.name, links, addresses, frozenset(connected | explicit))


def declared_link(node: Node, device: Device) -> LinkState:
    """What one device must look like; the MTU of a bridge for which none is declared follows its members'."""
    bridge = node.bridge_of(device.name)
    kind, parameters = _kind(device)
    master = bridge.name if bridge else None
    mtu = device.mtu if isinstance(device, Bridge) else device_mtu(node, device)
    return LinkState(device.name, kind, True, device.mac, mtu, master, parameters)


def _kind(device: Device) -> tuple[str, tuple[tuple[str, str], ...]]:
    if isinstance(device, Port):
        return "veth", ()
    if isinstance(device, Bridge):
        return "bridge", ()
    if isinstance(device, Vxlan):
        ends = {"local": device.local, "remote": device.remote}
        return "vxlan", _sorted(vni=device.vni, dstport=device.port, dev=device.dev or "none", **ends)
    if isinstance(device, Gre):
        kind = "ip6gre" if isinstance(device.local, IPv6Address) else "gre"
        key = "none" if device.key is None else device.key
        return kind, _sorted(local=device.local, remote=device.remote, ttl=device.ttl or "inherit", key=key)
    raise TypeError(f"no state for a {type(device).__name__}")


def _sorted(**parameters: object) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, str(value)) for name, value in parameters.items()))
