"""Writes a fabric as a Graphviz graph (DOT): a row for each role, links with both ends, tunnels dashed. Pure.

The language: https://graphviz.org/doc/info/lang.html. Every name and label is written in quotes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from topology.model import Device, Fabric, Link, Node, Port
from topology.roles import role_of, row_of


def to_dot(fabric: Fabric) -> str:
    """The text of a ``.dot`` file."""
    title = f"{fabric.name}: {fabric.title}" if fabric.title else fabric.name
    lines = [
        f"graph {_quoted(fabric.name)} {{",
        f"  graph [label={_quoted(title)}, labelloc=t, fontname=Helvetica, ranksep=1.4, nodesep=0.7];",
        '  node [shape=box, style="rounded,filled", fontname=Helvetica, fontsize=11];',
        "  edge [fontname=Helvetica, fontsize=8];",
        *_rows(fabric),
        *(_link(fabric, link) for link in fabric.links),
        *_tunnels(fabric),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _quoted(*lines: str, indent: str = "", end: str = "\\n") -> str:
    """A quoted string; its parts stand on lines of their own, centred, or where ``end`` is ``\\l`` from the left."""
    escaped = (line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") for line in lines)
    text = end.join(indent + line for line in escaped)
    return f'"{text}{end if indent else ""}"'


def _rows(fabric: Fabric) -> Iterator[str]:
    """The nodes of each role on one row, and rows without a link between them still above one another."""
    rows: list[Sequence[Node]] = []
    for role in sorted({node.role for node in fabric.nodes}, key=lambda role: (row_of(role), role)):
        nodes = fabric.role(role)
        rows.append(nodes)
        yield "  { rank=same;"
        for node in nodes:
            colour = role_of(role, node.forwards).colour
            yield f'    {_quoted(node.name)} [label={_label(node)}, fillcolor="{colour}"];'
        yield "  }"
    for upper, lower in pairwise(rows):
        yield f"  {_quoted(upper[0].name)} -- {_quoted(lower[0].name)} [style=invis];"


def _label(node: Node) -> str:
    """A node's name, and the devices that stand at no link's end."""
    others = [device for device in node.devices if not isinstance(device, Port)]
    return _quoted(node.name, *map(_end, others))


def _link(fabric: Fabric, link: Link) -> str:
    upper, lower = sorted(link.ends, key=lambda end: row_of(fabric[end.node].role))
    texts = (_end(fabric[end.node][end.interface]) for end in (upper, lower))
    label = _quoted(*texts, indent="  ", end="\\l")
    return f"  {_quoted(upper.node)} -- {_quoted(lower.node)} [label={label}];"


def _end(device: Device) -> str:
    return " ".join([device.name, *map(str, device.addresses)])


def _tunnels(fabric: Fabric) -> Iterator[str]:
    """Each tunnel once, between the nodes of its two devices."""
    strands = [(tunnel, remote) for tunnel in fabric.tunnels for remote in tunnel.remotes]
    ends = {(tunnel.local, remote, tunnel.title): tunnel for tunnel, remote in strands}
    for tunnel, remote in strands:
        peer = ends.get((remote, tunnel.local, tunnel.title))
        if peer is not None and tunnel.ref < peer.ref:
            colour = tunnel.colour
            label = _quoted(tunnel.title, f"{tunnel.local} to {peer.local}")
            style = f'style=dashed, constraint=false, color="{colour}", fontcolor="{colour}"'
            yield f"  {_quoted(tunnel.node)} -- {_quoted(peer.node)} [label={label}, {style}];"
