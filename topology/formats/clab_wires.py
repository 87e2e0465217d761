"""The links of a containerlab file, short (``endpoints: ["a:eth1", "b:eth1"]``) and extended (``type: veth``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from topology.errors import Position
from topology.formats.clab_file import END, END_UNSEEN, LINK, LINK_UNSEEN, Reader
from topology.formats.clab_machine import MANAGEMENT, Machine, Made, said
from topology.formats.lab_values import shown
from topology.formats.yaml_positions import Items, Scalar, Table, Tree

DEFAULT_MTU = "9500"
"""What containerlab gives a link of which the file says no MTU (links/link.go, DefaultLinkMTU)."""
OUTSIDE = ("host", "mgmt-net", "macvlan", "vxlan", "vxlan-stitch")
"""Types of links that leave the fabric."""
_RIGHT = "links between two nodes of the file: hopcheck's fabrics are closed"


@dataclass(frozen=True)
class End:
    """One end of a link, where it is said, and its MAC where one is given."""

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


def wires(topology: Table, machines: Mapping[str, Machine], reader: Reader) -> Items:
    """The links as the lab file would write them; every end becomes a port of its machine."""
    found = Items(topology.where)
    for tree in reader.items(topology, "links"):
        table = reader.table(tree, tree.where)
        reader.insist(table, "a link", *LINK, *LINK_UNSEEN)
        link = _wire(table, machines, reader)
        if link is not None:
            found.items.append(link)
    return found


def _wire(table: Table, machines: Mapping[str, Machine], reader: Reader) -> Table | None:
    _, tree = table.entries.get("type", (table.where, None))
    type_ = tree.text.lower() if isinstance(tree, Scalar) else "veth"
    ends = list(_ends(table, reader))
    if type_ in OUTSIDE or any(end.node in OUTSIDE for end in ends if end.node not in machines):
        reader.findings.refuse(table.where, "a link leaves the fabric", _RIGHT, "links")
    elif type_ == "dummy":
        _dummy(ends, machines, reader)
    elif type_ not in ("veth", "brief"):
        where = tree.where if tree is not None else table.where
        reader.findings.refuse(where, f"a link of the type {shown(type_)}", "type: veth", "links")
    else:
        return _veth(table, ends, machines, reader)
    return None


def _ends(table: Table, reader: Reader) -> Iterator[End]:
    trees = reader.items(table, "endpoints")
    if "endpoint" in table.entries:
        trees = [*trees, table.entries["endpoint"][1]]
    for tree in trees:
        if isinstance(tree, Table):
            yield _long_end(tree, reader)
        elif (text := reader.text(tree)) is not None:
            yield End(tree.where, text)


def _long_end(table: Table, reader: Reader) -> End:
    reader.insist(table, "a link's end", *END, *END_UNSEEN)
    texts = {key: tree for key, (_, tree) in table.entries.items() if isinstance(tree, Scalar)}
    node, interface = (texts[key].text if key in texts else "" for key in ("node", "interface"))
    return End(table.where, f"{node}:{interface}", texts.get("mac"))


def _veth(table: Table, ends: list[End], machines: Mapping[str, Machine], reader: Reader) -> Table:
    for end in ends:
        machine = machines.get(end.node)
        if machine is None or not end.interface:
            continue
        if end.interface == MANAGEMENT and machine.is_managed:
            what = f"{end.text} is the interface by which containerlab manages the node"
            reader.findings.refuse(end.where, what, "another interface, or network-mode: none", "links")
        machine.ports.setdefault(end.interface, end.where)
        if end.mac is not None:
            machine.mac[end.interface] = end.mac
    texts: list[Tree] = [said(end.where, end.text) for end in ends]
    place, mtu = table.entries.get("mtu", (table.where, Scalar(table.where, DEFAULT_MTU, bare=True)))
    link = Table(table.where, {"mtu": (place, mtu)})
    if "endpoints" in table.entries:
        place, tree = table.entries["endpoints"]
        link.entries["endpoints"] = (place, Items(tree.where, texts))
    return link


def _dummy(ends: list[End], machines: Mapping[str, Machine], reader: Reader) -> None:
    for end in ends:
        if (machine := machines.get(end.node)) is not None and end.interface:
            with reader.findings.collected("links"):
                machine.make(end.interface, Made("bridges", end.where))
                machine.down.pop(end.interface)
            what = "a dummy device is no kind of hopcheck's"
            reader.findings.note(end.where, what, "a bridge without members stands for it")
