"""Reads a file by its schema; errors become problems in the file's own words and places.

A part that the schema refuses is left out and its section is *spoiled*: checks that would blame other lines
for the missing part are not run, all others are. So one reading reports every problem, and no echoes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Annotated, TypeAlias, TypeVar, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from topology.errors import Problem
from topology.formats.lab_schema import LACKS, Spec
from topology.formats.lab_values import shown, suggest
from topology.formats.yaml_positions import Plain, Step, Tree, locate
from topology.links import SECTIONS
from topology.roles import ROLES

Path: TypeAlias = tuple[Step, ...]
SpecT = TypeVar("SpecT", bound=Spec)

DEVICES = frozenset({"links", *SECTIONS})
"""The sections that declare devices."""
ALL = DEVICES | {"nodes", "addresses", "routes", "pairs", "spreads", "isolation", "segments", "apart", "management"}
NEEDED: Mapping[str, str] = {
    "lab": "lab: NAME",
    "nodes": "nodes: with one mapping for each node's name",
    "role": f"role: {', '.join(ROLES)}, or a word of the lab's own",
    "dev": "dev: the port whose frames have the tag",
    "id": "id: NUMBER, the same at both ends",
    "vni": "vni: NUMBER, the same at both ends",
    "local": "local: an address of this node",
    "remote": "remote: the address of the tunnel's other end",
    "endpoints": "endpoints: [node:interface, node:interface]",
    "pairs": "pairs: with lines of '- {source: ..., target: ..., kind: ...}'",
    "source": "source: NODE",
    "target": "target: NODE",
    "kind": "kind: how the traffic is carried",
    "hosts": "hosts: a list of two nodes or more",
    "path": "path: bridge, vxlan, gre or vxlan-in-gre",
    "at-least": "at-least: a part of the bare path's throughput, as 40 %",
    "event": "event: what befalls the fabric",
    "over": "over: one-way or all-ways",
}
_KEY = "[key]"
_COMPARED = 20
_STAND_INS: Mapping[str, str] = {"lab": "lab", "role": "customer"}
_HARMLESS = frozenset({"role", "lab", "title", "mtu", "mac", "routing"})


def read_spec(tree: Tree, schema: type[SpecT]) -> tuple[SpecT | None, list[Problem], set[str]]:
    """Return the file without its refused parts (None if nothing is left), the problems, and the spoiled sections."""
    plain = tree.plain()
    if not isinstance(plain, dict):
        right = f"a mapping, starting with '{next(iter(schema.model_fields))}:'"
        return None, [Problem(tree.where, f"the file holds {shown(plain)}", right)], set()
    try:
        return schema.model_validate(plain), [], set()
    except ValidationError as error:
        errors = error.errors(include_url=False)
    unknown: dict[Path, list[str]] = {}
    for one in errors:
        if one["type"] == "extra_forbidden":
            unknown.setdefault(one["loc"][:-1], []).append(str(one["loc"][-1]))
    problems = [_problem(one, tree, schema) for one in errors if not _is_misspelt(one, unknown)]
    spoiled = {section for one in errors for section in _spoiled(one)}
    try:
        rest = schema.model_validate(_without(plain, {_cut(one) for one in errors}))
    except ValidationError:
        rest = None
    return rest, problems, spoiled


def _is_misspelt(error: ErrorDetails, unknown: Mapping[Path, list[str]]) -> bool:
    """Return whether a needed key is missing because it is misspelt, which its own problem reports."""
    path = error["loc"]
    beside = unknown.get(path[:-1], [])[:_COMPARED]
    return error["type"] == "missing" and bool(get_close_matches(str(path[-1]), beside, n=1))


def _named(error: ErrorDetails) -> Path:
    path = error["loc"]
    return path[:-1] if path[-1] == _KEY else path


def _cut(error: ErrorDetails) -> Path:
    """Return the path of the part to leave out: an unknown key itself, else the whole entry of its section."""
    path = _named(error)
    return path if error["type"] == "extra_forbidden" else path[: 4 if path[0] == "nodes" else 2]


def _spoiled(error: ErrorDetails) -> Iterable[str]:
    path = _named(error)
    section = str(path[2] if path[0] == "nodes" and len(path) > 2 else path[0])
    if error["type"] == "extra_forbidden" and len(path) <= 3:
        return get_close_matches(section, ALL, n=1)
    if section in _HARMLESS:
        return ()
    return ALL if section == "nodes" else (section,)


def _problem(error: ErrorDetails, tree: Tree, schema: type[Spec]) -> Problem:
    path, context = error["loc"], error.get("ctx", {})
    if path[-1] == _KEY:
        return Problem(locate(tree, path[:-1], key=True), context["what"], context["right"])
    if error["type"] == "extra_forbidden":
        known = _model_at(schema, path[:-1]).spelled()
        return Problem(locate(tree, path, key=True), f"unknown key {shown(path[-1])}", suggest(str(path[-1]), known))
    if error["type"] in ("missing", LACKS):
        path = (*path, context["key"]) if error["type"] == LACKS else path
        owner = shown(path[-2]) if len(path) > 1 and isinstance(path[-2], str) else "this"
        what = f"{'the file' if len(path) == 1 else owner} has no {path[-1]!r}"
        needed = {**NEEDED, **_model_at(schema, path[:-1]).needed}
        return Problem(locate(tree, path[:-1], key=True), what, needed[str(path[-1])])
    if "what" in context:
        return Problem(locate(tree, path), context["what"], context["right"])
    what = f"{shown(error['input'])} is not a mapping"
    return Problem(locate(tree, path), what, "lines of 'key: value'")


def _model_at(schema: type[Spec], path: Path) -> type[Spec]:
    """Return the model of the mapping at a path: of a model its field, of a table or list its items."""
    found: object = schema
    for step in path:
        if isinstance(found, type) and issubclass(found, Spec):
            fields = found.model_fields.items()
            found = next(field.annotation for name, field in fields if step == (field.alias or name))
        else:
            found = get_args(found)[-1]
        while get_origin(found) is Annotated:
            found = get_args(found)[0]
    return found if isinstance(found, type) and issubclass(found, Spec) else schema


def _without(value: Plain, cuts: set[Path], path: Path = ()) -> object:
    """Return the value without the parts to cut; where the schema needs such a part, a stand-in takes its place."""
    if isinstance(value, dict):
        kept = {k: _without(v, cuts, (*path, k)) for k, v in value.items() if (*path, k) not in cuts}
        return kept | {k: v for k, v in _STAND_INS.items() if (*path, k) in cuts}
    if isinstance(value, list):
        numbered = {i: _without(v, cuts, (*path, i)) for i, v in enumerate(value) if (*path, i) not in cuts}
        return numbered if len(numbered) != len(value) else list(numbered.values())
    return value
