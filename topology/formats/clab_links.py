"""The links of a containerlab file, and the promises of its ``hopcheck.*`` labels, as the lab file writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from topology.errors import Position
from topology.formats.clab_file import END, FAILOVER, ISOLATION, LINK, PAIRS, SPREADS, TITLE, Declared, Reader
from topology.formats.clab_node import MANAGEMENT, ExecNode
from topology.formats.lab_values import shown
from topology.formats.yaml_positions import Items, Scalar, Table, Tree

DEFAULT_MTU = "9500"
"""containerlab's MTU of a link for which the file has none (links/link.go, DefaultLinkMTU)."""
OUTSIDE = ("host", "mgmt-net", "macvlan", "vxlan", "vxlan-stitch")
"""Types of links that leave the fabric."""
_RIGHT = "links between two nodes of the file: hopcheck's fabrics are closed"


class Endpoint(NamedTuple):
    """One end of a link as ``node:interface``, its place, and its MAC where one is given."""

    where: Position
    text: str
    mac: Scalar | None = None

    @property
    def node(self) -> str:
        """The node's name."""
        return self.text.partition(":")[0]

    @property
    def interface(self) -> str:
        """The interface's name."""
        return self.text.partition(":")[2]


def links_of(topology: Table, nodes: Mapping[str, ExecNode], reader: Reader) -> Items:
    """The links; every end becomes a port of its node."""
    found = Items(topology.where)
    for tree in reader.items(topology, "links"):
        table = reader.table(tree, tree.where)
        reader.check_keys(table, LINK, "a link")
        link = _link(table, nodes, reader)
        if link is not None:
            found.items.append(link)
    return found


def _link(table: Table, nodes: Mapping[str, ExecNode], reader: Reader) -> Table | None:
    _, tree = table.entries.get("type", (table.where, None))
    type_ = tree.text.lower() if isinstance(tree, Scalar) else "veth"
    ends = list(_ends(table, reader))
    if type_ in OUTSIDE or any(end.node in OUTSIDE for end in ends if end.node not in nodes):
        reader.findings.refuse(table.where, "a link leaves the fabric", _RIGHT, "links")
    elif type_ == "dummy":
        _dummy(ends, nodes, reader)
    elif type_ not in ("veth", "brief"):
        where = tree.where if tree is not None else table.where
        reader.findings.refuse(where, f"a link of the type {shown(type_)}", "type: veth", "links")
    else:
        return _veth(table, ends, nodes, reader)
    return None


def _ends(table: Table, reader: Reader) -> Iterator[Endpoint]:
    trees = reader.items(table, "endpoints")
    if "endpoint" in table.entries:
        trees = [*trees, table.entries["endpoint"][1]]
    for tree in trees:
        if isinstance(tree, Table):
            reader.check_keys(tree, END, "a link's end")
            texts = {key: part for key, (_, part) in tree.entries.items() if isinstance(part, Scalar)}
            node, interface = (texts[key].text if key in texts else "" for key in ("node", "interface"))
            yield Endpoint(tree.where, f"{node}:{interface}", texts.get("mac"))
        elif (text := reader.text(tree)) is not None:
            yield Endpoint(tree.where, text)


def _veth(table: Table, ends: list[Endpoint], nodes: Mapping[str, ExecNode], reader: Reader) -> Table:
    for end in ends:
        node = nodes.get(end.node)
        if node is None or not end.interface:
            continue
        if end.interface == MANAGEMENT and node.is_managed:
            what = f"{end.text} is the interface by which containerlab manages the node"
            reader.findings.refuse(end.where, what, "another interface, or network-mode: none", "links")
        port = node.device(end.interface)
        port.where = port.where or end.where
        port.mac = end.mac or port.mac
    texts: list[Tree] = [Scalar(end.where, end.text) for end in ends]
    link = Table(table.where, {"mtu": table.entries.get("mtu", (table.where, Scalar(table.where, DEFAULT_MTU, True)))})
    if "endpoints" in table.entries:
        place, tree = table.entries["endpoints"]
        link.entries["endpoints"] = (place, Items(tree.where, texts))
    return link


