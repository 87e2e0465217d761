"""The largest packet that each interface of a journey forwards, computed from the declaration. Pure.

Sizes are bytes of the customer's IP packet. The overhead of tunnels is taken from the layers of the expected journey,
hop by hop; the capacity of a device is its MTU.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from topology.errors import Position, Problem
from topology.expected import Direction, ExpectedHop, ExpectedJourney, ExpectedPath, expected_journey, probes_of
from topology.links import TUNNELS, UDP_TUNNELS
from topology.links.base import LEAST_MTU
from topology.model import Bridge, Fabric, Port, Subinterface
from topology.mtu import device_mtu
from topology.packet import PAYLOAD_BYTES, size_of, ttl_of
from topology.promises import Pair

VLAN_SLACK = 4
"""A bridge port, and the receiving end of a veth pair, accept frames of their MTU and a VLAN tag, and drop larger ones
silently (``__is_skb_forwardable``, include/linux/netdevice.h)."""
NARROWER = 100
"""Bytes by which a test narrows a device below its path's limit."""
LEAST_WHOLE = 2 * PAYLOAD_BYTES
"""Bytes that must still pass a narrowed device unfragmented: more than a probe for reachability needs."""


@dataclass(frozen=True)
class Limit:
    """The limit of an interface: its MTU, the tunnel overhead there, and the slack that it accepts beyond its MTU."""

    node: str
    interface: str
    direction: Direction
    mtu: int
    overhead: int
    slack: int = 0

    @property
    def largest(self) -> int:
        """The largest customer packet that passes here unfragmented."""
        return self.mtu - self.overhead + self.slack

    def __str__(self) -> str:
        wrapped = f" less {self.overhead} of tunnel headers" if self.overhead else ""
        more = f" and {self.slack} for a VLAN tag" if self.slack else ""
        return f"{self.node}:{self.interface} {self.direction} carries {self.mtu}{wrapped}{more}"


def limits(fabric: Fabric, journey: ExpectedJourney) -> tuple[Limit, ...]:
    """Return the limits of a journey's hops, in the order of its paths; hops without a limit are left out."""
    return tuple(dict.fromkeys(limit for path in journey.paths for limit in _along(fabric, path)))


def carried(fabric: Fabric, journey: ExpectedJourney) -> tuple[Limit, ...]:
    """Return the tightest limit of each legal path, narrowest first, one for each size."""
    found = [min(along, key=lambda limit: limit.largest) for p in journey.paths if (along := _along(fabric, p))]
    by_size = {limit.largest: limit for limit in reversed(found)}
    return tuple(by_size[size] for size in sorted(by_size))


def check_mtus(fabric: Fabric) -> Iterator[Problem]:
    """Yield a problem for each promised size that cannot cross unfragmented; unreachable pairs are left out."""
    tightest: dict[Position, tuple[Limit, str, int]] = {}
    for pair in fabric.walkable_pairs:
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
        yield Problem(where, what, f"{limit.largest} or less, or larger MTUs on the path")


@dataclass(frozen=True)
class Bottleneck:
    """The devices by which all of a pair's packets leave a node; ``whole`` is the largest size, in bytes."""

    pair: Pair
    devices: tuple[Limit, ...]
    whole: int

    @property
    def node(self) -> str:
        """The name of the node."""
        return self.devices[0].node

    @property
    def interfaces(self) -> tuple[str, ...]:
        """The names of the devices."""
        return tuple(device.interface for device in self.devices)

    def mtus(self, whole: int) -> dict[str, int]:
        """Return the MTU for each device with which packets up to this size cross unfragmented, and no larger ones."""
        return {device.interface: device.mtu - device.largest + whole for device in self.devices}

    def __str__(self) -> str:
        return f"{self.pair}-at-{self.node}:{'+'.join(self.interfaces)}"


