"""Reads files that contain only promises, in the lab file's form: ``pairs:``, ``segments:``, ``apart:``,
``management:``.

They replace those of a lab, or are all that is declared of an adopted fabric.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from topology.errors import LabError, Problem
from topology.formats.lab import FabricCheck
from topology.formats.lab_checks import INTENT, MAX_PROBLEMS
from topology.formats.lab_draft import Draft
from topology.formats.lab_intent import promises_of
from topology.formats.lab_intent_checks import check_tunnels
from topology.formats.lab_refusals import NEEDED, read_spec
from topology.formats.lab_routes import check_addresses, check_ends
from topology.formats.lab_schema import ExpectSpec, LabSpec, PairsSpec
from topology.formats.lab_segments import with_local_kinds
from topology.formats.text_file import displayed, read_text, refuse_too_long
from topology.formats.yaml_positions import Table, Tree, locate, parse
from topology.model import Fabric
from topology.promises import Pair

HOLDS = "pairs, starting with 'pairs:'"
PROMISING = ("pairs", "segments")
"""Keys of which a file needs one."""


def with_pairs(fabric: Fabric, path: Path, extra_checks: Sequence[FabricCheck] = ()) -> Fabric:
    """Return the fabric with the promises of a file instead of its own; its management is kept in addition to the
    file's.

    Raises LabError with every problem of the file, and Misuse if it cannot be read.
    """
    return with_pairs_of_text(fabric, read_text(path, "an existing file"), displayed(path), extra_checks)


def with_pairs_of_text(
    fabric: Fabric, text: str, file: str = "<pairs>", extra_checks: Sequence[FabricCheck] = ()
) -> Fabric:
    """Return the same for a text; ``file`` is its name in messages."""
    tree, form = parse(text, file, HOLDS)
    spec, refused, _ = read_spec(tree, PairsSpec)
    problems = [*form, *refused[:MAX_PROBLEMS], *_without_promises(tree)]
    promised = fabric
    if spec is not None and not form:
        promised = replace(fabric, **promises_of(spec, tree), notes=(*fabric.notes, f"pairs: those of {file}"))
        draft = Draft(LabSpec.model_construct(**dict(spec)), tree, promised)
        found = [*check_ends(draft, "pairs"), *check_addresses(draft, "pairs"), *check_tunnels(draft)]
        problems += [*found, *(problem for check in INTENT for problem in check(draft))][:MAX_PROBLEMS]
    if not problems:
        promised = with_local_kinds(replace(promised, management=fabric.management.beside(promised.management)))
        problems += [problem for check in extra_checks for problem in check(promised)]
    if problems:
        raise LabError(problems)
    return promised


def load_pairs(path: Path) -> Fabric:
    """Return a fabric without nodes that has a file's promises; a host or an end of a pair may be an address.

    Raises LabError with every problem of the content, and Misuse for a file that cannot be read.
    """
    return load_pairs_text(read_text(path, "a YAML file with a list pairs:"), displayed(path))


def load_pairs_text(text: str, file: str = "<expect>") -> Fabric:
    """Return the same for a text; ``file`` is its name in messages."""
    refuse_too_long(len(text), file)
    tree, form = parse(text, file, HOLDS)
    spec, refused, _ = read_spec(tree, ExpectSpec)
    problems = [*form, *refused[:MAX_PROBLEMS], *_without_promises(tree)]
    fabric = Fabric(name=Path(file).stem, nodes=(), links=(), pairs=(), file=file)
    if spec is not None and not problems:
        fabric = replace(fabric, **promises_of(spec, tree))
        draft = Draft(LabSpec.model_construct(**dict(spec)), tree, fabric)
        problems = [*_problems(fabric.pairs, tree), *(problem for check in INTENT for problem in check(draft))]
    if problems:
        raise LabError(problems[:MAX_PROBLEMS])
    return fabric


def _without_promises(tree: Tree) -> list[Problem]:
    has_none = isinstance(tree, Table) and not any(
        get_close_matches(key, PROMISING, cutoff=0.7) for key in tree.entries
    )
    return [Problem(tree.where, "the file has no 'pairs'", NEEDED["pairs"])] if has_none else []


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
