"""The fabric that a lab file declares, sound or not, and the places of its parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from topology.errors import Misuse, Position
from topology.formats.lab_intent import promises_of
from topology.formats.lab_schema import FrrSpec, LabSpec, NodeSpec
from topology.formats.text_file import displayed, path_below, read_text
from topology.formats.yaml_positions import Step, Tree, locate
from topology.frr import Frr
from topology.links import LINKS
from topology.model import (
    LOOPBACK,
    Bridge,
    Device,
    Fabric,
    Isolation,
    Link,
    Loopback,
    Node,
    Port,
    Routing,
    stable_mac,
)
from topology.promises import Share, Spread, Survival

BY_DAEMONS = "FRR decides how it forwards, so promises and the control plane are judged, and no declared way"
FRR = "frr"
"""The runtime of nodes with routing daemons."""


@dataclass(frozen=True)
class Draft:
    """The input of the checks: the file's parts, their places, and the fabric built from them."""

    spec: LabSpec
    tree: Tree
    fabric: Fabric
    frr: Mapping[str, Frr | Misuse] = field(default_factory=dict)
    """By node its daemons, or why their configuration cannot be read."""

    def at(self, *path: Step) -> Position:
        """Return the place of the value at the path; see ``locate`` for paths that the file leaves short."""
        return locate(self.tree, path)

    def key(self, *path: Step) -> Position:
        """Return the place of the key at the path."""
        return locate(self.tree, path, key=True)

    def of(self, device: Device, *path: Step) -> Position:
        """Return the place of a setting of a device that a section declares."""
        return self.at("nodes", device.node, type(device).section, device.name, *path)


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
    frr = {name: _read(said.frr, file) for name, said in spec.nodes.items() if said.frr}
    spreads = (Spread(**dict(said), where=at(("spreads", index))) for index, said in spec.spreads.items())
    shares = (Share(**dict(said), where=at(("throughput", index))) for index, said in spec.throughput.items())
    survivals = (Survival(**dict(said), where=at(("failover", index))) for index, said in spec.failover.items())
    fabric = Fabric(
        name=spec.lab,
        title=spec.title,
        isolation=Isolation(**dict(spec.isolation)),
        nodes=tuple(_node(name, spec, ports[name], tree, frr.get(name)) for name in spec.nodes),
        links=tuple(links),
        **promises_of(spec, tree),
        file=file,
        routing=Routing(**dict(spec.routing)),
        spreads=tuple(spreads),
        throughput=tuple(shares),
        failover=tuple(survivals),
        notes=(BY_DAEMONS,) if any(said.frr for said in spec.nodes.values()) else (),
    )
    return Draft(spec, tree, fabric, frr)


def _node(name: str, spec: LabSpec, ports: Sequence[Device], tree: Tree, frr: Frr | Misuse | None) -> Node:
    said = spec.nodes[name]
    routes = (
        replace(route, where=locate(tree, ("nodes", name, "routes", index))) for index, route in said.routes.items()
    )
    return Node(
        name=name,
        role=said.role,
        forwards=bool(said.forwards),
        runtime=FRR if said.frr else said.runtime,
        frr=Frr("") if isinstance(frr, Misuse) else frr,
        devices=tuple(_finished(device, said, spec.lab, tree) for device in (*ports, *_devices(name, said))),
        routes=tuple(routes),
        where=locate(tree, ("nodes", name), key=True),
    ).sourced


def _read(said: FrrSpec, lab: str) -> Frr | Misuse:
    """Return a node's FRR, or the error of a configuration that is not there or not below the lab file's folder."""
    try:
        path = path_below(Path(lab).resolve().parent, said.config)
        return Frr(read_text(path, "the node's frr.conf"), tuple(said.daemons.values()), displayed(path))
    except Misuse as error:
        return error


def _devices(node: str, said: NodeSpec) -> Iterator[Device]:
    for link in (link for link in LINKS if link.section):
        for name, entry in said.section(link.section).items():
            yield link.from_lab(node, name, dict(entry))
    if LOOPBACK in said.addresses:
        yield Loopback(node=node, name=LOOPBACK)


def _finished(device: Device, said: NodeSpec, lab: str, tree: Tree) -> Device:
    """Return the device with what other sections of the node give it, and its place."""
    where = device.where
    if not isinstance(device, Port):
        where = locate(tree, ("nodes", device.node, device.section or "addresses", device.name), key=True)
    if isinstance(device, Bridge):
        device = replace(device, ageing=said.ageing.get(device.name, device.ageing))
    return replace(
        device,
        mac=said.mac.get(device.name, stable_mac(lab, device.node, device.name) if device.ethernet else None),
        mtu=said.mtu.get(device.name, device.mtu),
        addresses=tuple(said.addresses.get(device.name, {}).values()),
        where=where,
    )
