"""The registry of formats that declare a fabric: a file's suffix decides how it is read.

A new format is one module with a function from a path to a Fabric, and one line in ``FORMATS``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from topology.errors import UnknownName
from topology.formats.lab import lab_path, load_lab
from topology.model import Fabric

FORMATS: Mapping[str, Callable[[Path], Fabric]] = {".yaml": load_lab, ".yml": load_lab}


def load(source: str | Path) -> Fabric:
    """The fabric that a known lab's name or a file of a known format declares.

    The longest suffix that fits decides. Raises UnknownName for an unknown lab or format, LabError and Misuse
    as the format's loader does.
    """
    path = lab_path(source)
    fitting = [suffix for suffix in FORMATS if path.name.endswith(suffix)]
    if not fitting:
        raise UnknownName("format of a lab file", path.suffix, FORMATS)
    return FORMATS[max(fitting, key=len)](path)
