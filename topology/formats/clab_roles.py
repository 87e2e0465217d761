"""The role of each node of a containerlab file: said by a label or a group, else derived from what the node does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from topology.formats.clab_file import LEVEL, ROLE, Declared
from topology.formats.clab_findings import Findings
from topology.formats.clab_forwarding import NextHops, check, forwards, note_inherited
from topology.formats.clab_machine import Machine
from topology.formats.yaml_positions import Items, Scalar, Table

GROUPS: Mapping[str, str] = {
    **dict.fromkeys(("leaf", "leafs", "leaves", "tor"), "leaf"),
    **dict.fromkeys(("spine", "spines", "superspine", "superspines"), "spine"),
    **dict.fromkeys(("switch", "switches", "bridge", "bridges"), "switch"),
    **dict.fromkeys(("customer", "customers", "client", "clients", "host", "hosts", "server", "servers"), "customer"),
}
"""What the names of groups mean; others say nothing about a role."""
ROUTERS = ("leaf", "spine")
"""The roles that forward IP packets."""


def roles(
    nodes: Sequence[Declared], machines: Mapping[str, Machine], links: Items, findings: Findings
) -> dict[str, Scalar]:
    """Every node's role, at the place that says it; a derived one at the node's name, and noted."""
    next_hops = NextHops(machines)
    found = {node.name: said for node in nodes if (said := _said(node)) is not None}
    for node in nodes:
        is_end = node.name in found and found[node.name].text not in ROUTERS
        if is_end and node.value("labels", ROLE) is None and _inherits(machines[node.name], next_hops):
            del found[node.name]
    routers = {
        name
        for name, machine in machines.items()
        if (found[name].text in ROUTERS if name in found else forwards(machine, next_hops))
    }
    edge = _beside_others(routers, links)
    levels = {node.name: level.text for node in nodes if (level := node.value("labels", LEVEL)) is not None}
    rows = sorted({levels[name] for name in routers if name in levels}, key=lambda row: (len(row), row))
    top = rows[0] if len(rows) > 1 else ""
    derived: dict[str, list[str]] = {}
    for node in nodes:
        if node.name not in found:
            role = _derived(
                machines[node.name], node.name in routers, node.name in edge, levels.get(node.name, ""), top
            )
            found[node.name] = Scalar(node.where, role)
            derived.setdefault(role, []).append(node.name)
    if derived:
        where = min(found[name].where for names in derived.values() for name in names)
        what = "; ".join(f"{role} {_some(names)}" for role, names in derived.items())
        findings.note(
            where, f"no label {ROLE} and no group says it, so these are roles derived: {what}", "see docs/formats.md"
        )
    for name, machine in machines.items():
        _agree(machine, found[name].text in ROUTERS, found[name].text, findings)
        check(machine, next_hops, name in routers, findings)
    inherited = [m for name, m in machines.items() if name in routers and 4 in next_hops.versions(name)]
    note_inherited(inherited, findings)
    return found


def _inherits(machine: Machine, next_hops: NextHops) -> bool:
    """Return whether a node forwards by docker's default alone."""
    return not machine.forwarding and forwards(machine, next_hops)


def _said(node: Declared) -> Scalar | None:
    if (label := node.value("labels", ROLE)) is not None:
        return label
    group = node.value("group")
    role = GROUPS.get(group.text.lower()) if group is not None else None
    return Scalar(group.where, role) if group is not None and role else None


def _beside_others(routers: set[str], links: Items) -> set[str]:
    """The routers that are linked to something that is none."""
    found: set[str] = set()
    for link in links.items:
        ends = link.entries.get("endpoints") if isinstance(link, Table) else None
        items = ends[1].items if ends is not None and isinstance(ends[1], Items) else []
        names = {end.text.partition(":")[0] for end in items if isinstance(end, Scalar)}
        if names - routers:
            found |= names & routers
    return found


def _derived(machine: Machine, routes: bool, is_edge: bool, level: str, top: str) -> str:
    """A node's role by what it does; where routers have levels of their own, ``top`` is that of the spines."""
    kinds = {made.kind for made in machine.made.values() if made.kind != "bridges" or made.members}
    if not routes:
        return "switch" if "bridges" in kinds else "customer"
    if top and level:
        return "spine" if level == top else "leaf"
    return "leaf" if kinds & {"vxlan", "geneve", "gre"} or is_edge else "spine"


def _agree(machine: Machine, routes: bool, role: str, findings: Findings) -> None:
    """What the sysctls say and what a node of this role is set to are the same."""
    versions = {6 if ":" in text else 4 for texts in machine.addresses.values() for text in texts}
    for version, (on, where) in machine.forwarding.items():
        if on and not routes:
            findings.refuse(where, f"{machine.name} forwards, but its role is {role}", f"one of {', '.join(ROUTERS)}")
        elif routes and not on and version in versions:
            what = f"{machine.name} is a {role}, but does not forward IPv{version}"
            findings.refuse(where, what, "another role, or forwarding switched on")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
