"""What a containerlab file says to hopcheck alone: labels with its title and promises (docs/formats.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from topology.errors import Position
from topology.formats.clab_file import ISOLATION, PAIRS, SPREADS, TITLE, Declared, Reader
from topology.formats.clab_machine import number, said
from topology.formats.lab_values import shown
from topology.formats.yaml_positions import Items, Scalar, Table, Tree


def pairs_of(topology: Table, nodes: Sequence[Declared], reader: Reader) -> Items:
    """The pairs that labels declare, as the lab file would write them."""
    return Items(
        topology.where, list(_promises(PAIRS, "KIND [customers=SIZE] [above=FATE+FATE]", topology, nodes, reader))
    )


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


def isolation_of(topology: Table, reader: Reader) -> Table:
    """What the defaults' label says of isolation, as the lab file would write it."""
    labels = reader.part(reader.part(topology, "defaults"), "labels")
    if ISOLATION not in labels.entries:
        return Table(labels.where)
    tree = labels.entries[ISOLATION][1]
    found = Table(tree.where)
    for word in filter(None, re.split(r"[\s,;]+", reader.text(tree) or "")):
        key, equals, treatment = word.partition("=")
        if equals:
            found.entries[key] = (tree.where, said(tree.where, treatment))
        else:
            what = f"{shown(word)} in {ISOLATION} is not a setting"
            reader.findings.refuse(tree.where, what, "KEY=accepted", "isolation")
    return found


def _entries(label: str, words: Sequence[str], where: Position) -> dict[str, Tree] | None:
    """One promise in the lab file's words; None where the words are none."""
    keys = ("source", "target", "kind" if label == PAIRS else "over")
    found: dict[str, Tree] = {key: said(where, word) for key, word in zip(keys, words, strict=False)}
    more = _sizes(words[3:], where) if label == PAIRS else _survival(words[3:], where)
    return None if more is None or len(words) < 3 else {**found, **more}


def _survival(words: Sequence[str], where: Position) -> dict[str, Tree] | None:
    if words in ([], ["survives"]):
        return {"survives": number(where, "true")} if words else {}
    return None


def _sizes(words: Sequence[str], where: Position) -> dict[str, Tree] | None:
    """What a pair's label says of the sizes of packets: ``customers=1476 above=icmp+silence``."""
    entries: dict[str, tuple[Position, Tree]] = {}
    for word in words:
        key, _, value = word.partition("=")
        if key == "customers":
            entries[key] = (where, number(where, value))
        elif key == "above":
            entries[key] = (where, Items(where, [said(where, fate) for fate in value.split("+")]))
        else:
            return None
    return {"mtu": Table(where, entries)} if entries else {}


def title_of(topology: Table, reader: Reader) -> Scalar | None:
    """The title that the defaults' labels give."""
    labels = reader.part(reader.part(topology, "defaults"), "labels")
    _, tree = labels.entries.get(TITLE, (labels.where, None))
    return said(tree.where, tree.text) if isinstance(tree, Scalar) else None
