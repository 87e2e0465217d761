"""The registry of declarations of a fabric: files, read by their suffix, or names that state its shape.

A new format is one module with a function from a path to a Fabric, and one line in ``FORMATS``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from topology import leafspine
from topology.errors import LabError, UnknownName
from topology.formats.lab import FabricCheck, known_labs, lab_path, load_lab
from topology.formats.others import refuse_others
from topology.formats.text_file import displayed, read_text
from topology.formats.yaml_positions import Table, parse
from topology.model import Fabric


class Loader(Protocol):
    """Reads a file, and runs further checks on a fabric that is otherwise valid."""

    def __call__(self, source: Path, *, extra_checks: Sequence[FabricCheck] = ()) -> Fabric:
        """The fabric; raises LabError and Misuse."""
        ...


def load_clab(source: Path, *, extra_checks: Sequence[FabricCheck] = ()) -> Fabric:
    """The fabric that a containerlab file declares; its reader is imported with the first."""
    from topology.formats.clab import load_clab as load

    return load(source, extra_checks=extra_checks)


FORMATS: Mapping[str, Loader] = {".yaml": load_lab, ".yml": load_lab, ".clab.yaml": load_clab, ".clab.yml": load_clab}
SILENT = frozenset({".clab.yaml", ".clab.yml"})
"""Formats without a key for pairs: where none are given, the pairs that must arrive can be derived."""
CLAB_KEY = "topology"
"""The key of a containerlab file that a lab file has not."""


def load(
    source: str | Path,
    *,
    extra_checks: Sequence[FabricCheck] = (),
    derive: Callable[[Fabric], Fabric] | None = None,
) -> Fabric:
    """The fabric that a known lab's name, a shape's name (``leafspine-8x4``) or a file of a known format declares.

    The longest suffix that fits decides, and of YAML files the key ``topology``. A fabric without pairs, of a format
    that is silent on them, is given those that ``derive`` finds. Raises UnknownName for an unknown lab or format,
    LabError and Misuse as the format's loader does.
    """
    if source not in known_labs():
        refuse_others(Path(source))
        if isinstance(source, str) and not Path(source).suffix and "/" not in source:
            return _generated(source, extra_checks)
    path = lab_path(source)
    suffix = _suffix(path)
    fabric = FORMATS[suffix](path, extra_checks=extra_checks)
    return derive(fabric) if derive and suffix in SILENT and not fabric.pairs else fabric


def _suffix(path: Path) -> str:
    """The suffix of the format that a file has."""
    fitting = [suffix for suffix in FORMATS if path.name.endswith(suffix)]
    if not fitting:
        raise UnknownName("format of a lab file", path.suffix, FORMATS)
    suffix = max(fitting, key=len)
    return suffix if suffix in SILENT or not _is_clab(path) else f".clab{suffix}"


def _is_clab(path: Path) -> bool:
    """Return whether a YAML file has the keys of a containerlab topology, whatever its name."""
    text = read_text(path, "a lab file") if path.is_file() else ""
    if CLAB_KEY not in text:
        return False
    tree, _ = parse(text, displayed(path))
    return isinstance(tree, Table) and CLAB_KEY in tree.entries and "lab" not in tree.entries


def _generated(name: str, extra_checks: Sequence[FabricCheck]) -> Fabric:
    if not name.startswith(leafspine.PREFIX):
        raise UnknownName("lab", name, (*known_labs(), leafspine.FORM))
    fabric = leafspine.leafspine(name)
    if problems := [problem for check in extra_checks for problem in check(fabric)]:
        raise LabError(problems)
    return fabric
