"""Reads a file that only says which pairs must reach each other, and how: for a fabric that nobody has declared.

Its list ``pairs`` has the lab file's form; an end may be an address instead of a name.
"""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import PlainValidator, ValidationError
from pydantic_core import ErrorDetails

from topology.errors import LabError, Problem
from topology.formats import lab_values as values
from topology.formats.lab_schema import KindName, Listed, Spec
from topology.formats.text_file import displayed, read_text, refuse_too_long
from topology.formats.yaml_positions import Tree, locate, parse
from topology.model import Fabric
from topology.promises import Pair

NEEDED = {
    "pairs": "pairs: with lines of '- {source: ..., target: ..., kind: ...}'",
    "source": "source: NODE or ADDRESS",
    "target": "target: NODE or ADDRESS",
    "kind": "kind: how the traffic is carried",
}


def _end(value: object) -> str:
    """A node's name, or an address of a node, in its shortest form."""
    try:
        return str(ip_address(values.text(value)))
    except ValueError:
        return values.name("node")(value)


End: TypeAlias = Annotated[str, PlainValidator(_end)]


class ExpectedPair(Spec):
    """One entry of ``pairs``."""

    source: End
    target: End
    kind: KindName


class ExpectSpec(Spec):
    """A whole file."""

    pairs: Listed[ExpectedPair]


def load_pairs(path: Path) -> Fabric:
    """A fabric without nodes: its pairs are what is known of it.

    Raises LabError with every problem of the content, and Misuse for a file that cannot be read.
    """
    return load_pairs_text(read_text(path, "a YAML file with a list pairs:"), displayed(path))


def load_pairs_text(text: str, file: str = "<expect>") -> Fabric:
    """The same, from text; ``file`` is its name in messages."""
    refuse_too_long(len(text), file)
    tree, form = parse(text, file)
    try:
        spec = ExpectSpec.model_validate(tree.plain())
    except ValidationError as error:
        raise LabError([*form, *(_problem(one, tree) for one in error.errors(include_url=False))]) from None
    pairs = tuple(
        Pair(pair.source, pair.target, pair.kind, where=locate(tree, ("pairs", index)))
        for index, pair in spec.pairs.items()
    )
    if problems := [*form, *_problems(pairs, tree)]:
        raise LabError(problems)
    return Fabric(name=Path(file).stem, nodes=(), links=(), pairs=pairs, file=file)


def _problems(pairs: tuple[Pair, ...], tree: Tree) -> list[Problem]:
    wrong = [] if pairs else [Problem(locate(tree, ("pairs",), key=True), "there is no pair", NEEDED["pairs"])]
    first: dict[frozenset[str], Pair] = {}
    for pair in pairs:
        ends = frozenset((pair.source, pair.target))
        if len(ends) == 1:
            wrong.append(Problem(pair.where, f"{pair.source} is paired with itself", "two different ends"))
        elif (known := first.setdefault(ends, pair)) is not pair:
            what = f"{pair.source} and {pair.target} are a pair already, on line {known.where.line}"
            wrong.append(Problem(pair.where, what, "each pair once"))
    return wrong


def _problem(error: ErrorDetails, tree: Tree) -> Problem:
    path, context = error["loc"], error.get("ctx", {})
    if error["type"] == "extra_forbidden":
        known = ExpectSpec.spelled() if len(path) == 1 else ExpectedPair.spelled()
        where = locate(tree, path, key=True)
        return Problem(where, f"unknown key {values.shown(path[-1])}", values.suggest(str(path[-1]), known))
    if error["type"] == "missing":
        return Problem(locate(tree, path[:-1], key=True), f"there is no {path[-1]!r}", NEEDED[str(path[-1])])
    if "what" in context:
        return Problem(locate(tree, path), context["what"], context["right"])
    what = f"{values.shown(error['input'])} stands where a mapping belongs"
    return Problem(locate(tree, path), what, "lines of 'key: value'")
