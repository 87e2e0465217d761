"""The registry of formats that a fabric is written in: a file's suffix decides, or the format's name.

A new format is one module with a function from a Fabric to text, and its suffixes in ``EXPORTS``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from topology.errors import UnknownName
from topology.export.clab import to_clab
from topology.export.dot import to_dot
from topology.model import Fabric

EXPORTS: Mapping[str, Callable[[Fabric], str]] = {
    ".clab.yml": to_clab,
    ".clab.yaml": to_clab,
    ".dot": to_dot,
    ".gv": to_dot,
}
NAMES: Mapping[str, str] = {"clab": ".clab.yml", "dot": ".dot", "-": ".clab.yml"}
"""A format's name where no file is named: the text goes to standard output then."""


def export(fabric: Fabric, target: str) -> str:
    """The fabric in the format that ``target``, a file's name or one of ``NAMES``, asks for.

    Raises UnknownName for a target of no known format.
    """
    name = NAMES.get(target, target)
    fitting = [suffix for suffix in EXPORTS if name.endswith(suffix)]
    if not fitting:
        raise UnknownName("format to export to", target, (*NAMES, *(f"FILE{suffix}" for suffix in EXPORTS)))
    return EXPORTS[max(fitting, key=len)](fabric)
