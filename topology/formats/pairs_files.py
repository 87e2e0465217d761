"""Reads files that hold ``pairs:`` alone, in the lab file's form: promises for a lab that has others or none, or for an
adopted fabric that no lab declares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from topology.errors import LabError, Problem
from topology.formats.lab import FabricCheck
from topology.formats.lab_checks import MAX_PROBLEMS
from topology.formats.lab_draft import Draft, pairs_of
from topology.formats.lab_refusals import NEEDED, read_spec
from topology.formats.lab_routes import check_addresses, check_ends
from topology.formats.lab_schema import ExpectSpec, LabSpec, MtuSpec, PairsSpec
from topology.formats.text_file import displayed, read_text, refuse_too_long
from topology.formats.yaml_positions import Tree, locate, parse
from topology.model import Fabric
from topology.promises import Pair

HOLDS = "pairs, starting with 'pairs:'"


def with_pairs(fabric: Fabric, path: Path, extra_checks: Sequence[FabricCheck] = ()) -> Fabric:
    """Return the fabric with the pairs of a file instead of its own.

    Raises LabError with every problem of the file, and Misuse if it cannot be read.
    """
    return with_pairs_of_text(fabric, read_text(path, "an existing file"), displayed(path), extra_checks)


def with_pairs_of_text(
    fabric: Fabric, text: str, file: str = "<pairs>", extra_checks: Sequence[FabricCheck] = ()
) -> Fabric:
    """Return the same for a text; ``file`` is its name in messages."""
    tree, form = parse(text, file, HOLDS)
    spec, refused, _ = read_spec(tree, PairsSpec)
    problems = [*form, *refused[:MAX_PROBLEMS]]
    promised = fabric
    if spec is not None and not form:
        pairs = pairs_of(spec.pairs, MtuSpec(), tree)
        promised = replace(fabric, pairs=pairs, notes=(*fabric.notes, f"pairs: those of {file}"))
        draft = Draft(LabSpec.model_construct(pairs=spec.pairs), tree, promised)
        problems += [*check_ends(draft, "pairs"), *check_addresses(draft, "pairs")][:MAX_PROBLEMS]
    if not problems:
        problems += [problem for check in extra_checks for problem in check(promised)]
    if problems:
        raise LabError(problems)
    return promised


def load_pairs(path: Path) -> Fabric:
    """Return a fabric without nodes that has a file's pairs; an end of a pair may be an address.

    Raises LabError with every problem of the content, and Misuse for a file that cannot be read.
    """
    return load_pairs_text(read_text(path, "a YAML file with a list pairs:"), displayed(path))


def load_pairs_text(text: str, file: str = "<expect>") -> Fabric:
    """Return the same for a text; ``file`` is its name in messages."""
    refuse_too_long(len(text), file)
    tree, form = parse(text, file, HOLDS)
    spec, refused, _ = read_spec(tree, ExpectSpec)
    problems = [*form, *refused[:MAX_PROBLEMS]]
    pairs: tuple[Pair, ...] = ()
    if spec is not None:
        said = spec.pairs.items()
        pairs = tuple(Pair(**dict(pair), where=locate(tree, ("pairs", index))) for index, pair in said)
    if problems := problems or _problems(pairs, tree):
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
