"""Reads a file of pairs, which stands beside a lab and says what it promises: ``pairs:`` as in a lab file, alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from topology.errors import LabError, Problem
from topology.formats.lab import FabricCheck
from topology.formats.lab_checks import MAX_PROBLEMS
from topology.formats.lab_draft import Draft, build
from topology.formats.lab_refusals import read_spec
from topology.formats.lab_routes import check_pair_addresses, check_pair_names
from topology.formats.lab_values import suggest
from topology.formats.text_file import displayed, read_text
from topology.formats.yaml_positions import Scalar, Table, Tree, parse
from topology.model import Fabric

PAIRS = "pairs"


def with_pairs(fabric: Fabric, path: Path, extra_checks: Sequence[FabricCheck] = ()) -> Fabric:
    """The fabric with the pairs of a file instead of its own.

    Raises LabError with every problem of the file, and Misuse where it cannot be read.
    """
    text = read_text(path, "an existing file")
    return with_pairs_of_text(fabric, text, displayed(path), extra_checks)


def with_pairs_of_text(
    fabric: Fabric, text: str, file: str = "<pairs>", extra_checks: Sequence[FabricCheck] = ()
) -> Fabric:
    """The fabric with the pairs of a text; ``file`` is its name in messages."""
    tree, form = parse(text, file, "pairs, starting with 'pairs:'")
    problems = [*form, *_form_problems(tree)]
    spec, refused = read_spec(_as_lab(tree, fabric))
    problems += refused.problems[:MAX_PROBLEMS]
    if spec is not None and not form:
        drafted = build(spec, tree, file)
        promised = replace(fabric, pairs=drafted.fabric.pairs, notes=(*fabric.notes, f"pairs: those of {file}"))
        draft = Draft(spec, tree, promised)
        problems += [*check_pair_names(draft), *check_pair_addresses(draft)][:MAX_PROBLEMS]
        if not problems:
            problems += [problem for check in extra_checks for problem in check(promised)]
        if not problems:
            return promised
    raise LabError(problems)


def _form_problems(tree: Tree) -> list[Problem]:
    if not isinstance(tree, Table):
        return [Problem(tree.where, "the file holds no mapping", "pairs, starting with 'pairs:'")]
    unknown = [(key, where) for key, (where, _) in tree.entries.items() if key != PAIRS]
    found = [Problem(where, f"{key[:40]!r} is not read here", suggest(key, (PAIRS,))) for key, where in unknown]
    return (
        found if PAIRS in tree.entries else [*found, Problem(tree.where, "the file has no 'pairs'", "a list of pairs")]
    )


def _as_lab(tree: Tree, fabric: Fabric) -> Table:
    """The pairs as a lab file with the fabric's nodes would hold them."""
    pairs = tree.entries.get(PAIRS) if isinstance(tree, Table) else None
    customer = Table(tree.where, {"role": (tree.where, Scalar(tree.where, "customer"))})
    nodes = Table(tree.where, {node.name: (tree.where, customer) for node in fabric.nodes})
    lab = Table(tree.where, {"lab": (tree.where, Scalar(tree.where, "lab")), "nodes": (tree.where, nodes)})
    if pairs is not None:
        lab.entries[PAIRS] = pairs
    return lab
