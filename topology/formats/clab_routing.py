"""How the nodes of a containerlab file choose among next hops: each says it by sysctls, a lab once for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from topology.errors import Position
from topology.formats.clab_findings import Findings
from topology.formats.clab_machine import Machine, number, said
from topology.formats.lab_values import HASH_POLICIES
from topology.formats.yaml_positions import Table, Tree

Said: TypeAlias = tuple[str, Position]
"""A sysctl's value, and the place that says it."""
HASH_POLICY = tuple(f"net.ipv{version}.fib_multipath_hash_policy" for version in (4, 6))
LINKDOWN = tuple(f"net.ipv{v}.conf.{name}.ignore_routes_with_linkdown" for v in (4, 6) for name in ("all", "default"))
POLICIES = {str(value): name for name, value in HASH_POLICIES.items()}


def routing_of(top: Table, machines: Sequence[Machine], findings: Findings) -> Table:
    """The section ``routing`` of the lab file; what the nodes do not agree on is refused."""
    policy, ignores = (_one(keys, machines, findings) for keys in (HASH_POLICY, LINKDOWN))
    parts: Mapping[str, Tree] = {
        "multipath-hash": said(policy[1], POLICIES[policy[0]]),
        "ignore-routes-with-linkdown": number(ignores[1], "true" if ignores[0] == "1" else "false"),
    }
    return Table(top.where, {key: (part.where, part) for key, part in parts.items()})


def _one(keys: Sequence[str], machines: Sequence[Machine], findings: Findings) -> Said:
    """The one value of all these keys; an IPv6 key that no node sets follows IPv4's."""
    first = _agreed(keys[0], machines, findings)
    for key in keys[1:]:
        other = _agreed(key, machines, findings)
        follows = key.startswith("net.ipv6.") and not any(key in machine.routing for machine in machines)
        if other[0] != first[0] and not follows:
            where = next(where for value, where in (other, first) if value != "0")
            findings.refuse(where, f"{keys[0]} and {key} differ", "one value for both")
    return first


def _agreed(key: str, machines: Sequence[Machine], findings: Findings) -> Said:
    """What the nodes set a sysctl to; one that says nothing has 0, which matters where it has several next hops."""
    found = {machine.name: machine.routing[key] for machine in machines if key in machine.routing}
    chosen = next((one for one in found.values() if one[0] != "0"), None)
    if chosen is None:
        return "0", Position()
    for machine in machines:
        value, where = found.get(machine.name, ("0", machine.where))
        if value != chosen[0] and (machine.name in found or _has_a_choice(machine)):
            what = f"{key} is {value} at {machine.name}, and {chosen[0]} on line {chosen[1].line}"
            findings.refuse(where, what, "one value for every node")
    return chosen


def _has_a_choice(machine: Machine) -> bool:
    return any(" nexthop " in route.text for routes in machine.routes.values() for route in routes)
