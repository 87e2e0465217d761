"""How large a packet each interface of a journey lets pass, computed from the declaration. Pure.

A size is that of the customer's IP packet, in bytes. What a tunnel wraps around it is taken from the expected journey's
own layers, hop by hop; what each device carries is its MTU.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from topology.errors import Position, Problem
from topology.expected import Direction, ExpectedHop, ExpectedJourney, ExpectedPath, expected_journey, probes_of
from topology.model import Bridge, Fabric, Geneve, Gre, Port, Subinterface, Vxlan
from topology.mtu import LEAST, device_mtu
from topology.packet import PAYLOAD_BYTES, size_of, ttl_of
from topology.plan import ROUTERS
from topology.promises import AROUND_FRAMES, Pair

VLAN_SLACK = 4
"""A bridge's port, and the receiving end of a veth pair, pass frames of MTU and a VLAN tag, and drop larger ones in
silence (``__is_skb_forwardable``, include/linux/netdevice.h)."""

NARROWER = 100
"""Bytes that a broken device carries less than its way."""
LEAST_WHOLE = 2 * PAYLOAD_BYTES
"""Bytes that must still cross whole at a bottleneck: more than a probe that shows that a way is open."""


@dataclass(frozen=True)
class Limit:
    """One interface: its MTU, what tunnels have wrapped around the packet there, and what it passes beyond its MTU."""

    node: str
    interface: str
    direction: Direction
    mtu: int
    overhead: int
    slack: int = 0

    @property
    def largest(self) -> int:
        """The largest packet of a customer that passes here whole."""
        return self.mtu - self.overhead + self.slack

    def __str__(self) -> str:
        wrapped = f" less {self.overhead} of tunnel headers" if self.overhead else ""
        more = f" and {self.slack} for a VLAN tag" if self.slack else ""
        return f"{self.node}:{self.interface} {self.direction} carries {self.mtu}{wrapped}{more}"


def limits(fabric: Fabric, journey: ExpectedJourney) -> tuple[Limit, ...]:
    """The limits of a journey's hops, in the order of its paths; a hop that lets everything pass has none."""
    return tuple(dict.fromkeys(limit for path in journey.paths for limit in _along(fabric, path)))


def carried(fabric: Fabric, journey: ExpectedJourney) -> tuple[Limit, ...]:
    """What decides on each legal path, the narrowest first, one for each size; empty where a path has no hops."""
    found = [min(along, key=lambda limit: limit.largest) for p in journey.paths if (along := _along(fabric, p))]
    by_size = {limit.largest: limit for limit in reversed(found)}
    return tuple(by_size[size] for size in sorted(by_size))


def check_mtus(fabric: Fabric) -> Iterator[Problem]:
    """The sizes that are promised to customers and that cannot cross whole; one problem for each place.

    A packet that cannot arrive at all is another check's matter.
    """
    tightest: dict[Position, tuple[Limit, str, int]] = {}
    for pair in fabric.pairs:
        if (promised := pair.mtu.customers) is None:
            continue
        for probe in probes_of(fabric, pair):
            journey = expected_journey(fabric, probe)
            if journey.dropped:
                continue
            limit, known = carried(fabric, journey)[0], tightest.get(pair.mtu.where)
            if limit.largest < promised and (known is None or limit.largest < known[0].largest):
                tightest[pair.mtu.where] = (limit, f"{probe.source} -> {probe.target}", promised)
    for where, (limit, way, promised) in tightest.items():
        what = f"packets of {promised} bytes cannot cross whole from {way}: {limit}"
        yield Problem(where, what, f"{limit.largest} or less, or larger MTUs on the way")


@dataclass(frozen=True)
class Bottleneck:
    """Devices of one node by which all of a pair's packets leave it; ``whole`` is the largest that crosses whole."""

    pair: Pair
    devices: tuple[Limit, ...]
    whole: int

    @property
    def node(self) -> str:
        """The node whose devices they are."""
        return self.devices[0].node

    @property
    def interfaces(self) -> tuple[str, ...]:
        """The devices' names."""
        return tuple(device.interface for device in self.devices)

    def mtus(self, whole: int) -> dict[str, int]:
        """The MTU that each device needs so that packets of this size, and no larger ones, cross whole."""
        return {device.interface: device.mtu - device.largest + whole for device in self.devices}

    def __str__(self) -> str:
        return f"{self.pair}-at-{self.node}:{'+'.join(self.interfaces)}"


def bottlenecks(fabric: Fabric, pair: Pair) -> Iterator[Bottleneck]:
    """Find where an overlay's pair can be narrowed: the links by which its packets, in a tunnel, leave the first router
    that sends them so (or else the first node), and each node's tunnel devices of one kind."""
    journey = expected_journey(fabric, probes_of(fabric, pair)[0])
    links = [hop for hop in _leaving(journey) if _is_link(fabric, hop) and _overhead(hop)]
    routed = [hop for hop in links if fabric[hop.node].role in ROUTERS]
    found = (*_bottlenecks(fabric, pair, journey, routed), *_bottlenecks(fabric, pair, journey, links))
    yield from found[:1]
    for kind in (Gre, Vxlan, Geneve):
        tunnels = (hop for hop in _leaving(journey) if isinstance(fabric[hop.node][hop.interface], kind))
        yield from _bottlenecks(
            fabric, pair, journey, (hop for hop in tunnels if not _in_routed_bridge(fabric, hop, journey))
        )


