"""The kinds of nodes, by name."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar, Protocol, cast

from topology.errors import UnknownName

if TYPE_CHECKING:
    from topology.kernels.netlink import Netlink
    from topology.kernels.registry import Kernel
    from topology.model import Fabric


class Runtime(Protocol):
    """Makes or finds the nodes of a fabric on a kernel, and wires them. A new kind is one class, named in RUNTIMES."""

    needs_engine: ClassVar[bool]

    def __init__(self, kernel: Kernel) -> None: ...

    def bring_up(self, fabric: Fabric) -> Netlink:
        """Build the whole fabric; raises NetlinkError with the lab file's line at the first refusal."""
        ...


ADOPTED = "adopted"
"""The kind of nodes of a foreign fabric: asked for by ``--adopt``."""
RUNTIMES: Mapping[str, str] = {
    "netns": "topology.runtimes.built:NetnsRuntime",
    "docker": "topology.runtimes.built:DockerRuntime",
    ADOPTED: "topology.runtimes.adopted:AdoptedRuntime",
}
"""The module and class of each kind; a module and its libraries are loaded only when the kind is asked for."""


def runtime_class(name: str) -> type[Runtime]:
    """The class of a kind; UnknownName lists the known ones."""
    if name not in RUNTIMES:
        raise UnknownName("runtime", name, RUNTIMES)
    module, kind = RUNTIMES[name].split(":")
    return cast(type[Runtime], getattr(import_module(module), kind))
