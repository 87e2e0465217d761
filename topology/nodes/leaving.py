"""Finds where a packet would leave an adopted fabric for a foreign network, by its nodes' routes. Pure.

An adopted fabric need not be closed: a container may have a network card of the machine's engine and a default route
through it, and the addresses of labs belong to others on the Internet. Policy rules and further tables are not
followed, nor the packets of a VXLAN device: its owner has chosen its peers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType

from topology.isolation.domains import flooded, flooded_from
from topology.kernels.rtnl.links import LinkEnd
from topology.links import LOCAL_KINDS, NOT_FOLLOWED, hides
from topology.model import Address, Fabric, Tunnel
from topology.refs import PortRef
from topology.state import NodeState, RouteState, best_routes

Outlets = Mapping[str, frozenset[str]]
"""By node the devices that lead to no other node of the fabric."""
NONE: Outlets = MappingProxyType({})


def outlets_of(
    ends: Mapping[str, Sequence[LinkEnd]], joined: Collection[tuple[str, int]], states: Mapping[str, NodeState]
) -> Outlets:
    """Cards, veths whose other end is not in the fabric, and bridges with such a member, by node.

    ``joined`` are the veth ends, by node and index, whose other end is another node's.
    """
    found = {}
    for node, known in ends.items():
        out = {end.name for end in known if end.name != "lo" and end.up and not _stays(node, end, known, joined)}
        masters = (states[node].links[name].master for name in out if name in states[node].links)
        found[node] = frozenset(out) | frozenset(master for master in masters if master)
    return {node: out for node, out in found.items() if out}


def _stays(node: str, end: LinkEnd, others: Sequence[LinkEnd], joined: Collection[tuple[str, int]]) -> bool:
    """Return whether a device leads nowhere but into the fabric: what stands on another device, where that one does."""
    if end.kind == "veth":
        return end.peer is None or (node, end.index) in joined
    if end.netnsid is not None:
        return (node, end.index) in joined
    if end.kind in LOCAL_KINDS:
        return True
    left = [other for other in others if other is not end]  # two devices may name each other
    below = next((other for other in left if other.index == end.below), None)
    return below is not None and _stays(node, below, left, joined)


def way_out(
    states: Mapping[str, NodeState], outlets: Outlets, source: str, dst: Address, management: Outlets = NONE
) -> str:
    """The node with no route inside for a packet to an address, and the route it has; blank where it stays inside.

    A ``management`` device leads outside whatever is behind it, and an address on it is no node's.
    """
    if not outlets and not management:
        return ""
    owners = _owners(states, management)
    waiting, seen = [(source, dst)], set()
    while waiting:
        here = waiting.pop()
        node, wanted = here
        if here in seen or node in owners.get(wanted, ()):
            continue
        seen.add(here)
        routes = (route for route in states[node].routes if route.kind == "unicast")
        for route in best_routes(routes, wanted):
            leads_out = route.dev in outlets.get(node, ()) and not _is_for_a_node(states[node], route, owners)
            if leads_out or route.dev in management.get(node, ()):
                link = states[node].links.get(route.dev or "")
                unknown = f": {link.kind} {NOT_FOLLOWED}" if link and hides(link.kind) else ""
                return f"{node}: no route to {wanted} in the fabric; it would take {route}{unknown}"
            waiting += _next(states[node], route, wanted, owners)
    return ""


def flood_out(
    live: Fabric, states: Mapping[str, NodeState], outlets: Outlets, management: Outlets, sender: PortRef
) -> str:
    """The node from which a broadcast frame would leave, and by which device; blank if it stays inside.

    ``live`` is how the nodes forward, ``sender`` the device that sends the frame, or the VTEP out of which it comes.
    """
    device = live[sender.node][sender.interface] if live[sender.node].has(sender.interface) else None
    reached = flooded(live, device) if device else frozenset[PortRef]()
    for ref in sorted(reached | flooded_from(live, device) if isinstance(device, Tunnel) else reached):
        ports = [link.name for link in states[ref.node].links.values() if link.master == ref.interface]
        away = outlets.get(ref.node, frozenset()) | management.get(ref.node, frozenset())
        if by := next((name for name in (ref.interface, *ports) if name in away), None):
            return f"{ref.node}: a frame to all from {sender} would leave by {by}"
    return ""


def _owners(states: Mapping[str, NodeState], management: Outlets) -> dict[Address, list[str]]:
    owners: dict[Address, list[str]] = {}
    for node, state in states.items():
        for device, interface in state.addresses:
            if device not in management.get(node, ()):
                owners.setdefault(interface.ip, []).append(node)
    return owners


def _is_for_a_node(state: NodeState, route: RouteState, owners: Mapping[Address, Sequence[str]]) -> bool:
    """Return whether the next hop of a route is a node's address."""
    if route.via is not None:
        return route.via in owners
    return any(device == route.dev and interface.network == route.prefix for device, interface in state.addresses)


def _next(
    state: NodeState, route: RouteState, dst: Address, owners: Mapping[Address, Sequence[str]]
) -> Iterator[tuple[str, Address]]:
    """The nodes that have the packet next; a tunnel sends another one to its far end."""
    link = state.links.get(route.dev or "")
    remotes = [text for name, text in link.parameters if name == "remote"] if link else []
    far = [address for address in owners if str(address) in remotes]
    yield from ((state.node, address) for address in far)
    for address in far or [route.via or dst]:
        yield from ((node, dst) for node in owners.get(address, ()))