def first_router(fabric: Fabric, pair: Pair) -> Iterator[Bottleneck]:
    """The links by which a pair's packets leave the first node that routes them, which reports its MTU to their sender.

    A link on which they are inside VXLAN or Geneve is none: what is too large there is sent in fragments.
    """
    journey = expected_journey(fabric, probes_of(fabric, pair)[0])
    routers = {node for path in journey.paths for node in _routing(path)}
    links = (hop for hop in _leaving(journey) if hop.node in routers and _is_link(fabric, hop))
    bare = (hop for hop in links if AROUND_FRAMES.isdisjoint(name for name, _ in hop.layers))
    yield from list(_bottlenecks(fabric, pair, journey, bare))[:1]


def _routing(path: ExpectedPath) -> Iterator[str]:
    """The nodes that lower the customer's TTL."""
    for before, after in pairwise(path.hops):
        if before.node == after.node and ttl_of(before.layers) != ttl_of(after.layers):
            yield before.node


def _in_routed_bridge(fabric: Fabric, hop: ExpectedHop, journey: ExpectedJourney) -> bool:
    """Return whether packets are routed into the bridge of a hop's device: the members' MTUs set the bridge's."""
    bridge = fabric[hop.node].bridge_of(hop.interface)
    passed = {one.ref for one in _leaving(journey)}
    return bridge is not None and bridge.mtu is None and bridge.ref in passed


def _bottlenecks(
    fabric: Fabric, pair: Pair, journey: ExpectedJourney, hops: Iterable[ExpectedHop]
) -> Iterator[Bottleneck]:
    """Those hops' devices, a bottleneck for each node by one of which every legal path leads."""
    by_node: dict[str, dict[str, Limit]] = {}
    for limit in (found for hop in hops if (found := _limit(fabric, hop)) is not None):
        narrowest = by_node.setdefault(limit.node, {})
        narrowest[limit.interface] = min(narrowest.get(limit.interface, limit), limit, key=lambda one: one.largest)
    whole = carried(fabric, journey)[0].largest
    for node, devices in by_node.items():
        left_by = [
            {hop.interface for hop in p.hops if (hop.node, hop.direction) == (node, "out")} for p in journey.paths
        ]
        if all(devices.keys() & names for names in left_by):
            yield Bottleneck(pair, tuple(devices.values()), whole)


def can_be_narrowed(fabric: Fabric, found: Bottleneck) -> bool:
    """Return whether a bottleneck made NARROWER still carries small packets, and its devices keep their IPv6.

    They lose those below IPv6's minimum (``addrconf_notify``, net/ipv6/addrconf.c).
    """
    whole = found.whole - NARROWER
    for name, mtu in found.mtus(whole).items():
        above = (fabric[found.node][name], *filter(None, [fabric[found.node].bridge_of(name)]))
        versions = {interface.version for device in above for interface in device.addresses}
        if mtu < LEAST[6 if 6 in versions else 4]:
            return False
    return whole >= LEAST_WHOLE


def _leaving(journey: ExpectedJourney) -> Iterator[ExpectedHop]:
    return (hop for path in journey.paths for hop in path.hops if hop.direction == "out")


def _is_link(fabric: Fabric, hop: ExpectedHop) -> bool:
    """Return whether IP itself sends by a device that is no tunnel: no member of a bridge, no port below a VLAN.

    A bridge whose MTU is not declared is none: whatever it is, it is not judged.
    """
    node = fabric[hop.node]
    device = node[hop.interface]
    above = node.bridge_of(device.name) is not None or bool(node.subinterfaces(device.name))
    known = isinstance(device, Port | Subinterface) or (isinstance(device, Bridge) and device.mtu is not None)
    return known and not above


def _along(fabric: Fabric, path: ExpectedPath) -> list[Limit]:
    return [limit for hop in path.hops if (limit := _limit(fabric, hop)) is not None]


def _limit(fabric: Fabric, hop: ExpectedHop) -> Limit | None:
    node = fabric[hop.node]
    device = node[hop.interface]
    bridged = node.bridge_of(hop.interface) is not None
    if not isinstance(device, Port) if hop.direction == "in" else hop.layers[1][0] == "dot1q":
        return None  # a port beneath a sub-interface sends its frames unasked: the far end's MTU decides
    slack = VLAN_SLACK if bridged or hop.direction == "in" else 0
    return Limit(hop.node, hop.interface, hop.direction, device_mtu(node, device), _overhead(hop), slack)


def _overhead(hop: ExpectedHop) -> int:
    """The bytes between the start of the outermost IP header and that of the customer's."""
    at = [place for place, (name, _) in enumerate(hop.layers) if name in ("ipv4", "ipv6")]
    return size_of(hop.layers[at[0] : at[-1]])
