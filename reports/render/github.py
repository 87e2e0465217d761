"""The step summary of a job on GitHub: the outcome, each cause, and the fabric as a Mermaid graph. Pure.

A name from outside stands in code spans and in quoted labels only, where neither Markdown nor Mermaid reads it.
"""

from __future__ import annotations

from collections.abc import Iterator

from reports.record.model import Map, Record, is_good
from reports.render.groups import of_network
from reports.render.summary import CAUSES_MAX, outcome
from reports.words import counted, plain

EDGES_MAX = 400
"""Links of a fabric that is drawn: GitHub's Mermaid draws at most 500, and nobody reads as many."""
NAME_MAX = 60
"""Characters of a node's name in the graph."""
TEXT_MAX = 2_000
"""Characters of a cause, a command or a name: GitHub refuses more than 1 MiB for a step."""
ENTITIES = {one: f"#{ord(one)};" for one in "&<>\"'`#;|[]{}()\\%"}
"""Characters that mean something to Mermaid or to HTML, as Mermaid writes them."""


def step_summary(record: Record) -> str:
    """The summary of a run as GitHub's Markdown."""
    return "\n".join(_lines(record)) + "\n"


def _lines(record: Record) -> Iterator[str]:
    yield f"## {'✅' if is_good(record) else '❌'} {_code(outcome(record.tests, record.complete))}"
    if record.lab:
        yield f"\nLab {_code(record.lab.name)}, kernel {_code(str(record.kernel or 'none'))}"
    groups = of_network(record.tests)
    for group in groups[:CAUSES_MAX]:
        yield f"\n- **{_code(group.why)}** {group.counts}"
        for word, command in group.commands.items():
            yield f"  - {word}: {_code(command)}"
    if len(groups) > CAUSES_MAX:
        yield f"\n… and {counted(len(groups) - CAUSES_MAX, 'more cause')}"
    if record.map and len(record.map.links) <= EDGES_MAX:
        blamed = {cause.node for group in groups for cause in group.causes}
        yield from ("", "```mermaid", *mermaid(record.map, blamed), "```")


def mermaid(fabric: Map, blamed: set[str]) -> Iterator[str]:
    """The nodes and links of a fabric, spines above; nodes that a cause names are marked."""
    order = {place.name: number for number, place in enumerate(fabric.nodes)}
    ids = {name: f"n{number}" for name, number in order.items()}
    yield "flowchart TB"
    yield "  classDef blamed fill:#d55e00,color:#fff,stroke:#000"
    for place in fabric.nodes:
        mark = ":::blamed" if place.name in blamed else ""
        yield f'  {ids[place.name]}["{_label(place.name)}"]{mark}'
    for near, far in fabric.links:
        if near in ids and far in ids:
            upper, lower = sorted((near, far), key=order.__getitem__)
            yield f"  {ids[upper]} --- {ids[lower]}"


def _label(name: str) -> str:
    return "".join(ENTITIES.get(one, one) for one in plain(name[:NAME_MAX])[:NAME_MAX])


def _code(text: str) -> str:
    """A code span, delimited by more backticks than stand in it."""
    shown = plain(text[:TEXT_MAX])[:TEXT_MAX]
    runs = "".join(one if one == "`" else " " for one in shown).split()
    fence = "`" * (max(map(len, runs), default=0) + 1)
    return f"{fence} {shown} {fence}" if runs else f"{fence}{shown}{fence}"
