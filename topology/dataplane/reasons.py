"""Explains why a node does not send, accept or answer a packet, by its live state and its neighbours'. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv6Address

from topology.dataplane.ends import misplaced_router, moved_remote, wrong_remote
from topology.dataplane.paths import Ending, ending
from topology.dataplane.rules import Asked, look_up, route_words
from topology.links import FRAME_TUNNELS, NOT_FOLLOWED
from topology.model import LOOPBACK, Address, Bridge, Device, Fabric, Interface, Node, Port, Tunnel, Vrf
from topology.refs import PortRef, is_of_link

ECHO_IGNORED = "net.ipv4.icmp_echo_ignore_all"
NO_NODE = ": no node has it"
"""The end of the words of a tunnel's remote that is nobody's address."""
LINK_LOCAL, UNIVERSAL = bytes.fromhex("fe80000000000000"), 2
STRICT = 1
"""rp_filter (Documentation/networking/ip-sysctl): a packet's source must be reached by the device it came by."""
LOOSE = "rp_filter=0"
WAY_ON = "one that leads there"


def no_route(fabric: Fabric, node: Node, address: Address) -> Ending:
    """Return why a node has no route to an address: what takes routes away comes before the route."""
    if refusal := node.refusal(address):
        return ending(node, f"{refusal} to {address}", "route", f"a route to {address}")
    for device in node.devices:
        own = any(address in interface.network for interface in device.addresses)
        if own and device.name in node.vrfs:
            vrf = node.vrfs[device.name]
            end = ending(device, f"in {vrf.name}: no route to {address} outside this VRF", "bridge", "no VRF")
            outside = _outside(node, vrf)
            return replace(outside, others=(end,)) if outside else end
        if own and not device.up:
            return ending(device, f"down: no route to {address}", "link", "up")
    found = next(_odd_prefixes(fabric, node), None) or _other_subnet(fabric, node, address)
    if found is not None:
        return found
    down = [device for device in node.devices if not device.up and device.name != LOOPBACK]
    if len(down) == 1 and node.bridge_of(down[0].name) is None:
        return ending(down[0], f"down: no route to {address}", "link", "up")
    return ending(node, f"no route to {address}", "route", f"a route to {address}")


def _outside(node: Node, vrf: Vrf) -> Ending | None:
    """Return the tunnel or bridge by which a VRF's table leads on, and which is in no VRF; None without one.

    What comes back by it is looked up in the main table. A port that is shared by several VRFs may be right.
    """
    routes = (route for table, route in node.tables if table == str(vrf.table))
    devices = (node[hop.dev] for route in routes for hop in route.next_hops if hop.dev and node.has(hop.dev))
    for device in devices:
        if isinstance(device, Tunnel | Bridge) and device.name not in node.vrfs:
            return ending(device, f"in no VRF: {vrf.name} has routes by it", "bridge", vrf.name)
    return None


def _other_subnet(fabric: Fabric, node: Node, address: Address) -> Ending | None:
    """Return the device on whose segment an address is, without an address of that one's subnet; None without such."""
    for device in node.devices:
        for other, interface in _beside(fabric, device) if node.bridge_of(device.name) is None else ():
            if interface.ip == address and interface.network.prefixlen < interface.max_prefixlen:
                own = ", ".join(str(one) for one in device.addresses if one.version == address.version) or "no address"
                return ending(device, own, "address", f"an address of {interface.network}, as {other.ref} has")
    return None


def _odd_prefixes(fabric: Fabric, node: Node) -> Iterator[Ending]:
    for device in node.devices:
        if (found := odd_prefix(fabric, device)) is not None:
            yield found


def odd_prefix(fabric: Fabric, device: Device) -> Ending | None:
    """Return the address of a device of which the prefix length is another than that of all others of its subnet on its
    segment, of which there are at least two or one with the shorter prefix."""
    for own in device.addresses:
        others = {other: i for other, i in _beside(fabric, device) if own.ip in i.network or i.ip in own.network}
        lengths = Counter(i.network.prefixlen for i in others.values())
        if len(lengths) == 1 and own.network.prefixlen not in lengths:
            (length,) = lengths
            if len(others) > 1 or own.network.prefixlen > length:
                as_others = ", ".join(sorted(str(other.ref) for other in others))
                return ending(device, str(own), "address", f"{own.ip}/{length}, as {as_others}")
    return None


def _beside(fabric: Fabric, device: Device) -> Iterator[tuple[Device, Interface]]:
    for other in fabric.segment(device):
        yield from ((other, interface) for interface in other.addresses)


def lost_address(fabric: Fabric, address: Address) -> Ending | None:
    """Return the tunnel device whose local address no device of its node has; None where there is none for it."""
    for tunnel in fabric.tunnels:
        if tunnel.local == address and address not in fabric[tunnel.node].addresses:
            return no_local(fabric, tunnel)
    return None


