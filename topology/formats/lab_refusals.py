"""What the schema says against a lab file, in the file's own words and places.

A part that the schema refuses is left out and its section is *spoiled*: checks that would blame other lines
for the missing part are not run, all others are. So one reading reports every problem, and no echoes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TypeAlias

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from topology.errors import Problem
from topology.formats import lab_schema as schema
from topology.formats.lab_values import shown, suggest
from topology.formats.yaml_positions import Plain, Step, Tree, locate

Path: TypeAlias = tuple[Step, ...]

DEVICES = frozenset({"links", "bridges", "vlan", "vxlan", "geneve", "gre"})
"""The sections that declare devices."""
ALL = DEVICES | {"nodes", "addresses", "routes", "pairs", "spreads", "isolation"}
_KEY = "[key]"
_COMPARED = 20
_STAND_INS: Mapping[str, str] = {"lab": "lab", "role": "customer"}
_NEEDED: Mapping[str, str] = {
    "lab": "lab: NAME",
    "nodes": "nodes: with one mapping for each node's name",
    "role": "role: leaf, spine, switch or customer",
    "dev": "dev: the port whose frames have the tag",
    "id": "id: NUMBER, the same at both ends",
    "vni": "vni: NUMBER, the same at both ends",
    "local": "local: an address of this node",
    "remote": "remote: the address of the tunnel's other end",
    "endpoints": "endpoints: [node:interface, node:interface]",
    "source": "source: NODE",
    "target": "target: NODE",
    "kind": "kind: how the traffic is carried",
    "path": "path: bridge, vxlan, gre or vxlan-in-gre",
    "at-least": "at-least: a part of the bare path's throughput, as 40 %",
    "over": "over: one-way or all-ways",
}


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
        refused.problems.append(
            Problem(tree.where, f"the file holds {shown(plain)}", "a mapping, starting with 'lab: NAME'")
        )
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
    unknown: dict[Path, list[str]] = {}
    for error in errors:
        if error["type"] == "extra_forbidden":
            unknown.setdefault(error["loc"][:-1], []).append(str(error["loc"][-1]))
    for error in errors:
        path = error["loc"]
        beside = unknown.get(path[:-1], [])[:_COMPARED]
        misspelt = error["type"] == "missing" and get_close_matches(str(path[-1]), beside, n=1)
        if not misspelt:
            refused.problems.append(_problem(error, tree))
        named = path[:-1] if path[-1] == _KEY else path
        extra = error["type"] == "extra_forbidden"
        refused.cuts.add(named if extra else named[: 4 if named[0] == "nodes" else 2])
        refused.spoiled |= _spoiled(named, extra)


def _spoiled(path: Path, extra: bool) -> set[str]:
    section = [str(step) for step in (path[2:3] if path[0] == "nodes" else path[:1])]
    if extra and len(path) <= 3:
        return set(get_close_matches(section[0], ALL, n=1))
    if section in (["role"], ["lab"], ["title"], ["mtu"], ["mac"], ["routing"]):
        return set()
    return set(section if section and section != ["nodes"] else ALL)


def _problem(error: ErrorDetails, tree: Tree) -> Problem:
    path, context = error["loc"], error.get("ctx", {})
    if path[-1] == _KEY:
        return Problem(locate(tree, path[:-1], key=True), context["what"], context["right"])
    if error["type"] == "extra_forbidden":
        where = locate(tree, path, key=True)
        return Problem(where, f"unknown key {shown(path[-1])}", suggest(str(path[-1]), _fields(path)))
    if error["type"] in ("missing", schema.LACKS):
        path = (*path, context["key"]) if error["type"] == schema.LACKS else path
        owner = shown(path[-2]) if len(path) > 1 and isinstance(path[-2], str) else "this"
        where = locate(tree, path[:-1], key=True)
        what = f"{'the file' if len(path) == 1 else owner} has no {path[-1]!r}"
        return Problem(where, what, _NEEDED[str(path[-1])])
    if "what" in context:
        return Problem(locate(tree, path), context["what"], context["right"])
    what = f"{shown(error['input'])} stands where a mapping belongs"
    return Problem(locate(tree, path), what, "lines of 'key: value'")


def _fields(path: Path) -> Iterable[str]:
    part: Mapping[Step, type[schema.Spec]] = {
        "isolation": schema.IsolationSpec,
        "vxlan": schema.VxlanSpec,
        "vlan": schema.VlanSpec,
        "geneve": schema.GeneveSpec,
        "gre": schema.GreSpec,
        "links": schema.LinkSpec,
        "pairs": schema.PairSpec,
        "routing": schema.RoutingSpec,
        "spreads": schema.SpreadSpec,
        "throughput": schema.ShareSpec,
    }
    if len(path) == 1:
        return schema.LabSpec.spelled()
    if path[0] == "mtu" or (path[0] == "pairs" and len(path) == 4):
        return schema.MtuSpec.spelled()
    if path[0] == "nodes" and len(path) == 3:
        return schema.NodeSpec.spelled()
    return part[path[2] if path[0] == "nodes" else path[0]].spelled()


def _without(value: Plain, cuts: set[Path], path: Path = ()) -> object:
    """The value without the parts to cut; where the schema needs such a part, a stand-in takes its place."""
    if isinstance(value, dict):
        kept = {k: _without(v, cuts, (*path, k)) for k, v in value.items() if (*path, k) not in cuts}
        return kept | {k: v for k, v in _STAND_INS.items() if (*path, k) in cuts}
    if isinstance(value, list):
        numbered = {i: _without(v, cuts, (*path, i)) for i, v in enumerate(value) if (*path, i) not in cuts}
        return numbered if len(numbered) != len(value) else list(numbered.values())
    return value