def bottlenecks(fabric: Fabric, pair: Pair) -> Iterator[Bottleneck]:
    """Yield where an overlay pair can be narrowed: the links by which its encapsulated packets leave the first router
    (or else the first node) that sends them, and each node's tunnel devices of one kind."""
    journey = expected_journey(fabric, probes_of(fabric, pair)[0])
    links = [hop for hop in _leaving(journey) if _is_link(fabric, hop) and _overhead(hop)]
    routed = [hop for hop in links if fabric[hop.node].is_router]
    found = (*_bottlenecks(fabric, pair, journey, routed), *_bottlenecks(fabric, pair, journey, links))
    yield from found[:1]
    for kind in reversed(TUNNELS):
        tunnels = (hop for hop in _leaving(journey) if isinstance(fabric[hop.node][hop.interface], kind))
        yield from _bottlenecks(
            fabric, pair, journey, (hop for hop in tunnels if not _in_routed_bridge(fabric, hop, journey))
        )


def first_router(fabric: Fabric, pair: Pair) -> Iterator[Bottleneck]:
    """Yield the links by which a pair's packets leave the first node that routes them and reports its MTU by ICMP.

    Links where the packets are inside VXLAN or Geneve do not count: there, oversize packets are fragmented.
    """
    journey = expected_journey(fabric, probes_of(fabric, pair)[0])
    routers = {node for path in journey.paths for node in _routing(path)}
    links = (hop for hop in _leaving(journey) if hop.node in routers and _is_link(fabric, hop))
    fragmented = {tunnel.headers[-1] for tunnel in UDP_TUNNELS}
    bare = (hop for hop in links if fragmented.isdisjoint(name for name, _ in hop.layers))
    yield from list(_bottlenecks(fabric, pair, journey, bare))[:1]


def _routing(path: ExpectedPath) -> Iterator[str]:
    """Yield the nodes that decrement the customer packet's TTL."""
    for before, after in pairwise(path.hops):
        if before.node == after.node and ttl_of(before.layers) != ttl_of(after.layers):
            yield before.node


def _in_routed_bridge(fabric: Fabric, hop: ExpectedHop, journey: ExpectedJourney) -> bool:
    """Return whether packets are routed into the bridge of a hop's device, whose MTU follows its members'."""
    bridge = fabric[hop.node].bridge_of(hop.interface)
    passed = {one.ref for one in _leaving(journey)}
    return bridge is not None and bridge.mtu is None and bridge.ref in passed


def _bottlenecks(
    fabric: Fabric, pair: Pair, journey: ExpectedJourney, hops: Iterable[ExpectedHop]
) -> Iterator[Bottleneck]:
    """Yield a bottleneck of these hops' devices for each node where every legal path uses one of them."""
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
    """Return whether a bottleneck, narrowed by NARROWER, still carries small packets and keeps its IPv6 addresses.

    A device whose MTU falls below IPv6's minimum loses them (``addrconf_notify``, net/ipv6/addrconf.c).
    """
    whole = found.whole - NARROWER
    for name, mtu in found.mtus(whole).items():
        above = (fabric[found.node][name], *filter(None, [fabric[found.node].bridge_of(name)]))
        versions = {interface.version for device in above for interface in device.addresses}
        if mtu < LEAST_MTU[6 if 6 in versions else 4]:
            return False
    return whole >= LEAST_WHOLE


def _leaving(journey: ExpectedJourney) -> Iterator[ExpectedHop]:
    return (hop for path in journey.paths for hop in path.hops if hop.direction == "out")


def _is_link(fabric: Fabric, hop: ExpectedHop) -> bool:
    """Return whether IP sends directly by this device and it is no tunnel: no bridge member, no port below a VLAN.

    A bridge without a declared MTU does not count, because its MTU is not judged.
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
        return None  # a port below a sub-interface does not check the size: the far end's MTU decides
    slack = VLAN_SLACK if bridged or hop.direction == "in" else 0
    return Limit(hop.node, hop.interface, hop.direction, device_mtu(node, device), _overhead(hop), slack)


def _overhead(hop: ExpectedHop) -> int:
    """Return the bytes between the start of the outermost IP header and that of the customer's."""
    at = [place for place, (name, _) in enumerate(hop.layers) if name in ("ipv4", "ipv6")]
    return size_of(hop.layers[at[0] : at[-1]])