def no_local(fabric: Fabric, tunnel: Tunnel) -> Ending:
    """Return that a tunnel's node lacks its local address; without it nothing is sent (ip_route_output_key).

    The tunnel is wrong where its other end sends to an address that the node has, else the node.
    """
    here = fabric[tunnel.node].addresses
    kin = (far for far in fabric.tunnels if type(far) is type(tunnel) and far.identity == tunnel.identity)
    for far in kin:
        if wanted := next((remote for remote in far.remotes if remote in here and far.node != tunnel.node), None):
            return ending(tunnel, f"local {tunnel.local}", tunnel.kind, f"local {wanted}, to which {far.ref} sends")
    at = tunnel.out_by or None
    return Ending(
        tunnel.node, at, f"no address {tunnel.local}, which {tunnel.name} has as local", "address", str(tunnel.local)
    )


def nobody(fabric: Fabric, node: Node, device: Device, address: Address, packet_for: Address) -> Ending:
    """Return why no device on a segment has an address: a tunnel's end that lost it, a prefix length, or a route to a
    next hop that is not there; else that it is not there."""
    found = lost_address(fabric, address) or odd_prefix(fabric, device) or recabled(fabric, node, device, address)
    if found is not None:
        return found
    if node.is_live and address != packet_for:
        fitting = [route for route in node.routes if route.kind == "unicast" and packet_for in route.prefix]
        route = max(fitting, key=lambda one: one.prefix.prefixlen, default=None)
        if route is not None and address in {hop.via for hop in route.next_hops}:
            owners = [one for one in fabric.devices if address in {i.ip for i in one.addresses}]
            if len(owners) == 1 and (found := other_bridge(fabric, device, owners[0])):
                return found
            wrong = ending(device, f"{route_words(route)}: no node has {address} there", "route", "another next hop")
            router = misplaced_router(fabric, device, address, f"a next hop of {device.ref}")
            return replace(router, others=(wrong,)) if router else wrong
    if (found := unjoined(fabric, device, address)) is not None:
        return found
    return ending(device, f"no device on its segment has the address {address}", "forwarding", str(address))


def recabled(fabric: Fabric, node: Node, device: Device, address: Address) -> Ending | None:
    """Return that what has an address of a device's subnet is behind another device of its node, which has none there:
    two cables are swapped, or the addresses of their ends."""
    owners = [one for one in fabric.devices if address in {interface.ip for interface in one.addresses}]
    if len(owners) != 1 or not isinstance(device, Port) or not any(address in i.network for i in device.addresses):
        return None
    for other in (one for one in node.all(Port) if one is not device and one.addresses):
        if owners[0] in fabric.segment(other) and not any(address in i.network for i in other.addresses):
            live = f"cabled to {device.peer}: {address} is behind {other.name}"
            return ending(device, live, "cable", f"a cable to {owners[0].ref}, or the addresses of {other.name}")
    return None


def unjoined(fabric: Fabric, device: Device, address: Address) -> Ending | None:
    """Return the bridge of a segment from which nothing leads to the other bridge behind which an address is.

    Both ends must take each other for neighbours: by the networks of their addresses they are on one segment.
    """
    owners = [one for one in fabric.devices if address in {interface.ip for interface in one.addresses}]
    if len(owners) != 1 or not {i.network for i in owners[0].addresses} & {i.network for i in device.addresses}:
        return None
    ends = [
        next((bridge for bridge in fabric.segment(end) if isinstance(bridge, Bridge)), None)
        for end in (device, owners[0])
    ]
    if None in ends:
        return None
    goal = f"{owners[0].ref}, which has {address}"
    near, far = (_no_way_on(fabric, bridge, goal) for bridge in ends if bridge is not None)
    return replace(near, others=(far,))


def unbridged(fabric: Fabric, device: Device, address: Address) -> list[Ending]:
    """Return the tunnels in no bridge that keep a segment from an address: of those a daemon tells others nothing."""
    end = unjoined(fabric, device, address)
    return [replace(one, others=()) for one in (end, *end.others) if one.kind == "bridge"] if end else []


def _no_way_on(fabric: Fabric, bridge: Device, goal: str) -> Ending:
    """Return that nothing leads on from a bridge; at the tunnel for frames of its node that is in no bridge, where it
    is the only one, else with those."""
    node = fabric[bridge.node]
    tunnels = (device for device in node.devices if isinstance(device, FRAME_TUNNELS) and not device.addresses)
    idle = [tunnel for tunnel in tunnels if node.bridge_of(tunnel.name) is None]
    if len(idle) == 1:
        return ending(idle[0], f"is in no bridge: nothing leads on from {bridge.name} to {goal}", "bridge", bridge.name)
    beside = f" (in no bridge: {', '.join(tunnel.name for tunnel in idle)})" if idle else ""
    return ending(bridge, f"no tunnel or cable leads on to {goal}{beside}", "forwarding", WAY_ON)


