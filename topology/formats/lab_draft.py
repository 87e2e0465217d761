"""The fabric that a lab file declares, whether or not it can work, and the places of its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address

from topology.errors import Position
from topology.formats import lab_schema as schema
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
from topology.promises import ABOVE, MtuPromise, Pair, Share, Spread

ANY_ADDRESS: Mapping[int, Address] = {4: IPv4Address(0), 6: IPv6Address(0)}
"""Stands for a source that is not known (yet), by IP version."""


@dataclass(frozen=True)
class Draft:
    """What checks read: the file's parts, their places, and the fabric built from them."""

    spec: schema.LabSpec
    tree: Tree
    fabric: Fabric

    def at(self, *path: Step) -> Position:
        """Where the value at the path stands; see ``locate`` for paths that the file leaves short."""
        return locate(self.tree, path)

    def key(self, *path: Step) -> Position:
        """Where the key at the path stands."""
        return locate(self.tree, path, key=True)


def build(spec: schema.LabSpec, tree: Tree, file: str) -> Draft:
    """The fabric that the parts declare, whether or not it can work; ends on unknown nodes are left out."""
    links = [
        (index, Link(link.endpoints[0], link.endpoints[1], where=locate(tree, ("links", index))))
        for index, link in spec.links.items()
    ]
    ports: dict[str, list[Device]] = {name: [] for name in spec.nodes}
    for index, link in links:
        for end, ref in enumerate(link.ends):
            if ref.node in ports:
                where = locate(tree, ("links", index, "endpoints", end))
                peer, mtu = link.ends[1 - end], spec.links[index].mtu
                port = Port(node=ref.node, name=ref.interface, peer=peer, mtu=mtu, where=where)
                ports[ref.node].append(port)
    fabric = Fabric(
        name=spec.lab,
        title=spec.title,
        isolation=Isolation(**dict(spec.isolation)),
        nodes=tuple(_node(name, spec, ports[name], tree) for name in spec.nodes),
        links=tuple(link for _, link in links),
        pairs=tuple(
            Pair(
                pair.source,
                pair.target,
                pair.kind,
                where=locate(tree, ("pairs", index)),
                mtu=_mtu(index, spec, tree),
            )
            for index, pair in spec.pairs.items()
        ),
        file=file,
        routing=Routing(spec.routing.multipath_hash, spec.routing.ignore_linkdown),
        spreads=tuple(
            Spread(spread.source, spread.target, spread.over, spread.survives, where=locate(tree, ("spreads", index)))
            for index, spread in spec.spreads.items()
        ),
        throughput=tuple(
            Share(said.path, said.protocol, said.at_least, said.size, where=locate(tree, ("throughput", index)))
            for index, said in spec.throughput.items()
        ),
    )
    return Draft(spec, tree, fabric)


def _mtu(index: int, spec: schema.LabSpec, tree: Tree) -> MtuPromise:
    """What a pair is promised of sizes: what it says itself, else what the lab says."""
    own, common = spec.pairs[index].mtu, spec.mtu
    customers = own.customers if own.customers is not None else common.customers
    above = own.above if own.above is not None else common.above
    where = ("pairs", index, "mtu") if own.customers is not None else ("mtu",)
    fates = tuple(dict.fromkeys(above.values())) if above is not None else ABOVE
    return MtuPromise(customers, fates, locate(tree, (*where, "customers")))


def _node(name: str, spec: schema.LabSpec, ports: Sequence[Device], tree: Tree) -> Node:
    said = spec.nodes[name]
    devices: list[Device] = [*ports]
    for device, vlan in said.vlan.items():
        devices.append(Subinterface(node=name, name=device, link=vlan.dev, vid=vlan.id, mtu=vlan.mtu))
    for bridge, members in said.bridges.items():
        ageing = said.ageing.get(bridge, AGEING)
        devices.append(Bridge(node=name, name=bridge, members=tuple(members.values()), ageing=ageing))
    for device, vxlan in said.vxlan.items():
        remote, *others = vxlan.ends
        settings = {key: value for key, value in vxlan if key not in ("local", "remote", "remotes")}
        settings |= {"local": vxlan.local or ANY_ADDRESS[remote.version], "by_route": vxlan.local is None}
        settings["entries"] = tuple(vxlan.entries.items())
        devices.append(Vxlan(node=name, name=device, remote=remote, others=tuple(others), **settings))
    for device, geneve in said.geneve.items():
        settings = {key: value for key, value in geneve if key != "local"}
        local = geneve.local or ANY_ADDRESS[geneve.remote.version]
        devices.append(Geneve(node=name, name=device, local=local, **settings))
    for device, gre in said.gre.items():
        settings = dict(gre)
        devices.append(Gre(node=name, name=device, inherit_tos=settings.pop("tos"), **settings))
    if LOOPBACK in said.addresses:
        devices.append(Loopback(node=name, name=LOOPBACK, where=locate(tree, ("nodes", name, "addresses", LOOPBACK))))
    routes = (
        replace(route, where=locate(tree, ("nodes", name, "routes", index))) for index, route in said.routes.items()
    )
    node = Node(
        name=name,
        role=said.role,
        devices=tuple(_finished(device, said, spec.lab, tree) for device in devices),
        routes=tuple(routes),
        where=locate(tree, ("nodes", name), key=True),
    )
    return replace(node, devices=tuple(_with_source(node, device) for device in node.devices))


def _with_source(node: Node, device: Device) -> Device:
    """A Geneve or VXLAN device of which no local address is said has the one that its packets get."""
    if isinstance(device, Geneve | Vxlan) and device.local.is_unspecified:
        dev = device.dev if isinstance(device, Vxlan) else None
        return replace(device, local=node.source_towards(device.remote, dev) or device.local)
    return device


def _finished(device: Device, said: schema.NodeSpec, lab: str, tree: Tree) -> Device:
    """The device with what the node says about it elsewhere: its addresses, MTU and MAC."""
    section = {Subinterface: "vlan", Bridge: "bridges", Vxlan: "vxlan", Geneve: "geneve", Gre: "gre"}.get(type(device))
    made = None if isinstance(device, Gre | Loopback) else stable_mac(lab, device.node, device.name)
    return replace(
        device,
        mac=said.mac.get(device.name, made),
        mtu=said.mtu.get(device.name, device.mtu),
        addresses=tuple(said.addresses.get(device.name, {}).values()),
        where=locate(tree, ("nodes", device.node, section, device.name), key=True) if section else device.where,
    )
