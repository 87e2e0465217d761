"""The registry of what declares a fabric: a file, whose suffix decides how it is read, or a name that says its shape.

A new format is one module with a function from a path to a Fabric, and one line in ``FORMATS``; what makes fabrics by
their names is one line in ``GENERATORS``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from topology import leafspine
from topology.errors import LabError, UnknownName
from topology.formats.clab import load_clab
from topology.formats.lab import FabricCheck, known_labs, lab_path, load_lab
from topology.model import Fabric


class Loader(Protocol):
    """Reads a file, and has a fabric that is otherwise sound looked at by further checks."""

    def __call__(self, source: Path, *, extra_checks: Sequence[FabricCheck] = ()) -> Fabric:
        """The fabric; raises LabError and Misuse."""
        ...


FORMATS: Mapping[str, Loader] = {".yaml": load_lab, ".yml": load_lab, ".clab.yaml": load_clab, ".clab.yml": load_clab}
SILENT = frozenset({".clab.yaml", ".clab.yml"})
"""Formats that have no word of their own for pairs: where none are given, those that must arrive can be derived."""
GENERATORS: Mapping[str, tuple[str, Callable[[str], Fabric]]] = {
    leafspine.PREFIX: (leafspine.FORM, leafspine.leafspine)
}
"""What a name starts with, its form, and what makes the fabric."""


def load(
    source: str | Path,
    *,
    extra_checks: Sequence[FabricCheck] = (),
    derive: Callable[[Fabric], Fabric] | None = None,
) -> Fabric:
    """The fabric that a known lab's name, a shape's name (``leafspine-8x4``) or a file of a known format declares.

    The longest suffix that fits decides. A fabric without pairs, of a format that is silent on them, is given those
    that ``derive`` finds. Raises UnknownName for an unknown lab or format, LabError and Misuse as the format's loader
    does.
    """
    if isinstance(source, str) and not Path(source).suffix and "/" not in source and source not in known_labs():
        return _generated(source, extra_checks)
    path = lab_path(source)
    fitting = [suffix for suffix in FORMATS if path.name.endswith(suffix)]
    if not fitting:
        raise UnknownName("format of a lab file", path.suffix, FORMATS)
    suffix = max(fitting, key=len)
    fabric = FORMATS[suffix](path, extra_checks=extra_checks)
    return derive(fabric) if derive and suffix in SILENT and not fabric.pairs else fabric


def _generated(name: str, extra_checks: Sequence[FabricCheck]) -> Fabric:
    for start, (_, make) in GENERATORS.items():
        if name.startswith(start):
            fabric = make(name)
            problems = [problem for check in extra_checks for problem in check(fabric)]
            if problems:
                raise LabError(problems)
            return fabric
    raise UnknownName("lab", name, (*known_labs(), *(form for form, _ in GENERATORS.values())))
