"""A map as lines of text, and as a graph for Graphviz (https://graphviz.org/doc/info/lang.html). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter

from reports.judge.map import FabricMap
from reports.words import counted, grouped


def map_lines(drawn: FabricMap) -> Iterator[str]:
    """The links that carried probes, the probes' paths, and what the map omits."""
    yield f"map of {drawn.name}: {counted(len(drawn.nodes), 'node')}, {counted(len(drawn.links), 'link')} seen"
    yield f"{counted(len(drawn.paths), 'probe')}, {len(drawn.found)} of them arrived"
    width = max((len(str(crossing.out)) for crossing in drawn.crossings), default=0)
    for crossing, stacks in drawn.crossings.items():
        often = ", ".join(f"{stack} ({count})" for stack, count in stacks.items())
        yield f"  {crossing.out!s:<{width}} -> {crossing.into}  {often}"
    yield "ways"
    for path in drawn.found:
        yield f"  {path.source} -> {path.target}  {path.outcome}  {' '.join(path.nodes)}"
    lost = grouped((path for path in drawn.paths if path not in drawn.found), attrgetter("source", "outcome"))
    for (source, outcome), paths in lost.items():
        yield f"  {source} -> {', '.join(path.target for path in paths)}  {outcome}"
    for words, names in (("never reached", drawn.unreached), ("nothing seen at", drawn.unseen)):
        if names:
            yield f"{words}: {', '.join(names)}"
    for words in drawn.left_out:
        yield f"left out: {words}"


def map_dot(drawn: FabricMap) -> str:
    """The nodes, and an arrow for each direction of a link; nodes that were never reached are dashed."""
    lines = [f"digraph {_quoted(drawn.name)} {{", "  node [shape=box];"]
    for node in drawn.nodes:
        lost = " [style=dashed]" if node in drawn.unreached or node in drawn.unseen else ""
        lines.append(f"  {_quoted(node)}{lost};")
    for crossing, stacks in drawn.crossings.items():
        labels = {"taillabel": crossing.out.interface, "headlabel": crossing.into.interface, "label": "\n".join(stacks)}
        words = ", ".join(f"{name}={_quoted(text)}" for name, text in labels.items())
        lines.append(f"  {_quoted(crossing.out.node)} -> {_quoted(crossing.into.node)} [{words}];")
    return "\n".join([*lines, "}", ""])


def _quoted(text: str) -> str:
    """A string of the language: quotes and backslashes escaped, a new line as the two characters that mean it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
