"""How large a packet each interface of a journey lets pass, computed from the declaration. Pure.

A size is that of the customer's IP packet, in bytes. What a tunnel wraps around it is taken from the expected journey's
own layers, hop by hop; what each device carries is its MTU.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from topology.errors import Position, Problem
from topology.expected import Direction, ExpectedHop, ExpectedJourney, ExpectedPath, expected_journey, probes_of
from topology.model import Fabric, Port
from topology.mtu import device_mtu
from topology.packet import size_of

VLAN_SLACK = 4
"""A bridge's port, and the receiving end of a veth pair, pass frames of MTU and a VLAN tag, and drop larger ones in
silence (``__is_skb_forwardable``, include/linux/netdevice.h)."""


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


def _along(fabric: Fabric, path: ExpectedPath) -> list[Limit]:
    return [limit for hop in path.hops if (limit := _limit(fabric, hop)) is not None]


def _limit(fabric: Fabric, hop: ExpectedHop) -> Limit | None:
    node = fabric[hop.node]
    device = node[hop.interface]
    bridged = node.bridge_of(hop.interface) is not None
    if hop.direction == "in" and not isinstance(device, Port):
        return None
    slack = VLAN_SLACK if bridged or hop.direction == "in" else 0
    return Limit(hop.node, hop.interface, hop.direction, device_mtu(node, device), _overhead(hop), slack)


def _overhead(hop: ExpectedHop) -> int:
    """The bytes between the start of the outermost IP header and that of the customer's."""
    at = [place for place, (name, _) in enumerate(hop.layers) if name in ("ipv4", "ipv6")]
    return size_of(hop.layers[at[0] : at[-1]])
