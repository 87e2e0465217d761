"""Reads a containerlab topology (``*.clab.yml``): kinds ``linux`` and ``bridge``, links, and exec lines.

The file is translated into the tree of a lab file whose parts keep their places in the containerlab file, so that it
passes the same schema and the same checks. What hopcheck leaves out is noted, what it cannot express is refused
(docs/formats.md lists both). Nothing in the file is ever run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from topology.errors import LabError
from topology.formats.clab_exec import carry_out, write
from topology.formats.clab_file import PAIRS, SPREADS, TOP, TOPOLOGY, Declared, Reader, declared
from topology.formats.clab_frr import frr_of
from topology.formats.clab_links import failover_of, isolation_of, links_of, promises, title_of
from topology.formats.clab_node import ExecNode
from topology.formats.clab_roles import roles, routing_of
from topology.formats.clab_shell import Findings
from topology.formats.lab import FabricCheck, fabric_of
from topology.formats.lab_checks import MAX_PROBLEMS
from topology.formats.lab_refusals import ALL
from topology.formats.lab_values import shown
from topology.formats.text_file import displayed, read_text, refuse_too_long
from topology.formats.yaml_positions import Scalar, Table, Tree, parse
from topology.model import Fabric

MAX_LINES = 50_000
"""Exec lines and sysctls of all nodes together, those of defaults, kinds and groups counted for every node."""
KINDS = ("linux", "bridge")


def load_clab(source: str | Path, *, extra_checks: Sequence[FabricCheck] = ()) -> Fabric:
    """The fabric that a containerlab file declares; its ``notes`` say what was left out, changed or derived.

    ``extra_checks`` as for a lab file. Raises LabError with every problem of the content, and Misuse for a file that
    cannot be read.
    """
    path = Path(source)
    return load_clab_text(read_text(path, "an existing file"), displayed(path), extra_checks=extra_checks)


def load_clab_text(text: str, file: str = "<lab>", *, extra_checks: Sequence[FabricCheck] = ()) -> Fabric:
    """The fabric that the text of a containerlab file declares; ``file`` is its name in messages."""
    refuse_too_long(len(text), file)
    tree, form = parse(text, file, "a containerlab topology, starting with 'name: NAME'")
    findings = Findings(dict.fromkeys(form), spoiled=set(ALL) if form else set())
    lab = _translated(tree, findings, file)
    if not isinstance(tree, Table):
        raise LabError(findings.problems)
    fabric = fabric_of(lab, file, list(findings.problems)[:MAX_PROBLEMS], findings.spoiled, extra_checks)
    return replace(fabric, notes=tuple(findings.notes))


def _translated(tree: Tree, findings: Findings, file: str) -> Table:
    """The containerlab file as a lab file."""
    reader = Reader(findings)
    top = reader.table(tree, tree.where)
    reader.check_keys(top, TOP)
    topology = reader.part(top, "topology")
    reader.check_keys(topology, TOPOLOGY)
    nodes = declared(topology, reader)
    machines = {node.name: _machine(node, findings) for node in nodes}
    links = links_of(topology, machines, reader)
    frr = _routers(nodes, machines, file)
    _configure(nodes, machines, reader)
    found = roles(nodes, machines, links, findings)
    trees = {node.name: (node.where, machines[node.name].tree(found[node.name])) for node in nodes}
    for routed, routing in frr.items():
        trees[routed][1].entries["frr"] = (routing.where, routing)
    where, name = top.entries.get("name", (top.where, None))
    if name is None or name.plain() is None:
        findings.refuse(where, "the file has no 'name'", "name: NAME")
        name = None
    parts: dict[str, Tree] = {
        "lab": name or Scalar(where, "lab"),
        "links": links,
        "pairs": promises(PAIRS, topology, nodes, reader),
        "spreads": promises(SPREADS, topology, nodes, reader),
        "failover": failover_of(topology, reader),
        "isolation": isolation_of(topology, reader),
        "routing": routing_of(topology, [machines[node.name] for node in nodes if _is_container(node)], findings),
    }
    if (title := title_of(topology, reader)) is not None:
        parts["title"] = title
    place = topology.entries["nodes"][0] if "nodes" in topology.entries else topology.where
    entries = {key: (part.where, part) for key, part in parts.items()}
    return Table(top.where, {**entries, "nodes": (place, Table(place, dict(trees)))})


def _machine(node: Declared, findings: Findings) -> ExecNode:
    """An empty node, of a kind and in a network that hopcheck can make."""
    kind, mode = node.value("kind"), node.value("network-mode")
    if kind is None:
        findings.refuse(node.where, f"{shown(node.name)} has no kind", f"kind: {' or '.join(KINDS)}")
    elif kind.text not in KINDS:
        right = f"one of: {', '.join(KINDS)}"
        findings.refuse(kind.where, f"the kind {shown(kind.text)} is unsupported", right, *ALL)
    words = mode.text.lower() if mode is not None else ""
    if mode is not None and words not in ("none", "bridge"):
        what = f"network-mode {shown(mode.text)} puts the node into another's network"
        findings.refuse(mode.where, what, "network-mode: none, or the key left out", *ALL)
    managed = words != "none" and _is_container(node)
    return ExecNode(node.name, node.where, findings, is_managed=managed, has_managed_default=managed)


def _routers(nodes: Sequence[Declared], machines: Mapping[str, ExecNode], file: str) -> Mapping[str, Table]:
    """The key ``frr`` of each node that has one; its FRR makes it forward."""
    found = {node.name: frr for node in nodes if (frr := frr_of(node, file)) is not None}
    for name, frr in found.items():
        machines[name].forwarding[4] = (True, frr.where)
    return found


def _is_container(node: Declared) -> bool:
    kind = node.value("kind")
    return kind is None or kind.text != "bridge"


def _configure(nodes: Sequence[Declared], machines: Mapping[str, ExecNode], reader: Reader) -> None:
    """Apply every node's sysctls and exec lines."""
    findings, count = reader.findings, 0
    for node in nodes:
        machine = machines[node.name]
        if not _is_container(node):
            _bridge(node, machine, reader)
            continue
        for key, tree in node.sysctls().items():
            with findings.collected():
                write(machine, key, reader.text(tree) or "", tree.where)
        for tree in node.exec_lines():
            count += 1
            if count > MAX_LINES:
                findings.refuse(tree.where, "too many exec lines", f"at most {MAX_LINES}, counted for every node", *ALL)
                return
            if (line := reader.text(tree)) is not None:
                carry_out(machine, line, tree.where)
        machine.finish()


def _bridge(node: Declared, machine: ExecNode, reader: Reader) -> None:
    """A node that is a bridge over all its ports and nothing else."""
    members = {name: Scalar(port.where, name) for name, port in machine.devices.items() if port.where is not None}
    with reader.findings.collected("links"):
        bridge = machine.make(node.name, "bridges", node.where)
        bridge.down, bridge.members = None, members
    for tree in reader.items(node.layers[-1], "exec"):
        what = "an exec line of a bridge is left out"
        machine.findings.note(tree.where, what, "containerlab runs none there either")
