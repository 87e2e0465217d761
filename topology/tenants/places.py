"""Where tenants hang: which leaf a node is behind, and the way from leaf to leaf over a spine. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface

from topology.model import Device, Fabric, Gre, Port
from topology.node import ROUTERS
from topology.refs import PortRef


@dataclass(frozen=True)
class Uplink:
    """A link between a leaf and a spine, with the addresses of both ends."""

    leaf: PortRef
    spine: PortRef
    leaf_address: IPv4Interface
    spine_address: IPv4Interface


@dataclass(frozen=True)
class Way:
    """From a source's leaf to a target's, by one spine: the two links."""

    source: Uplink
    target: Uplink

    @property
    def crossing(self) -> tuple[PortRef, PortRef]:
        """The spine's ports, in the order in which the source's packets pass them."""
        return (self.source.spine, self.target.spine)


class Places:
    """What a lab says of places: its leaves, what hangs behind them, and what joins them."""

    def __init__(self, fabric: Fabric) -> None:
        self._fabric = fabric
        self.leaves = tuple(node.name for node in fabric.role("leaf"))
        self._uplinks: dict[str, dict[str, Uplink]] = {leaf: {} for leaf in self.leaves}
        for uplink in _uplinks(fabric):
            self._uplinks[uplink.leaf.node].setdefault(uplink.spine.node, uplink)
        self._ways: dict[tuple[str, str], Way | None] = {}

    def leaf_of(self, node: str) -> str | None:
        """The nearest leaf, over links and through what does not route; None where there is none."""
        waiting, seen = deque([node]), {node}
        while waiting:
            for port in self._fabric[waiting.popleft()].all(Port):
                far = self._fabric[port.peer.node]
                if far.role == "leaf":
                    return far.name
                if far.name not in seen and far.role not in ROUTERS:
                    seen.add(far.name)
                    waiting.append(far.name)
        return None

    def way(self, source: str, target: str) -> Way | None:
        """The way between two leaves: by the spine that their own tunnel goes by, else by the first that joins them."""
        if (source, target) not in self._ways:
            joining = [
                Way(uplink, self._uplinks[target][spine])
                for spine, uplink in self._uplinks[source].items()
                if spine in self._uplinks[target]
            ]
            preferred = (way for way in joining if self._has_tunnel(way))
            self._ways[source, target] = next(preferred, joining[0] if joining else None)
        return self._ways[source, target]

    def _has_tunnel(self, way: Way) -> bool:
        ends = (way.source.leaf_address.ip, way.target.leaf_address.ip)
        return any((gre.local, gre.remote) == ends for gre in self._fabric[way.source.leaf.node].all(Gre))


def _uplinks(fabric: Fabric) -> Iterator[Uplink]:
    """The leaf-spine links with an IPv4 address at both ends."""
    for link in fabric.spine_links:
        leaf, spine = sorted(link.ends, key=lambda end: fabric[end.node].role != "leaf")
        addresses = (_ipv4(fabric[leaf.node][leaf.interface]), _ipv4(fabric[spine.node][spine.interface]))
        if addresses[0] and addresses[1]:
            yield Uplink(leaf, spine, addresses[0], addresses[1])


def _ipv4(device: Device) -> IPv4Interface | None:
    return next((found for found in device.addresses if isinstance(found, IPv4Interface)), None)
