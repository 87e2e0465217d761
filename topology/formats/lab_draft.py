"""A lab file as far as it can be read: what the schema says against it, and the fabric that is left.

A part that the schema refuses is left out and its section is *spoiled*: checks that would blame other lines for
the missing part are not run, all others are. So one reading reports every problem, and no echoes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import TypeAlias

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from topology.errors import Position, Problem
from topology.formats import lab_schema as schema
from topology.formats.lab_values import shown, suggest
from topology.formats.yaml_positions import Plain, Step, Tree, locate
from topology.model import Bridge, Device, Fabric, Gre, Link, Node, Pair, Port, Vxlan, stable_mac

Path: TypeAlias = tuple[Step, ...]

DEVICES = frozenset({"links", "bridges", "vxlan", "gre"})
"""The sections that declare devices."""
ALL = DEVICES | {"nodes", "addresses", "routes", "pairs"}
_KEY = "[key]"
_STAND_INS: Mapping[str, str] = {"lab": "lab", "role": "customer"}
_NEEDED: Mapping[str, str] = {
    "lab": "lab: NAME",
    "nodes": "nodes: with one mapping for each node's name",
    "role": "role: leaf, spine, switch or customer",
    "vni": "vni: NUMBER, the same at both ends",
    "local": "local: an address of this node",
    "remote": "remote: the address of the tunnel's other end",
    "endpoints": "endpoints: [node:interface, node:interface]",
    "source": "source: NODE",
    "target": "target: NODE",
    "kind": "kind: how the traffic is carried",
}


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


@dataclass
class Refused:
    """What the schema refuses: the problems, the paths to leave out, and the sections that this spoils."""

    problems: list[Problem] = field(default_factory=list)
    cuts: set[Path] = field(default_factory=set)
    spoiled: set[str] = field(default_factory=set)


def read_spec(tree: Tree) -> tuple[schema.LabSpec | None, Refused]:
    """The file by its schema, or what is left of it without its refused parts; None where that is nothing."""
    plain = tree.plain()
    refused = Refused()
    if not isinstance(plain, dict):
        what = f"the file holds {shown(plain)}" if plain is not None else "the file is empty"
        refused.problems.append(Problem(tree.where, what, "a mapping, starting with 'lab: NAME'"))
        return None, refused
    try:
        return schema.LabSpec.model_validate(plain), refused
    except ValidationError as error:
        _refuse(error.errors(include_url=False), tree, refused)
    try:
        return schema.LabSpec.model_validate(_without(plain, refused.cuts)), refused
    except ValidationError:
        return None, refused


def _refuse(errors: Sequence[ErrorDetails], tree: Tree, refused: Refused) -> None:
    unknown = [error["loc"] for error in errors if error["type"] == "extra_forbidden"]
    for error in errors:
        path = error["loc"]
        if not (error["type"] == "missing" and _misspelt(path, unknown)):
            refused.problems.append(_problem(error, tree))
        named = path[:-1] if path[-1] == _KEY else path
        extra = error["type"] == "extra_forbidden"
        refused.cuts.add(named if extra else named[: 4 if named[0] == "nodes" else 2])
        refused.spoiled |= _spoiled(named, extra)


def _misspelt(missing: Path, unknown: Iterable[Path]) -> bool:
    """Whether an unknown key beside it is meant to be the missing one."""
    beside = [str(path[-1]) for path in unknown if path[:-1] == missing[:-1]]
    return bool(get_close_matches(str(missing[-1]), beside, n=1))


def _spoiled(path: Path, extra: bool) -> Iterable[str]:
    section = [str(step) for step in (path[2:3] if path[0] == "nodes" else path[:1])]
    if extra and len(path) <= 3:
        return get_close_matches(section[0], ALL, n=1) if section else ()
    if section in (["role"], ["lab"], ["title"], ["mtu"], ["mac"]):
        return ()
    return section if section and section != ["nodes"] else ALL


def _problem(error: ErrorDetails, tree: Tree) -> Problem:
    path, context = error["loc"], error.get("ctx", {})
    if path[-1] == _KEY:
        return Problem(locate(tree, path[:-1], key=True), context["what"], context["right"])
    if error["type"] == "extra_forbidden":
        where = locate(tree, path, key=True)
        return Problem(where, f"unknown key {shown(path[-1])}", suggest(str(path[-1]), _fields(path)))
    if error["type"] == "missing":
        owner = f"{path[-2]!r}" if len(path) > 1 and isinstance(path[-2], str) else "this"
        where = locate(tree, path[:-1], key=True)
        what = f"{'the file' if len(path) == 1 else owner} has no {path[-1]!r}"
        return Problem(where, what, _NEEDED[str(path[-1])])
    if "what" in context:
        return Problem(locate(tree, path), context["what"], context["right"])
    what = f"{shown(error['input'])} stands where a mapping belongs"
    return Problem(locate(tree, path), what, "lines of 'key: value'")


def _fields(path: Path) -> Iterable[str]:
    part: Mapping[Step, type[schema.Spec]] = {
        "vxlan": schema.VxlanSpec,
        "gre": schema.GreSpec,
        "links": schema.LinkSpec,
        "pairs": schema.PairSpec,
    }
    if len(path) == 1:
        return schema.LabSpec.model_fields
    if path[0] == "nodes" and len(path) == 3:
        return schema.NodeSpec.model_fields
    return part[path[2] if path[0] == "nodes" else path[0]].model_fields


def _without(value: Plain, cuts: set[Path], path: Path = ()) -> object:
    """The value without the parts to cut; where the schema needs such a part, a stand-in takes its place."""
    if isinstance(value, dict):
        kept = {k: _without(v, cuts, (*path, k)) for k, v in value.items() if (*path, k) not in cuts}
        return kept | {k: v for k, v in _STAND_INS.items() if (*path, k) in cuts}
    if isinstance(value, list):
        numbered = {i: _without(v, cuts, (*path, i)) for i, v in enumerate(value) if (*path, i) not in cuts}
        return numbered if len(numbered) != len(value) else list(numbered.values())
    return value


def build(spec: schema.LabSpec, tree: Tree, file: str) -> Draft:
    """The fabric that the parts declare, whether or not it can work; ends on unknown nodes are left out."""
    links = [
        (index, Link(*link.endpoints.values(), where=locate(tree, ("links", index))))
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
        nodes=tuple(_node(name, spec, ports[name], tree) for name in spec.nodes),
        links=tuple(link for _, link in links),
        pairs=tuple(
            Pair(pair.source, pair.target, pair.kind, where=locate(tree, ("pairs", index)))
            for index, pair in spec.pairs.items()
        ),
        file=file,
    )
    return Draft(spec, tree, fabric)


def _node(name: str, spec: schema.LabSpec, ports: Sequence[Device], tree: Tree) -> Node:
    said = spec.nodes[name]
    devices: list[Device] = [*ports]
    for bridge, members in said.bridges.items():
        devices.append(Bridge(node=name, name=bridge, members=tuple(members.values())))
    for device, vx in said.vxlan.items():
        ends = {"local": vx.local, "remote": vx.remote}
        devices.append(
            Vxlan(node=name, name=device, vni=vx.vni, **ends, dev=vx.dev, port=vx.port, mtu=vx.mtu)
        )
    for device, gre in said.gre.items():
        ends = {"local": gre.local, "remote": gre.remote}
        devices.append(Gre(node=name, name=device, **ends, key=gre.key, ttl=gre.ttl, mtu=gre.mtu))
    routes = (
        replace(route, where=locate(tree, ("nodes", name, "routes", index)))
        for index, route in said.routes.items()
    )
    return Node(
        name=name,
        role=said.role,
        devices=tuple(_finished(device, said, spec.lab, tree) for device in devices),
        routes=tuple(routes),
        where=locate(tree, ("nodes", name), key=True),
    )


def _finished(device: Device, said: schema.NodeSpec, lab: str, tree: Tree) -> Device:
    """The device with what the node says about it elsewhere: its addresses, MTU and MAC."""
    section = {Bridge: "bridges", Vxlan: "vxlan", Gre: "gre"}.get(type(device))
    made = None if isinstance(device, Gre) else stable_mac(lab, device.node, device.name)
    return replace(
        device,
        mac=said.mac.get(device.name, made),
        mtu=said.mtu.get(device.name, device.mtu),
        addresses=tuple(said.addresses.get(device.name, {}).values()),
        where=locate(tree, ("nodes", device.node, section, device.name), key=True)
        if section
        else device.where,
    )
