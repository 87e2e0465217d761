"""The leaf of each customer of a row, and the path from leaf to leaf over a spine. Pure.

A node of the lab stays where it is, and a new one stays where its first row has put it: the source at the first leaf,
the destination at the second, and a Bridge row at the first. Where the other end is known, a new node goes to the
leaf that the row's type needs: the same for a Bridge row, another one for all others.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network

from topology.errors import Position, Problem
from topology.model import Device, Fabric, Gre, Port
from topology.refs import PortRef
from topology.tenants.rows import TenantRow

OWN_NODE = re.compile(r"row[0-9]+-(switch|vtep[12])", re.IGNORECASE)
"""The names of the nodes that rows bring along."""


@dataclass(frozen=True)
class Uplink:
    """A link between a leaf and a spine, with the addresses of both ends."""

    leaf: PortRef
    spine: PortRef
    leaf_address: IPv4Interface
    spine_address: IPv4Interface


@dataclass(frozen=True)
class SpinePath:
    """The two links from a source's leaf to a target's, by one spine."""

    source: Uplink
    target: Uplink


@dataclass(frozen=True)
class Site:
    """A row with its place: both customers under the lab's own names, their leaves, and its subnets."""

    row: TenantRow
    source: str
    target: str
    leaves: tuple[str, str]
    path: SpinePath | None = None
    subnets: tuple[IPv4Network, ...] = ()
    vni: int = 0

    @property
    def over(self) -> SpinePath:
        """The path between the leaves, of a row that crosses the fabric."""
        assert self.path is not None
        return self.path

    @property
    def port(self) -> str:
        """The name of the row's interface at customers and leaves."""
        return f"row{self.row.number}"

    @property
    def where(self) -> Position:
        """The row's place."""
        return self.row.where


class Places:
    """Places rows in their order.

    The new nodes of a refused row are *doubtful*: their leaf is known once it is fixed, and no other row is refused
    for it before that.
    """

    def __init__(self, base: Fabric, doubtful: Collection[str]) -> None:
        self._fabric = base
        self._base = {node.name: node for node in base.nodes}
        self._names = {name.casefold(): name for name in reversed(self._base)}
        self._all = tuple(node.name for node in base.role("leaf"))
        self._leaves: dict[str, str] = {}
        self._doubtful = {self._name(name) for name in doubtful}
        self._uplinks: dict[str, dict[str, Uplink]] = {leaf: {} for leaf in self._all}
        for uplink in _uplinks(base):
            self._uplinks[uplink.leaf.node].setdefault(uplink.spine.node, uplink)

    def place(self, row: TenantRow) -> tuple[Site | None, list[Problem]]:
        """Return the row's place, or its problems; neither if a refused row decides it."""
        source, target = self._name(row.source), self._name(row.target)
        problems = [*self._check(source, row.source_at), *self._check(target, row.target_at)]
        new = {source, target} - self._leaves.keys()
        if not problems and new.isdisjoint(self._doubtful):
            leaves = self._bridged(source, target) if row.type == "Bridge" else self._apart(source, target)
            problems = [*self._misplaced(row, leaves)]
            if not problems:
                self._leaves |= {source: leaves[0], target: leaves[1]}
                return Site(row, source, target, (leaves[0], leaves[1])), []
        self._doubtful |= new
        return None, problems

    def path(self, source: str, target: str) -> SpinePath | None:
        """Return the path between two leaves: by the spine of their own tunnel, else by the first that joins them."""
        far = self._uplinks[target]
        joining = [SpinePath(near, far[spine]) for spine, near in self._uplinks[source].items() if spine in far]
        own = {(gre.local, gre.remote) for gre in self._fabric[source].all(Gre)}
        tunnelled = (p for p in joining if (p.source.leaf_address.ip, p.target.leaf_address.ip) in own)
        return next(tunnelled, joining[0] if joining else None)

    def _name(self, text: str) -> str:
        """Return a node's name as the lab writes it, in any case of letters, or else as it was first given."""
        return text if text in self._base else self._names.setdefault(text.casefold(), text)

    def _check(self, name: str, where: Position) -> Iterator[Problem]:
        """Yield what keeps a node from being a tenant's customer."""
        if OWN_NODE.fullmatch(name):
            yield Problem(where, f"the name {name} is reserved for nodes that rows add", "another name")
        elif name in self._base and name not in self._leaves:
            role, leaf = self._base[name].role, self._leaf_of(name)
            if role != "customer":
                yield Problem(where, f"{name} is a {role} of the lab", "a customer, or a name new to the lab")
            elif leaf is None:
                yield Problem(where, f"{name} is behind no leaf of the lab", "a node that does, or a new one")
            else:
                self._leaves[name] = leaf

    def _leaf_of(self, node: str) -> str | None:
        """Return the nearest leaf, over links and through nodes that do not route."""
        waiting, seen = deque([node]), {node}
        while waiting:
            for port in self._fabric[waiting.popleft()].all(Port):
                far = self._fabric[port.peer.node]
                if far.role == "leaf":
                    return far.name
                if far.name not in seen and not far.is_router:
                    seen.add(far.name)
                    waiting.append(far.name)
        return None

    def _bridged(self, source: str, target: str) -> list[str]:
        """Return one leaf for both: that of the end that has one, or the first."""
        known = [self._leaves[name] for name in (source, target) if name in self._leaves]
        return known if len(known) == 2 else [*known, *self._all][:1] * 2

    def _apart(self, source: str, target: str) -> list[str]:
        """Return two leaves, if the lab has them: the first for the source, the second for the target."""
        first, second = self._leaves.get(source), self._leaves.get(target)
        first = first or next((leaf for leaf in self._all if leaf != second), None)
        second = second or next((leaf for leaf in (*self._all[1:], *self._all[:1]) if leaf != first), None)
        return [leaf for leaf in (first, second) if leaf is not None]

    @staticmethod
    def _misplaced(row: TenantRow, leaves: list[str]) -> Iterator[Problem]:
        kind = f"a row of type {row.type}"
        if len(leaves) < 2:
            yield Problem(row.where, f"the lab has too few leaves for {kind}", "a lab with two leaves")
        elif row.type == "Bridge" and leaves[0] != leaves[1]:
            what = f"{row.source} is behind {leaves[0]} and {row.target} behind {leaves[1]}, "
            right = "type VXLAN, or two nodes behind one leaf"
            yield Problem(row.where, f"{what}and {kind} stays on one leaf", right)
        elif row.type != "Bridge" and leaves[0] == leaves[1]:
            what = f"{row.source} and {row.target} are both behind {leaves[0]}, and {kind} crosses the fabric"
            yield Problem(row.where, what, "Bridge, or nodes behind two leaves")


def _uplinks(fabric: Fabric) -> Iterator[Uplink]:
    """Yield the leaf-spine links with an IPv4 address at both ends."""
    for link in fabric.spine_links:
        leaf, spine = sorted(link.ends, key=lambda end: fabric[end.node].role != "leaf")
        addresses = (_ipv4(fabric[leaf.node][leaf.interface]), _ipv4(fabric[spine.node][spine.interface]))
        if addresses[0] and addresses[1]:
            yield Uplink(leaf, spine, addresses[0], addresses[1])


def _ipv4(device: Device) -> IPv4Interface | None:
    return next((found for found in device.addresses if isinstance(found, IPv4Interface)), None)
