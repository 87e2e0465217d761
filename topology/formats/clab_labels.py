"""What a containerlab file says to hopcheck alone: labels with the lab's title and its pairs (docs/formats.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from topology.formats.clab_file import PAIRS, TITLE, Declared, Reader
from topology.formats.clab_machine import said
from topology.formats.lab_values import shown
from topology.formats.yaml_positions import Items, Scalar, Table, Tree


def pairs_of(topology: Table, nodes: Sequence[Declared], reader: Reader) -> Items:
    """The pairs that labels declare, as the lab file would write them."""
    found = Items(topology.where)
    for source, table in (("", reader.part(topology, "defaults")), *((node.name, node.layers[-1]) for node in nodes)):
        labels = reader.part(table, "labels")
        if PAIRS in labels.entries:
            found.items.extend(_pairs(labels.entries[PAIRS][1], source, reader))
    return found


def _pairs(tree: Tree, source: str, reader: Reader) -> Iterator[Table]:
    text = reader.text(tree) or ""
    for words in filter(None, (part.split() for part in re.split(r"[,;\n]", text))):
        whole = [source, *words] if source else words
        if len(whole) != 3:
            what = f"{shown(' '.join(words))} in {PAIRS} is not a pair"
            reader.findings.refuse(tree.where, what, "TARGET KIND" if source else "SOURCE TARGET KIND", "pairs")
            continue
        named = zip(("source", "target", "kind"), whole, strict=True)
        yield Table(tree.where, {key: (tree.where, said(tree.where, word)) for key, word in named})


def title_of(topology: Table, reader: Reader) -> Scalar | None:
    """The title that the defaults' labels give."""
    labels = reader.part(reader.part(topology, "defaults"), "labels")
    _, tree = labels.entries.get(TITLE, (labels.where, None))
    return said(tree.where, tree.text) if isinstance(tree, Scalar) else None
