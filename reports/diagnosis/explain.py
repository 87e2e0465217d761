"""Explains why live forwarding state loses a packet or its answer, or carries it otherwise than promised. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address
from types import MappingProxyType

from reports.diagnosis.cleared import without_cleared
from reports.diagnosis.doubles import doubled
from reports.diagnosis.show import show_of
from reports.evidence import Cause, Journey
from topology.dataplane.bridges import tagged_by
from topology.dataplane.ends import parted
from topology.dataplane.live import live_fabric
from topology.dataplane.paths import Ending, ExpectedHop, ending
from topology.dataplane.reasons import LOOSE, NO_NODE, other_bridge
from topology.dataplane.rules import route_words
from topology.dataplane.walk import PacketWalk
from topology.expected import ExpectedJourney, expected_journey, reply_to
from topology.links import NOT_FOLLOWED
from topology.model import Address, Bridge, Fabric, Loopback, Node, Route, Subinterface, Tunnel, Vrf
from topology.packet import Layers, Probe, ends_of, outer_ip, tags_of
from topology.promises import Kind
from topology.state import NodeState

MISSED = ("forwarding", "route", "address", "link")
"""The kinds of endings of which a node that has gone may be the cause."""
VAGUE = {"route": 1, "forwarding": 2}
"""Kinds of endings that may follow from another one, the vaguer the more."""
OF_DEVICES = ("link", "arp", "bridge", "bridge port", "sysctl")
"""Kinds of endings for which it does not matter who else has an address."""
ANYWHERE = ("0.0.0.0", "0.0.0.0")


def causes_of(ending: Ending) -> Iterator[Cause]:
    """Yield the cause at the place where a packet ends, then those at other places that may be to blame as well.

    For an ARP or ND request that ends, the cause says which node waits for the answer.
    """
    for one in (ending, *ending.others):
        live = f"{one.live}: {ending.asks}" if ending.asks else one.live
        wanted = one.wanted or f"the {'request' if ending.asks else 'packet'} passed on"
        cause = Cause(one.kind, one.node, one.interface, wanted, live, "", source="kernel")
        yield replace(cause, show=show_of(cause))


def explained(
    fabric: Fabric,
    probe: Probe,
    kind: Kind | None = None,
    hosts: Collection[str] = frozenset(),
    others: Mapping[Probe, Kind] = MappingProxyType({}),
) -> Ending | None:
    """Return where a probe or its answer ends, or leaves the way that the other one takes; None where both arrive, as
    the kind that is promised, and where that is not known.

    No device is blamed that the packets of ``others`` pass, if these arrive as promised. Where something is missing, a
    node without any cable comes first, one that is none of the ``hosts`` before these: they lose a cable with it.
    """
    found = _found(fabric, probe, kind)
    found = without_cleared(fabric, found, probe, others) if found else None
    emptied = sorted(filter(_is_apart, fabric.nodes), key=lambda node: node.name in hosts)
    if found is None or not emptied or not (found.kind in MISSED or found.live.endswith(NO_NODE)):
        return found
    first, *rest = [ending(node, "no device leads to another node", "link", "its devices") for node in emptied]
    return replace(first, others=(*rest, replace(found, asks=""), *found.others), asks=found.asks)


def explained_outside(fabric: Fabric, journey: Journey) -> Ending | None:
    """Return where the packet ends that a tunnel which is not followed made of a lost one: as it was seen last, its
    outermost header followed from its sender like a probe of its own; None where it arrives or that is not known.
    """
    last = journey.sightings[-1] if journey.sightings else None
    owners = {address: node.name for node in fabric.nodes for address in node.addresses}
    if last is None or len(last.ips) < 2:
        return None
    src, dst = ends_of(last.ips[0].fields)
    if src not in owners or dst not in owners:
        return None
    outside = [seen for seen in journey.sightings if seen.ips and ends_of(seen.ips[0].fields) == (src, dst)]
    probe = Probe(owners[src], owners[dst], src, dst)
    there, back = (expected_journey(fabric, way) for way in (probe, reply_to(probe)))
    if (found := _of_way(fabric, probe, there, back, None)) is not None:
        return found
    sent = outside[0].ips[0].fields
    ttl = int(str(sent.get("ttl", sent.get("hlim"))))
    short = next(iter(expected_journey(fabric, replace(probe, ttl=ttl)).paths), None)
    if short is None or short.end is None or any(path.end for path in there.paths):
        return None
    made = [seen for seen in journey.sightings if seen.time_ns <= outside[0].time_ns and seen.node == owners[src]]
    by = next((seen.interface for seen in made if seen.direction == "out" and seen not in outside), None)
    return Ending(owners[src], by, f"ttl {ttl}: it expires at {short.end.node}", "ttl", "a greater ttl")


def undone(
    live: Fabric,
    declared: Fabric,
    states: Mapping[str, NodeState],
    declared_states: Mapping[str, NodeState],
    nodes: Collection[str],
) -> Fabric:
    """Return live forwarding state with some nodes, and all declared cables, as they are declared."""
    ends = {end for link in declared.links for end in link.ends}
    links = [*declared.links, *(link for link in live.links if ends.isdisjoint(link.ends))]
    return live_fabric(live.name, {**states, **{name: declared_states[name] for name in nodes}}, links)


def _is_apart(node: Node) -> bool:
    return all(isinstance(device, Loopback | Bridge | Tunnel | Subinterface | Vrf) for device in node.devices)


def _found(fabric: Fabric, probe: Probe, kind: Kind | None) -> Ending | None:
    """Return where a packet ends or turns off.

    What two nodes have both comes last, unless a packet ends at one of them, and not for the state of a device: a
    gateway may be in several by intent, and one of these be silent.
    """
    both = [(way, expected_journey(fabric, way)) for way in (probe, reply_to(probe))]
    found = _first(fabric, both, kind)
    twice = next((end for _, way in both for end in doubled(fabric, probe, way)), None)
    if twice is None or (found is not None and found.kind in OF_DEVICES):
        return found
    return twice if found is None or found.node in {twice.node, *(o.node for o in twice.others)} else found


def _first(fabric: Fabric, both: list[tuple[Probe, ExpectedJourney]], kind: Kind | None) -> Ending | None:
    """Return the ending of either direction that says most: a missing route may follow from what else is missing, and
    that a packet ends somewhere from anything. Of two ports in different VLANs either may be right."""
    (there, out), (again, back) = both
    each = (_of_way(fabric, *one, kind) for one in ((there, out, back), (again, back, out)))
    found = [end for end in each if end is not None]
    first = min(found, key=lambda end: VAGUE.get(end.kind, 0), default=None)
    if first is None or first.kind != "vlan":
        return first
    others = [end for end in found if end.kind == "vlan" and end.node != first.node]
    return replace(first, others=(*first.others, *others))


def _of_way(
    fabric: Fabric, probe: Probe, way: ExpectedJourney, other: ExpectedJourney, kind: Kind | None
) -> Ending | None:
    lost = next((path for path in way.paths if path.end is not None), None)
    if lost is not None and lost.end is not None and NOT_FOLLOWED not in str(lost.end):
        hops = lost.end.hops or lost.hops
        turn = _turn_before(fabric, lost.end, hops) or _misled(fabric, probe, lost.end, hops)
        if turn is None or turn.node == lost.end.node:
            return tagged_by(fabric, hops) or lost.end
        if not _serves(fabric, lost.end, hops):
            return turn
        return replace(lost.end, others=(*lost.end.others, turn))
    if lost is None and kind is not None and way.kind != kind:
        passed = [hop for path in way.paths for hop in path.hops]
        return wrong_turn(fabric, probe, passed, other) or _overruling(fabric, probe, passed, kind)
    return None


def _overruling(fabric: Fabric, probe: Probe, hops: Sequence[ExpectedHop], kind: Kind) -> Ending | None:
    """Return the first route without which a packet would be carried as it is promised, by a shorter prefix."""
    for hop in (hop for hop in hops if _is_routed(fabric, hop, "out")):
        node, ip = fabric[hop.node], outer_ip(hop.layers)
        fitting = [route for route in node.routes if ip and ends_of(ip)[1] in route.prefix]
        longest = max(fitting, key=lambda route: route.prefix.prefixlen, default=None)
        if longest is not None and len(fitting) > 1:
            without = replace(node, routes=tuple(route for route in node.routes if route != longest))
            nodes = tuple(without if one is node else one for one in fabric.nodes)
            if expected_journey(replace(fabric, nodes=nodes), probe).kind == kind:
                return ending(node, route_words(longest), "route", f"no such route: carried as {kind} without it")
    return None


def _serves(fabric: Fabric, end: Ending, hops: Sequence[ExpectedHop]) -> bool:
    """Return whether a packet ended at a router that has a route of its own to the sender, so that it is meant to carry
    what the two ends send: the ways of both directions may differ by intent."""
    src = ip_address(str(_ends(hops[-1].layers)[0])) if hops else None
    routes = (route for route in fabric[end.node].routes if route.kind == "unicast" and route.prefix.prefixlen)
    judged = end.kind == "route" or end.wanted == LOOSE
    return src is not None and judged and any(src in route.prefix for route in routes)


def _misled(fabric: Fabric, probe: Probe, end: Ending, hops: Sequence[ExpectedHop]) -> Ending | None:
    """Return what keeps a segment apart from that of the target: two ends of a tunnel that differ, a port's bridge."""
    holder = fabric[probe.target].addresses.get(probe.dst) if end.kind == "forwarding" else None
    places = [(hop.node, hop.interface) for hop in hops if hop.direction == "out"]
    places += [(end.node, end.interface)] if end.interface else []
    devices = [fabric[node][name] for node, name in places if holder and fabric[node].has(name)]
    found = (apart(fabric, device, holder) for apart in (parted, other_bridge) for device in devices if holder)
    return next((end for end in found if end is not None), None)


