"""The fabric that a lab file declares, sound or not, and the places of its parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import IPv4Address, IPv6Address

from topology.errors import Position
from topology.formats.lab_intent import promises_of
from topology.formats.lab_schema import LabSpec, NodeSpec, VxlanSpec
from topology.formats.yaml_positions import Step, Tree, locate
from topology.model import (
    AGEING,
    LOOPBACK,
    Address,
    Bridge,
    Device,
    Fabric,
    Geneve,
    Gre,
    Isolation,
    Link,
    Loopback,
    Node,
    Port,
    Routing,
    Subinterface,
    Vxlan,
    stable_mac,
)
from topology.promises import Share, Spread

SECTIONS: Mapping[type[Device], str] = {
    Subinterface: "vlan",
    Bridge: "bridges",
    Vxlan: "vxlan",
    Geneve: "geneve",
    Gre: "gre",
}
"""The section of a node that declares devices of a class."""
ANY_ADDRESS: Mapping[int, Address] = {4: IPv4Address(0), 6: IPv6Address(0)}
"""Stands for a source that is not known, by IP version."""


@dataclass(frozen=True)
class Draft:
    """The input of the checks: the file's parts, their places, and the fabric built from them."""

    spec: LabSpec
    tree: Tree
    fabric: Fabric

    def at(self, *path: Step) -> Position:
        """Return the place of the value at the path; see ``locate`` for paths that the file leaves short."""
        return locate(self.tree, path)

    def key(self, *path: Step) -> Position:
        """Return the place of the key at the path."""
        return locate(self.tree, path, key=True)

    def of(self, device: Device, *path: Step) -> Position:
        """Return the place of a setting of a device that a section declares."""
        return self.at("nodes", device.node, SECTIONS[type(device)], device.name, *path)


def build(spec: LabSpec, tree: Tree, file: str) -> Draft:
    """Build the fabric that the parts declare; ends on unknown nodes are left out."""
    at = partial(locate, tree)
    ports: dict[str, list[Device]] = {name: [] for name in spec.nodes}
    links: list[Link] = []
    for index, said in spec.links.items():
        link = Link(said.endpoints[0], said.endpoints[1], where=at(("links", index)))
        links.append(link)
        for end, ref in enumerate(link.ends):
            where = at(("links", index, "endpoints", end))
            port = Port(node=ref.node, name=ref.interface, peer=link.ends[1 - end], mtu=said.mtu, where=where)
            ports.get(ref.node, []).append(port)
    spreads = (Spread(**dict(said), where=at(("spreads", index))) for index, said in spec.spreads.items())
    shares = (Share(**dict(said), where=at(("throughput", index))) for index, said in spec.throughput.items())
    fabric = Fabric(
        name=spec.lab,
        title=spec.title,
        isolation=Isolation(**dict(spec.isolation)),
        nodes=tuple(_node(name, spec, ports[name], tree) for name in spec.nodes),
        links=tuple(links),
        **promises_of(spec, tree),
        file=file,
        routing=Routing(**dict(spec.routing)),
        spreads=tuple(spreads),
        throughput=tuple(shares),
    )
    return Draft(spec, tree, fabric)


def _node(name: str, spec: LabSpec, ports: Sequence[Device], tree: Tree) -> Node:
    said = spec.nodes[name]
    routes = (
        replace(route, where=locate(tree, ("nodes", name, "routes", index))) for index, route in said.routes.items()
    )
    node = Node(
        name=name,
        role=said.role,
        devices=tuple(_finished(device, said, spec.lab, tree) for device in (*ports, *_devices(name, said))),
        routes=tuple(routes),
        where=locate(tree, ("nodes", name), key=True),
    )
    return replace(node, devices=tuple(_with_source(node, device) for device in node.devices))


def _devices(node: str, said: NodeSpec) -> Iterator[Device]:
    for name, vlan in said.vlan.items():
        yield Subinterface(node=node, name=name, **dict(vlan))
    for name, members in said.bridges.items():
        ageing = said.ageing.get(name, AGEING)
        yield Bridge(node=node, name=name, members=tuple(members.values()), ageing=ageing)
    for name, vxlan in said.vxlan.items():
        yield _vxlan(node, name, vxlan)
    for name, geneve in said.geneve.items():
        local = geneve.local or ANY_ADDRESS[geneve.remote.version]
        yield Geneve(node=node, name=name, **{**dict(geneve), "local": local})
    for name, gre in said.gre.items():
        yield Gre(node=node, name=name, **dict(gre))
    if LOOPBACK in said.addresses:
        yield Loopback(node=node, name=LOOPBACK)


def _vxlan(node: str, name: str, said: VxlanSpec) -> Vxlan:
    remote, *others = said.remotes.values() if said.remote is None else (said.remote,)
    settings = {key: value for key, value in said if key != "remotes"}
    settings |= {"remote": remote, "others": tuple(others), "entries": tuple(said.entries.items())}
    settings |= {"local": said.local or ANY_ADDRESS[remote.version], "by_route": said.local is None}
    return Vxlan(node=node, name=name, **settings)


def _with_source(node: Node, device: Device) -> Device:
    """Give a Geneve or VXLAN device without a declared local address the source that its packets get."""
    if isinstance(device, Geneve | Vxlan) and device.local.is_unspecified:
        dev = device.dev if isinstance(device, Vxlan) else None
        return replace(device, local=node.source_towards(device.remote, dev) or device.local)
    return device


def _finished(device: Device, said: NodeSpec, lab: str, tree: Tree) -> Device:
    """Return the device with the addresses, MTU and MAC that other sections of the node give it, and its place."""
    where = device.where
    if not isinstance(device, Port):
        where = locate(tree, ("nodes", device.node, SECTIONS.get(type(device), "addresses"), device.name), key=True)
    made = None if isinstance(device, Gre | Loopback) else stable_mac(lab, device.node, device.name)
    return replace(
        device,
        mac=said.mac.get(device.name, made),
        mtu=said.mtu.get(device.name, device.mtu),
        addresses=tuple(said.addresses.get(device.name, {}).values()),
        where=where,
    )
