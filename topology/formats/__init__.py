"""The registry of formats that declare a fabric: a file's suffix decides how it is read.

A new format is one module with a function from a path to a Fabric, and one line in ``FORMATS``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from topology.errors import UnknownName
from topology.formats.clab import load_clab
from topology.formats.lab import FabricCheck, lab_path, load_lab
from topology.model import Fabric


class Loader(Protocol):
    """Reads a file of one format; ``extra_checks`` look at a fabric that is otherwise sound."""

    def __call__(self, source: Path, *, extra_checks: Sequence[FabricCheck] = ()) -> Fabric:
        """The fabric that the file declares."""
        ...


FORMATS: Mapping[str, Loader] = {".yaml": load_lab, ".yml": load_lab, ".clab.yaml": load_clab, ".clab.yml": load_clab}
SILENT = frozenset({".clab.yaml", ".clab.yml"})
"""Formats that have no word of their own for pairs: where none are given, those that must arrive can be derived."""


def load(
    source: str | Path,
    *,
    extra_checks: Sequence[FabricCheck] = (),
    derive: Callable[[Fabric], Fabric] | None = None,
) -> Fabric:
    """The fabric that a known lab's name or a file of a known format declares.

    The longest suffix that fits decides. A fabric without pairs, of a format that is silent on them, is given those
    that ``derive`` finds. Raises UnknownName for an unknown lab or format, LabError and Misuse as the format's loader
    does.
    """
    path = lab_path(source)
    fitting = [suffix for suffix in FORMATS if path.name.endswith(suffix)]
    if not fitting:
        raise UnknownName("format of a lab file", path.suffix, FORMATS)
    suffix = max(fitting, key=len)
    fabric = FORMATS[suffix](path, extra_checks=extra_checks)
    return derive(fabric) if derive and suffix in SILENT and not fabric.pairs else fabric
