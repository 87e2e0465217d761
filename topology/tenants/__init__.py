"""Tenants on demand: a lab and the rows of a tenants file become a larger fabric, by a plan that cannot collide. Pure.

Every row gets what its type needs (``topology.tenants.parts``): nodes, an interface of its own at both customers,
addresses from pools that skip the lab's own, and for a tunnel a VNI or key of its own. docs/tenants.md is for users.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from topology.errors import LabError, Problem
from topology.expected import check_pairs
from topology.model import Fabric
from topology.refs import PortRef
from topology.tenants.growth import Growth
from topology.tenants.parts import PARTS, Site
from topology.tenants.placement import OWN_NODE, Placed, Placement
from topology.tenants.places import Places, Way
from topology.tenants.pools import free_vni, make_pools, vnis_of
from topology.tenants.rows import TenantRow, TenantRows

MAX_PROBLEMS = 200
"""As many as anybody reads."""
_OWN_DEVICE = re.compile(r"(gretun-)?row[0-9]+")


def add_tenants(base: Fabric, rows: TenantRows) -> Fabric:
    """The lab with its tenants; raises LabError with all that is wrong with the rows, those that were not read too."""
    plan = _Plan(base, rows)
    if problems := [*rows.problems, *_names_taken(base), *plan.problems(rows)]:
        raise LabError(sorted(problems)[:MAX_PROBLEMS])
    fabric = plan.grow.fabric(rows.file)
    if wrong := list(islice(check_pairs(fabric), MAX_PROBLEMS)):
        raise LabError(wrong)
    return fabric


def _names_taken(base: Fabric) -> Iterator[Problem]:
    """Names of the lab that only tenants' nodes and devices may have."""
    for node in base.nodes:
        if OWN_NODE.fullmatch(node.name):
            yield Problem(node.where, f"the name {node.name} is one for tenants' nodes", "another name")
        for device in node.devices:
            if _OWN_DEVICE.fullmatch(device.name):
                yield Problem(device.where, f"the name {device.name} is one for tenants' devices", "another name")


class _Plan:
    """Gives each row its place, its numbers and its parts."""

    def __init__(self, base: Fabric, rows: TenantRows) -> None:
        self.grow = Growth(base)
        self._places = Places(base)
        self._placement = Placement(base, self._places, rows.doubtful)
        self._pools = make_pools(base)
        self._vnis = vnis_of(base)

    def problems(self, rows: TenantRows) -> Iterator[Problem]:
        """Plan every row, and say what cannot be planned."""
        for row in rows.rows:
            placed, problems = self._placement.place(row)
            yield from problems
            if placed is not None:
                yield from self._plan(row, placed)

    def _plan(self, row: TenantRow, placed: Placed) -> Iterator[Problem]:
        parts = PARTS[row.type]
        way = self._places.way(*placed.leaves) if row.type != "Bridge" else None
        vni = free_vni(row.number, self._vnis)
        subnets = [subnet for name in parts.pools if (subnet := self._pools[name].take())]
        if way is None and row.type != "Bridge":
            ends = " and ".join(placed.leaves)
            yield Problem(row.where, f"no spine has links with IPv4 addresses to {ends}", "a spine that joins them")
        elif vni is None:
            yield Problem(row.type_at, f"the lab has every VNI that row {row.number} could have", "fewer in the lab")
        elif row.type == "GRE" and (twin := self._twin(way, row.number)):
            what = f"{twin} has the key {row.number} between the same ends already"
            yield Problem(row.type_at, what, "the row at another place in the file: its number is its key")
        elif len(subnets) < len(parts.pools):
            yield Problem(row.type_at, f"no subnet is left for a row of type {row.type}", "fewer such rows")
        else:
            site = Site(row, placed.source, placed.target, placed.leaves, tuple(subnets), way, vni)
            parts.build(self.grow, site)

    def _twin(self, way: Way | None, key: int) -> PortRef | None:
        """The lab's own tunnel that the kernel could not tell from a row's: it would answer EEXIST."""
        for near, far in ((way.source, way.target), (way.target, way.source)) if way else ():
            ends = (near.leaf_address.ip, far.leaf_address.ip, key)
            if twin := self.grow.base[near.leaf.node].tunnel_by_ends.get(("gre", *ends)):
                return twin.ref
        return None