def other_bridge(
    fabric: Fabric, device: Device, owner: Device, cleared: Collection[PortRef] = frozenset()
) -> Ending | None:
    """Return the port by which one of two devices is in another bridge than the other, at a node that both lead to.

    It is that of the device with fewer others of its subnet on its segment and more of other ones, unless it is
    ``cleared``; None where there is no such node.
    """
    first, second = sorted((device, owner), key=lambda one: _company(fabric, one))
    for one, other in ((first, second), (second, first)):
        there = [bridge for bridge in fabric.segment(other) if isinstance(bridge, Bridge)]
        for port in (port for port in fabric.far_ends(one) if port.ref not in cleared):
            own = fabric[port.node].bridge_of(port.name)
            right = next((bridge for bridge in there if own and bridge.node == own.node), None)
            if own is not None and right is not None and own not in there:
                return ending(port, f"in {own.name}", "bridge", f"{right.name}, behind which {other.ref} is")
    return None


def _company(fabric: Fabric, device: Device) -> tuple[int, int, int]:
    """Count the devices on a device's segment: those of its subnets, those of others (negative), and all."""
    segment, own = list(fabric.segment(device)), {interface.network for interface in device.addresses}
    alike = [not own.isdisjoint(i.network for i in one.addresses) for one in segment if one.addresses and own]
    return sum(alike), sum(alike) - len(alike), len(segment)


def refused_source(node: Node, device: str, src: Address, dst: Address) -> Ending | None:
    """Return why a node drops a packet for its source (fib_validate_source, net/ipv4/fib_frontend.c); None if not.

    The way back is looked up for the answer, as if it came by the device by which the packet is sent on.
    """
    if src.version != 4 or not node.is_live:
        return None
    place = node[device]
    if src in node.addresses and not node.setting(4, device, "accept_local"):
        return ending(
            place, f"drops packets from {src}, which {node.addresses[src].ref} has too", "address", "no such address"
        )
    if not (mode := node.setting(4, device, "rp_filter")):
        return None
    inside = device if device in node.vrfs else ""
    on = [] if dst in node.addresses else look_up(node, Asked(dst=dst, src=src, came_by=device))[0]
    egresses, end = look_up(node, Asked(dst=src, src=dst, came_by=inside or next((one.dev for one in on), "")))
    back = {egress.dev for egress in egresses}
    if end is not None or device in back or (back and mode != STRICT):
        return None
    if not back:
        return ending(node, f"no route to {src}: rp_filter={mode} drops its packets", "route", f"a route to {src}")
    way = f"the way back is {' or '.join(sorted(back))}"
    return ending(place, f"rp_filter={mode} drops packets from {src}: {way}", "sysctl", LOOSE)


def refused_echo(node: Node, packet: object) -> Ending | None:
    """Return that a node answers no echo request, where this is one."""
    layer, fields = packet[1]  # type: ignore[index]
    if layer == "icmp" and fields["type"] == 8 and node.sysctls.get(ECHO_IGNORED) == "1":
        return ending(node, f"{ECHO_IGNORED}=1", "sysctl", f"{ECHO_IGNORED}=0")
    return None


def wrong_ends(fabric: Fabric, node: Node, tunnel: Tunnel, remote: Address) -> Ending | None:
    """Return what is wrong about the addresses of a tunnel; None where its node has one and another the other, or may
    have it, as not all of it is read."""
    if not tunnel.without_local and not tunnel.source_by_route and tunnel.local not in node.addresses:
        return no_local(fabric, tunnel)
    if any(remote in other.addresses or other.opaque for other in fabric.nodes):
        return None
    lost = lost_address(fabric, remote) or moved_remote(fabric, tunnel) or wrong_remote(fabric, tunnel)
    return lost or ending(tunnel, f"remote {remote}{NO_NODE}", tunnel.kind, "another remote")


def holders(fabric: Fabric, device: Device, address: Address, target: str) -> Sequence[Device]:
    """Return the devices of a segment that have an address, or for IPv4 are in a node that has it on any device.

    IPv6 link-local addresses are not read of live nodes: a device without one has the one that is formed from its MAC.
    """
    others = list(fabric.segment(device))
    found = [other for other in others if address in {i.ip for i in other.addresses}]
    if is_of_link(address):
        return found or [other for other in others if address == link_local(other)]
    if not found and address.version == 4:
        at_ip = (d for d in others if d.mac is not None and fabric[d.node].bridge_of(d.name) is None)
        found = [
            d
            for d in at_ip
            if address in fabric[d.node].addresses and not fabric[d.node].setting(4, d.name, "arp_ignore")
        ]
    return sorted(found, key=lambda other: other.node != target)


def link_local(device: Device) -> Address | None:
    """Return the link-local address that a device forms from its MAC (RFC 4291, appendix A); None without a MAC."""
    if device.mac is None:
        return None
    first, *rest = bytes.fromhex(device.mac.replace(":", ""))
    return IPv6Address(LINK_LOCAL + bytes((first ^ UNIVERSAL, *rest[:2], 0xFF, 0xFE, *rest[2:])))


def missing(node: Node, end: Ending) -> Ending:
    """Return an ending at a node that lacks something, unless something that is not followed may make up for it."""
    if not node.unfollowed or end.node != node.name:
        return end
    return replace(end, live=f"{end.live} ({node.unfollowed} {NOT_FOLLOWED})")