def _dummy(ends: list[Endpoint], nodes: Mapping[str, ExecNode], reader: Reader) -> None:
    for end in ends:
        if (node := nodes.get(end.node)) is not None and end.interface:
            with reader.findings.collected("links"):
                node.make(end.interface, "bridges", end.where).down = None
            what = "a dummy device is no kind of hopcheck's"
            reader.findings.note(end.where, what, "it becomes a bridge without members")


def promises(label: str, topology: Table, nodes: Sequence[Declared], reader: Reader) -> Items:
    """The pairs or spreads that labels declare: in the defaults of any two nodes, in a node of itself and another."""
    section, found = label.removeprefix("hopcheck."), Items(topology.where)
    form = "KIND [customers=SIZE] [above=FATE+FATE]" if label == PAIRS else "OVER [survives]"
    for source, table in (("", reader.part(topology, "defaults")), *((node.name, node.layers[-1]) for node in nodes)):
        labels = reader.part(table, "labels")
        if label not in labels.entries:
            continue
        tree = labels.entries[label][1]
        for words in filter(None, (part.split() for part in re.split(r"[,;\n]", reader.text(tree) or ""))):
            entries = _promise(label, [source, *words] if source else words, tree.where)
            if entries is not None:
                found.items.append(Table(tree.where, {key: (tree.where, value) for key, value in entries.items()}))
                continue
            what = f"{shown(' '.join(words))} in {label} is not a {section[:-1]}"
            right = f"TARGET {form}" if source else f"SOURCE TARGET {form}"
            reader.findings.refuse(tree.where, what, right, section)
    return found


def _promise(label: str, words: Sequence[str], where: Position) -> dict[str, Tree] | None:
    """One promise in the lab file's words; None where the words are none."""
    if len(words) < 3:
        return None
    keys = ("source", "target", "kind" if label == PAIRS else "over")
    found: dict[str, Tree] = {key: Scalar(where, word) for key, word in zip(keys, words, strict=False)}
    sizes: dict[str, tuple[Position, Tree]] = {}
    for word in words[3:]:
        key, _, value = word.partition("=")
        if label == SPREADS and words[3:] == ["survives"]:
            found["survives"] = Scalar(where, "true", bare=True)
        elif label == PAIRS and key == "customers":
            sizes[key] = (where, Scalar(where, value, bare=True))
        elif label == PAIRS and key in ("via", "vni", "key"):
            found[key] = Scalar(where, value, bare=True)
        elif label == PAIRS and key == "above":
            sizes[key] = (where, Items(where, [Scalar(where, fate) for fate in value.split("+")]))
        else:
            return None
    return {**found, "mtu": Table(where, sizes)} if sizes else found


def isolation_of(topology: Table, reader: Reader) -> Table:
    """The section ``isolation``, from the label of the defaults."""
    labels = reader.part(reader.part(topology, "defaults"), "labels")
    if ISOLATION not in labels.entries:
        return Table(labels.where)
    tree = labels.entries[ISOLATION][1]
    found = Table(tree.where)
    for word in filter(None, re.split(r"[\s,;]+", reader.text(tree) or "")):
        key, equals, treatment = word.partition("=")
        if equals:
            found.entries[key] = (tree.where, Scalar(tree.where, treatment))
        else:
            what = f"{shown(word)} in {ISOLATION} is not a setting"
            reader.findings.refuse(tree.where, what, "KEY=accepted", "isolation")
    return found


def failover_of(topology: Table, reader: Reader) -> Items:
    """The section ``failover``, from the label of the defaults: an event a line, each bound as KEY=VALUE."""
    labels = reader.part(reader.part(topology, "defaults"), "labels")
    found = Items(labels.where)
    where, tree = labels.entries.get(FAILOVER, (labels.where, None))
    text = reader.text(tree) or "" if tree is not None else ""
    for event, *bounds in filter(None, (part.split() for part in re.split(r"[,;\n]", text))):
        entry = Table(where, {"event": (where, Scalar(where, event))})
        for word in bounds:
            key, _, value = word.partition("=")
            entry.entries[key] = (where, Scalar(where, value, bare=key != "without-service"))
        found.items.append(entry)
    return found


def title_of(topology: Table, reader: Reader) -> Scalar | None:
    """The title that the labels of the defaults give."""
    labels = reader.part(reader.part(topology, "defaults"), "labels")
    _, tree = labels.entries.get(TITLE, (labels.where, None))
    return Scalar(tree.where, tree.text) if isinstance(tree, Scalar) else None
