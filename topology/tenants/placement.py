"""Which leaf each customer of a row hangs behind, and what keeps a row from its place. Pure.

A node of the lab stays where it is, and a new one stays where its first row has put it: the source at the first leaf,
the destination at the second, and a Bridge row at the first. Where the other end is known, a new node goes to the
leaf that the row's type needs: the same for a Bridge row, another one for all others.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from topology.errors import Position, Problem
from topology.model import Fabric
from topology.tenants.places import Places
from topology.tenants.rows import TenantRow

OWN_NODE = re.compile(r"row[0-9]+-(switch|vtep[12])", re.IGNORECASE)
"""The names of the nodes that rows bring along."""


@dataclass(frozen=True)
class Placed:
    """A row's customers under the names that the lab, or their first row, gives them, and the leaf of each."""

    source: str
    target: str
    leaves: tuple[str, str]


class Placement:
    """Places rows in their order.

    The new nodes of a refused row are *doubtful*: where they hang is known once it is fixed, and no other row is
    refused for it before that.
    """

    def __init__(self, base: Fabric, places: Places, doubtful: Collection[str]) -> None:
        self._base = {node.name: node for node in base.nodes}
        self._names = {name.casefold(): name for name in reversed(self._base)}
        self._places = places
        self._leaves: dict[str, str] = {}
        self._doubtful = {self._name(name) for name in doubtful}

    def place(self, row: TenantRow) -> tuple[Placed | None, list[Problem]]:
        """The row's place, or what is wrong; neither where a refused row decides it."""
        source, target = self._name(row.source), self._name(row.target)
        problems = [*self._check(source, row.source_at), *self._check(target, row.target_at)]
        new = {source, target} - self._leaves.keys()
        if not problems and new.isdisjoint(self._doubtful):
            leaves = self._bridged(source, target) if row.type == "Bridge" else self._apart(source, target)
            problems = [*self._misplaced(row, leaves)]
            if not problems:
                self._leaves |= {source: leaves[0], target: leaves[1]}
                return Placed(source, target, (leaves[0], leaves[1])), []
        self._doubtful |= new
        return None, problems

    def _name(self, text: str) -> str:
        """A node's name as the lab writes it, in whatever case it is given, or else as it was first given."""
        return text if text in self._base else self._names.setdefault(text.casefold(), text)

    def _check(self, name: str, where: Position) -> Iterator[Problem]:
        """Whether a node can be a tenant's customer."""
        if OWN_NODE.fullmatch(name):
            yield Problem(where, f"the name {name} is one for nodes that rows bring along", "another name")
        elif name in self._base and name not in self._leaves:
            role = self._base[name].role
            leaf = self._places.leaf_of(name)
            if role != "customer":
                yield Problem(where, f"{name} is a {role} of the lab", "a customer, or a name that the lab has not")
            elif leaf is None:
                yield Problem(where, f"{name} hangs behind no leaf of the lab", "a node that does, or a new one")
            else:
                self._leaves[name] = leaf

    def _bridged(self, source: str, target: str) -> list[str]:
        """One leaf for both: of the end that has one, or the first."""
        known = [self._leaves[name] for name in (source, target) if name in self._leaves]
        return known if len(known) == 2 else [*known, *self._places.leaves][:1] * 2

    def _apart(self, source: str, target: str) -> list[str]:
        """Two leaves, as far as the lab has them: the first for the source, the second for the target."""
        leaves = self._places.leaves
        first, second = self._leaves.get(source), self._leaves.get(target)
        first = first or next((leaf for leaf in leaves if leaf != second), None)
        second = second or next((leaf for leaf in (*leaves[1:], *leaves[:1]) if leaf != first), None)
        return [leaf for leaf in (first, second) if leaf is not None]

    @staticmethod
    def _misplaced(row: TenantRow, leaves: list[str]) -> Iterator[Problem]:
        kind = f"a row of type {row.type}"
        if len(leaves) < 2:
            yield Problem(row.where, f"the lab has too few leaves for {kind}", "a lab with two leaves")
        elif row.type == "Bridge" and leaves[0] != leaves[1]:
            what = (
                f"{row.source} is behind {leaves[0]} and {row.target} behind {leaves[1]}, and {kind} stays on one leaf"
            )
            yield Problem(row.where, what, "VXLAN for one Layer 2 network, or two nodes of one leaf")
        elif row.type != "Bridge" and leaves[0] == leaves[1]:
            what = f"{row.source} and {row.target} are both behind {leaves[0]}, and {kind} crosses the fabric"
            yield Problem(row.where, what, "Bridge, or nodes behind two leaves")
