"""The role of each node of a containerlab file, and how its routers choose among next hops.

A role is given by a label or a group, else derived from what the node does. Docker sets ``net.ipv4.ip_forward`` to 1 in
every container (libnetwork), so a node of which no line says otherwise forwards IPv4 where others route through it;
IPv6's ``forwarding`` starts with 0 in every network namespace (net/ipv6/addrconf.c).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import TypeAlias

from topology.errors import Position
from topology.formats.clab_exec import HASH_POLICY, LINKDOWN
from topology.formats.clab_file import FORWARDS, LEVEL, ROLE, Declared
from topology.formats.clab_node import PORT, ExecNode
from topology.formats.clab_shell import Findings
from topology.formats.lab_values import HASH_POLICIES
from topology.formats.yaml_positions import Items, Scalar, Table
from topology.links import TUNNELS
from topology.model import Address, Network
from topology.roles import ROLES, ROUTERS, role_of

GROUPS: Mapping[str, str] = {group: name for name, role in ROLES.items() for group in role.groups}
"""Roles by name of a group; other names say nothing about a role."""
INHERITED: Mapping[int, bool] = {4: True, 6: False}
"""A container's default for forwarding, by IP version."""
NextHops: TypeAlias = Mapping[str, Collection[int]]
"""By node the IP versions of which others route packets through it, for addresses that are not its own."""


def roles(
    nodes: Sequence[Declared], machines: Mapping[str, ExecNode], links: Items, findings: Findings
) -> dict[str, Mapping[str, Scalar]]:
    """Every node's role, at the place that gives it, with what a label says of forwarding; a derived one at the node's
    name, and noted."""
    next_hops = _next_hops(machines)
    found = {node.name: role for node in nodes if (role := _given(node)) is not None}
    said = {node.name: label for node in nodes if (label := node.value("labels", FORWARDS)) is not None}
    own = {name: label.text == "true" for name, label in said.items()}
    forward = {name: role_of(role.text, own.get(name, False)).forwards for name, role in found.items()}
    for node in nodes:
        inherits = not machines[node.name].forwarding and _forwards(machines[node.name], next_hops)
        if not forward.get(node.name, True) and not node.value("labels", ROLE) and inherits:
            del found[node.name], forward[node.name]
    routers = {name for name, machine in machines.items() if forward.get(name, _forwards(machine, next_hops))}
    _derive(nodes, machines, routers, _beside_others(routers, links), found, findings)
    for name, machine in machines.items():
        _agree(machine, found[name].text, name in routers, findings)
        if 6 in next_hops[name] and 6 not in machine.forwarding and name in routers:
            what = f"{name} is the next hop of IPv6 routes, and does not forward IPv6: a container starts without"
            findings.refuse(machine.where, what, "sysctl -w net.ipv6.conf.all.forwarding=1")
    silent = [m for name, m in machines.items() if name in routers and 4 in next_hops[name] and 4 not in m.forwarding]
    if silent:
        names = _some([machine.name for machine in silent])
        what = f"no line sets net.ipv4.ip_forward at {names}, which others route through"
        findings.note(min(machine.where for machine in silent), what, "docker sets it to 1, so they forward IPv4")
    forwards = {name: {"forwards": Scalar(label.where, label.text, bare=True)} for name, label in said.items()}
    return {name: {"role": role, **forwards.get(name, {})} for name, role in found.items()}


def _given(node: Declared) -> Scalar | None:
    if (label := node.value("labels", ROLE)) is not None:
        return label
    group = node.value("group")
    role = GROUPS.get(group.text.lower()) if group is not None else None
    return Scalar(group.where, role) if group is not None and role else None


def _forwards(machine: ExecNode, next_hops: NextHops) -> bool:
    """Return whether a node is a router: its lines say so, or it inherits forwarding and others route through it."""
    said = {version: on for version, (on, _) in machine.forwarding.items()}
    return any(said.values()) or any(said.get(version, INHERITED[version]) for version in next_hops[machine.name])


def _next_hops(machines: Mapping[str, ExecNode]) -> NextHops:
    owners = {interface.ip: name for name, machine in machines.items() for interface in machine.interfaces}
    found: dict[str, set[int]] = {name: set() for name in machines}
    for machine in machines.values():
        near = [interface.network for interface in machine.interfaces if interface.network.prefixlen]
        for prefix, hops in _ways(machine, owners):
            for hop in hops - {machine.name}:
                beyond = (ip for ip, owner in owners.items() if owner not in (hop, machine.name))
                if any(_covers(prefix, ip) and not any(_covers(net, ip) for net in near) for ip in beyond):
                    found[hop].add(prefix.version)
    return found


def _ways(machine: ExecNode, owners: Mapping[Address, str]) -> Iterator[tuple[Network, set[str]]]:
    """Each route's prefix and the nodes it leads to; text that is no prefix is left to the lab's checks."""
    for route in machine.taken:
        texts = [machine.far_end(hop.get("dev", "")) or hop.get("via", "") for hop in route.ways]
        try:
            prefix = ip_network(route.network)
        except ValueError:
            continue
        yield prefix, {owner for text in texts if (owner := _owner(text, owners)) is not None}


