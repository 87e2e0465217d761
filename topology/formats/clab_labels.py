"""What a containerlab file says to hopcheck alone: labels with its title, pairs and spreads (docs/formats.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from topology.errors import Position
from topology.formats.clab_file import PAIRS, SPREADS, TITLE, Declared, Reader
from topology.formats.clab_machine import number, said
from topology.formats.lab_values import shown
from topology.formats.yaml_positions import Items, Scalar, Table


def pairs_of(topology: Table, nodes: Sequence[Declared], reader: Reader) -> Items:
    """The pairs that labels declare, as the lab file would write them."""
    return Items(topology.where, list(_promises(PAIRS, "KIND", topology, nodes, reader)))


def spreads_of(topology: Table, nodes: Sequence[Declared], reader: Reader) -> Items:
    """The spreads that labels declare, as the lab file would write them."""
    return Items(topology.where, list(_promises(SPREADS, "OVER [survives]", topology, nodes, reader)))


def _promises(label: str, form: str, topology: Table, nodes: Sequence[Declared], reader: Reader) -> Iterator[Table]:
    """What a label says of pairs of nodes: with the defaults of any two, with a node of itself and another."""
    for source, table in (("", reader.part(topology, "defaults")), *((node.name, node.layers[-1]) for node in nodes)):
        labels = reader.part(table, "labels")
        if label not in labels.entries:
            continue
        tree = labels.entries[label][1]
        for words in filter(None, (part.split() for part in re.split(r"[,;\n]", reader.text(tree) or ""))):
            entries = _entries(label, [source, *words] if source else words, tree.where)
            if entries is not None:
                yield Table(tree.where, {key: (tree.where, value) for key, value in entries.items()})
                continue
            what = f"{shown(' '.join(words))} in {label} is not a {label.removeprefix('hopcheck.')[:-1]}"
            right = f"TARGET {form}" if source else f"SOURCE TARGET {form}"
            reader.findings.refuse(tree.where, what, right, label.removeprefix("hopcheck."))


def _entries(label: str, words: Sequence[str], where: Position) -> dict[str, Scalar] | None:
    """One promise in the lab file's words; None where the words are none."""
    survives = label == SPREADS and words[3:] == ["survives"]
    if len(words) != 3 and not survives:
        return None
    keys = ("source", "target", "kind" if label == PAIRS else "over")
    found = {key: said(where, word) for key, word in zip(keys, words, strict=False)}
    return {**found, "survives": number(where, "true")} if survives else found


def title_of(topology: Table, reader: Reader) -> Scalar | None:
    """The title that the defaults' labels give."""
    labels = reader.part(reader.part(topology, "defaults"), "labels")
    _, tree = labels.entries.get(TITLE, (labels.where, None))
    return said(tree.where, tree.text) if isinstance(tree, Scalar) else None
