"""The declared fabric and its nodes as found, as the plain data that the record holds."""

from __future__ import annotations

from collections.abc import Iterator

from reports.record.model import Found, Map, Place, Tunnel
from topology.model import Bridge, Fabric, Node
from topology.model import Tunnel as TunnelDevice
from topology.roles import row_of
from topology.state import LinkState, NodeState


def map_of(fabric: Fabric) -> Map:
    """The nodes by their rows in a drawing, with their bridges and tunnel ends, the links, and each tunnel once."""
    nodes = sorted(fabric.nodes, key=lambda node: row_of(node.role))
    return Map(
        nodes=[Place(node.name, node.role, list(_parts(node)), node.is_router) for node in nodes],
        links=[(link.a.node, link.b.node) for link in fabric.links],
        ports=[(link.a.interface, link.b.interface) for link in fabric.links],
        tunnels=list(_tunnels(fabric)),
    )


def _parts(node: Node) -> Iterator[str]:
    for device in node.devices:
        if isinstance(device, Bridge):
            yield device.name
        elif isinstance(device, TunnelDevice):
            yield f"{device.name}: {device.title}"


def _tunnels(fabric: Fabric) -> Iterator[Tunnel]:
    known = set()
    for device in fabric.tunnels:
        for remote in device.remotes:
            for far in fabric.receivers(device, remote):
                if far.ref == device.ref or frozenset((device.ref, far.ref)) in known:
                    continue
                known.add(frozenset((device.ref, far.ref)))
                yield Tunnel(device.kind, device.title, ((device.node, device.name), (far.node, far.name)))


def found(state: NodeState) -> Found:
    """A node's state in lines, as ip(8) and bridge(8) word them; no sysctl."""
    addresses = sorted(f"{device} {interface}" for device, interface in state.addresses)
    routes = [str(route) for route in sorted(state.routes, key=lambda route: (route.prefix.version, route.prefix))]
    devices = [_device(state.links[name]) for name in sorted(state.links)]
    return Found(state.node, devices, addresses, routes, sorted(map(str, state.entries)))


def _device(link: LinkState) -> str:
    words = [f"{link.name}: {link.kind}", *(f"{name} {value}" for name, value in link.parameters)]
    words += [f"mtu {link.mtu}"] if link.mtu else []
    words += [f"master {link.master}"] if link.master else []
    words += [f"mac {link.mac}"] if link.mac else []
    return " ".join([*words, *(f"{name} {value}" for name, value in link.port), "up" if link.up else "DOWN"])