def _owner(text: str, owners: Mapping[Address, str]) -> str | None:
    try:
        return owners.get(ip_address(text))
    except ValueError:
        return None


def _covers(prefix: Network, ip: Address) -> bool:
    return prefix.version == ip.version and ip in prefix


def _beside_others(routers: set[str], links: Items) -> set[str]:
    """The routers that are linked to something that is none."""
    found: set[str] = set()
    for link in links.items:
        ends = link.entries.get("endpoints") if isinstance(link, Table) else None
        items = ends[1].items if ends is not None and isinstance(ends[1], Items) else []
        names = {end.text.partition(":")[0] for end in items if isinstance(end, Scalar)}
        found |= names & routers if names - routers else set()
    return found


def _derive(
    nodes: Sequence[Declared],
    machines: Mapping[str, ExecNode],
    routers: set[str],
    edge: set[str],
    found: dict[str, Scalar],
    findings: Findings,
) -> None:
    """Derive the roles not given from the nodes' functions; of routers with levels the top ones are spines."""
    levels = {node.name: level.text for node in nodes if (level := node.value("labels", LEVEL)) is not None}
    rows = sorted({levels[name] for name in routers if name in levels}, key=lambda row: (len(row), row))
    derived: dict[str, list[str]] = {}
    for node in nodes:
        name = node.name
        if name in found:
            continue
        kinds = {d.kind for d in machines[name].devices.values() if d.kind != "bridges" or d.members} - {PORT}
        if name not in routers:
            role = "switch" if "bridges" in kinds else "customer"
        elif len(rows) > 1 and levels.get(name):
            role = "spine" if levels[name] == rows[0] else "leaf"
        else:
            role = "leaf" if kinds & {tunnel.section for tunnel in TUNNELS} or name in edge else "spine"
        found[name] = Scalar(node.where, role)
        derived.setdefault(role, []).append(name)
    if derived:
        where = min(found[name].where for names in derived.values() for name in names)
        what = "; ".join(f"{role} {_some(names)}" for role, names in derived.items())
        what = f"no label {ROLE} and no group says it, so these are roles derived: {what}"
        findings.note(where, what, "see docs/formats.md")


def _agree(machine: ExecNode, role: str, is_router: bool, findings: Findings) -> None:
    """Refuse sysctls that contradict the settings of a node of this role."""
    versions = {interface.version for interface in machine.interfaces}
    for version, (on, where) in machine.forwarding.items():
        if on and not is_router:
            findings.refuse(where, f"{machine.name} forwards, but its role is {role}", f"one of {', '.join(ROUTERS)}")
        elif is_router and not on and version in versions:
            what = f"{machine.name} is a {role}, but does not forward IPv{version}"
            findings.refuse(where, what, "another role, or forwarding switched on")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def routing_of(top: Table, machines: Sequence[ExecNode], findings: Findings) -> Table:
    """The section ``routing`` of the lab file: set once for the lab, by sysctls on nodes.

    Contradictions between nodes are refused.
    """
    names = {str(value): name for name, value in HASH_POLICIES.items()}
    policy, place = _one(HASH_POLICY, machines, findings)
    ignores, where = _one(LINKDOWN, machines, findings)
    entries = {
        "multipath-hash": Scalar(place, names[policy]),
        "ignore-routes-with-linkdown": Scalar(where, "true" if ignores == "1" else "false", bare=True),
    }
    return Table(top.where, {key: (part.where, part) for key, part in entries.items()})


def _one(keys: Sequence[str], machines: Sequence[ExecNode], findings: Findings) -> tuple[str, Position]:
    """The one value of all these keys, and its place; an IPv6 key that no node sets follows IPv4's."""
    first = _agreed(keys[0], machines, findings)
    for key in keys[1:]:
        other = _agreed(key, machines, findings)
        follows = key.startswith("net.ipv6.") and not any(key in machine.routing for machine in machines)
        if other[0] != first[0] and not follows:
            where = next(where for value, where in (other, first) if value != "0")
            findings.refuse(where, f"{keys[0]} and {key} differ", "one value for both")
    return first


def _agreed(key: str, machines: Sequence[ExecNode], findings: Findings) -> tuple[str, Position]:
    """The value that the nodes set a sysctl to; one without it has 0, which matters where it has several next hops."""
    chosen = next((m.routing[key] for m in machines if m.routing.get(key, "0")[0] != "0"), None)
    if chosen is None:
        return "0", Position()
    for machine in machines:
        value, where = machine.routing.get(key, ("0", machine.where))
        if value != chosen[0] and (key in machine.routing or any(len(route.hops) > 1 for route in machine.taken)):
            what = f"{key} is {value} at {machine.name}, and {chosen[0]} on line {chosen[1].line}"
            findings.refuse(where, what, "one value for every node")
    return chosen
