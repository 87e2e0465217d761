"""Reads a lab file, hopcheck's own format: ``load_lab("ece792")`` or ``load_lab("labs/mine.yaml")``.

Its keys are described in docs/lab-file.md. A file that cannot work is refused with every problem at once,
each at its line and column; the fabric that is returned is one that the kernel will take.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

from topology.errors import LabError, Problem, UnknownName
from topology.formats.lab_checks import MAX_PROBLEMS, problems_of
from topology.formats.lab_draft import build
from topology.formats.lab_refusals import ALL, read_spec
from topology.formats.lab_schema import LabSpec
from topology.formats.lab_segments import with_local_kinds
from topology.formats.text_file import displayed, read_text, refuse_too_long
from topology.formats.yaml_positions import Tree, parse
from topology.model import Fabric

FabricCheck: TypeAlias = Callable[[Fabric], Iterable[Problem]]

LABS = Path(__file__).resolve().parent.parent / "labs"
"""Directory of the labs in hopcheck."""


def known_labs() -> tuple[str, ...]:
    """Return the names of the labs that come with hopcheck."""
    return tuple(sorted(path.stem for path in LABS.glob("*.yaml")))


def lab_path(source: str | Path) -> Path:
    """Return the file of a name or a path: text without a slash or suffix is the name of a lab.

    Raises UnknownName for a name that no known lab has.
    """
    if source in known_labs():
        return LABS / f"{source}.yaml"
    if isinstance(source, Path) or "/" in source or Path(source).suffix:
        return Path(source)
    raise UnknownName("lab", source, known_labs())


def load_lab(source: str | Path, *, extra_checks: Sequence[FabricCheck] = ()) -> Fabric:
    """Return the fabric that a lab file declares; ``source`` is the name of a known lab or a path.

    ``extra_checks`` look at a fabric that is otherwise sound; their problems are reported like the others.
    Raises LabError with every problem of the content, UnknownName for an unknown lab, and Misuse for a file
    that cannot be read.
    """
    path = lab_path(source)
    known = f"a lab file, or one of the known labs: {', '.join(known_labs())}"
    return load_lab_text(read_text(path, known), displayed(path), extra_checks=extra_checks)


def load_lab_text(text: str, file: str = "<lab>", *, extra_checks: Sequence[FabricCheck] = ()) -> Fabric:
    """Return the fabric that the text of a lab file declares; ``file`` is its name in messages."""
    refuse_too_long(len(text), file)
    tree, form = parse(text, file)
    # A part that is left out for its form (a key given twice) may be what any other line needs.
    return fabric_of(tree, file, form, ALL if form else (), extra_checks)


def fabric_of(
    tree: Tree,
    file: str,
    found: Sequence[Problem] = (),
    spoiled: Collection[str] = (),
    extra_checks: Sequence[FabricCheck] = (),
) -> Fabric:
    """Return the fabric that a lab file's tree declares; checks that need a ``spoiled`` section are not run.

    Raises LabError with the problems ``found`` before, and all further ones.
    """
    spec, refused, more = read_spec(tree, LabSpec)
    problems = [*found, *refused[:MAX_PROBLEMS]]
    if spec is None:
        raise LabError(problems)
    draft = build(spec, tree, file)
    problems += problems_of(draft, more.union(spoiled))
    if problems:
        raise LabError(problems)
    fabric = with_local_kinds(draft.fabric)
    if problems := [problem for check in extra_checks for problem in check(fabric)]:
        raise LabError(problems)
    return fabric