def _turn_before(fabric: Fabric, end: Ending, hops: Sequence[ExpectedHop]) -> Ending | None:
    """Return the wrong turn of the outermost packet of a way that ended at a node's routing."""
    owners = {address: node.name for node in fabric.nodes for address in node.addresses}
    src, dst = (ip_address(str(one)) for one in (_ends(hops[-1].layers) if hops else ANYWHERE))
    if end.kind not in ("route", "sysctl", "forwarding", "address") or src not in owners or dst not in owners:
        return None
    probe = Probe(owners[src], owners[dst], src, dst)
    return wrong_turn(fabric, probe, hops, expected_journey(fabric, reply_to(probe)))


def wrong_turn(fabric: Fabric, probe: Probe, hops: Sequence[ExpectedHop], back: ExpectedJourney) -> Ending | None:
    """Return the first node that routes a packet elsewhere than to where the packets of the other direction come from,
    while there it would arrive; None where there is none. Equal-cost routes lead to both by intent."""
    came = {hop_key(hop, "in"): hop for path in back.paths for hop in path.hops if _is_routed(fabric, hop, "in")}
    for hop in (hop for hop in hops if _is_routed(fabric, hop, "out")):
        other = came.get(hop_key(hop, "out"))
        if other is None or _next_hop(other, "src") == _next_hop(hop, "dst"):
            continue
        egresses = fabric[hop.node].fib.lookup(ip_address(str(_ends(hop.layers)[1])))
        if len(egresses) == 1 or other.interface not in {egress.dev for egress in egresses}:
            return _turned(fabric, probe, hop, other)
    return None


