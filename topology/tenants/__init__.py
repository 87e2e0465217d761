"""Tenants on demand: a lab and the rows of a tenants file become a larger fabric, by a plan that cannot collide. Pure.

Every row gets its type's parts (``topology.tenants.parts``): nodes, an interface of its own at both customers,
addresses from pools that skip the lab's own, and for a tunnel a VNI or key of its own. docs/tenants.md is for users.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from topology.errors import LabError, Problem
from topology.expected import check_pairs
from topology.model import Fabric, Gre, Vxlan
from topology.refs import PortRef
from topology.tenants.parts import PARTS, Growth, build
from topology.tenants.places import OWN_NODE, Places, Site, SpinePath
from topology.tenants.pools import free_vni, make_pools
from topology.tenants.rows import TenantRows

MAX_PROBLEMS = 200
"""The most problems that are reported."""
_OWN_DEVICE = re.compile(r"(gretun-)?row[0-9]+")


def add_tenants(base: Fabric, rows: TenantRows) -> Fabric:
    """Return the lab with its tenants; raises LabError with all problems of the rows, those that were not read too."""
    grow = Growth(base)
    if problems := [*rows.problems, *_names_taken(base), *_plan(grow, rows)]:
        raise LabError(sorted(problems)[:MAX_PROBLEMS])
    fabric = grow.fabric(rows.file)
    if wrong := list(islice(check_pairs(fabric), MAX_PROBLEMS)):
        raise LabError(wrong)
    return fabric


def _names_taken(base: Fabric) -> Iterator[Problem]:
    """Yield names of the lab that only tenants' nodes and devices may have."""
    for node in base.nodes:
        if OWN_NODE.fullmatch(node.name):
            yield Problem(node.where, f"the name {node.name} is one for tenants' nodes", "another name")
        for device in node.devices:
            if _OWN_DEVICE.fullmatch(device.name):
                yield Problem(device.where, f"the name {device.name} is one for tenants' devices", "another name")


def _plan(grow: Growth, rows: TenantRows) -> Iterator[Problem]:
    """Give each row its place, its numbers and its parts; yield the problems of those that cannot have them."""
    places, pools = Places(grow.base, rows.doubtful), make_pools(grow.base)
    vnis = {vxlan.vni for vxlan in grow.base.all(Vxlan)}
    for row in rows.rows:
        placed, problems = places.place(row)
        yield from problems
        if placed is None:
            continue
        parts, vni = PARTS[row.type], free_vni(row.number, vnis)
        path = places.path(*placed.leaves) if row.type != "Bridge" else None
        subnets = [subnet for name in parts.pools if (subnet := next(pools[name], None))]
        site = replace(placed, path=path, subnets=tuple(subnets), vni=vni or 0)
        if (problem := _missing(grow.base, site, parts.pools)) is not None:
            yield problem
        else:
            build(grow, site)


def _missing(base: Fabric, site: Site, pools: tuple[str, ...]) -> Problem | None:
    """Return a row's missing parts."""
    row = site.row
    if site.path is None and row.type != "Bridge":
        ends = " and ".join(site.leaves)
        return Problem(row.where, f"no spine has links with IPv4 addresses to {ends}", "a spine that joins them")
    if not site.vni:
        return Problem(row.type_at, f"the lab has every VNI that row {row.number} could have", "fewer in the lab")
    if row.type == "GRE" and (twin := _twin(base, site.over, row.number)):
        what = f"{twin} has the key {row.number} between the same ends already"
        return Problem(row.type_at, what, "the row at another place in the file: its number is its key")
    if len(site.subnets) < len(pools):
        return Problem(row.type_at, f"no subnet is left for a row of type {row.type}", "fewer such rows")
    return None


def _twin(base: Fabric, path: SpinePath, key: int) -> PortRef | None:
    """Return the lab's own tunnel that the kernel could not tell from a row's: it would answer EEXIST."""
    for near, far in ((path.source, path.target), (path.target, path.source)):
        lookup = Gre.lookup_of(near.leaf_address.ip, far.leaf_address.ip, key=key)
        if twin := base[near.leaf.node].tunnel_by_ends.get(lookup):
            return twin.ref
    return None