def hop_key(hop: ExpectedHop, direction: str) -> tuple[str, object, object]:
    """Return a node and the ends of the outermost packet there, those of a packet that comes in the other way round."""
    src, dst = _ends(hop.layers)
    return (hop.node, src, dst) if direction == "out" else (hop.node, dst, src)


def _is_routed(fabric: Fabric, hop: ExpectedHop, direction: str) -> bool:
    """Return whether IP has a packet at a hop: not at a port of a bridge, nor below a VLAN's device."""
    here = hop.direction == direction and fabric[hop.node].bridge_of(hop.interface) is None
    return here and not tags_of(hop.layers)


def _ends(layers: Layers) -> tuple[object, object]:
    """The source and destination of the outermost packet; unspecified ones where there is none."""
    fields = outer_ip(layers)
    return (fields["src"], fields["dst"]) if fields else ANYWHERE


def _next_hop(hop: ExpectedHop, end: str) -> tuple[str, object]:
    """The device and, where there are frames, the MAC at the other end."""
    name, fields = hop.layers[0]
    return hop.interface, fields[end] if name == "ether" else None


def _turned(fabric: Fabric, probe: Probe, hop: ExpectedHop, other: ExpectedHop) -> Ending | None:
    node, device = fabric[hop.node], fabric[hop.node][other.interface]
    walk, packet = PacketWalk(fabric, probe.target), probe.layers
    dst = probe.dst
    if isinstance(device, Tunnel) and not device.ethernet:
        paths = list(walk.send_by(node, device, dst, packet, ()))
    else:
        paths = list(walk.framed(device, str(other.layers[0][1]["src"]), packet, ()))
    if not paths or any(path.end is not None for path in paths):
        return None
    live = " or ".join(_routes(node, dst, hop.interface)) or f"out by {hop.interface}"
    return ending(node, live, "route", f"{device.name}, by which the other direction comes")


def _routes(node: Node, dst: Address, device: str) -> Iterator[str]:
    """The routes of any table that lead a packet out by a device, those of the longest prefix."""
    known = [*(("main", route) for route in node.routes), *node.tables]
    fitting = [
        (table, route)
        for table, route in known
        if route.prefix.version == dst.version and dst in route.prefix and _leads(node, route, device)
    ]
    longest = max((route.prefix.prefixlen for _, route in fitting), default=0)
    for table, route in fitting:
        if route.prefix.prefixlen == longest:
            yield route_words(route) if table == "main" else f"{route_words(route)} table {table}"


def _leads(node: Node, route: Route, device: str) -> bool:
    return route.kind == "unicast" and any(egress.dev == device for egress in node.egresses(route))
