"""Brings up the nodes of a fabric, each by its own runtime, and wires them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from topology.errors import UnknownName
from topology.model import Fabric, Node
from topology.node import RUNTIMES
from topology.plan import make_plan

if TYPE_CHECKING:
    from topology.kernels.netlink import Netlink
    from topology.kernels.registry import Kernel

ADOPTED = "adopted"
"""The runtime of all nodes of a foreign fabric: asked for by ``--adopt``."""


class Runtime(Protocol):
    """A module here that makes nodes; a new one is named in ``topology.node.RUNTIMES``.

    What is made is read and changed through ``netlink``, and ends with its kernel.
    """

    NEEDS_ENGINE: bool

    def start(self, kernel: Kernel, nodes: Sequence[Node], netlink: Netlink) -> None:
        """Make a network namespace for each node, wait until it can be entered, and have ``netlink`` hold it."""
        ...

    def converged(self, kernel: Kernel, fabric: Fabric, nodes: Sequence[Node]) -> None:
        """Wait until what runs in the nodes of a built or restored fabric has done its part; DeadlineExceeded says
        what is missing."""
        ...


def runtime(name: str) -> Runtime:
    """A runtime, loaded with its libraries now; UnknownName lists the known ones."""
    if name not in RUNTIMES:
        raise UnknownName("runtime", name, RUNTIMES)
    return cast(Runtime, import_module(f"topology.nodes.{name}"))


def nodes_of(fabric: Fabric, default: str) -> dict[str, list[Node]]:
    """A fabric's nodes by their runtime; ``default`` is that of nodes that name none."""
    found: dict[str, list[Node]] = {}
    for node in fabric.nodes:
        found.setdefault(node.runtime or default, []).append(node)
    return found


def need_engine(fabric: Fabric, default: str) -> tuple[str, ...]:
    """The nodes that are made by a container engine; none of an adopted fabric."""
    made = nodes_of(fabric, default).items() if default != ADOPTED else ()
    return tuple(node.name for kind, nodes in made if runtime(kind).NEEDS_ENGINE for node in nodes)


def bring_up(fabric: Fabric, kernel: Kernel, default: str) -> Netlink:
    """Build a whole fabric, or with ADOPTED find it, where no node's own runtime counts.

    Raises NetlinkError with the lab file's line at the first refusal, NodeNotFound for what cannot be adopted.
    """
    if default == ADOPTED:
        from topology.nodes.adopted import AdoptedRuntime

        return AdoptedRuntime(kernel).bring_up(fabric)
    from topology.kernels.netlink import Netlink

    netlink = Netlink(kernel.agent)
    for kind, nodes in nodes_of(fabric, default).items():
        runtime(kind).start(kernel, nodes, netlink)
    netlink.build(make_plan(fabric))
    converge(fabric, kernel, default)
    return netlink


def converge(fabric: Fabric, kernel: Kernel, default: str) -> None:
    """Wait until a built or restored fabric is as its runtimes make it."""
    for kind, nodes in nodes_of(fabric, default).items():
        runtime(kind).converged(kernel, fabric, nodes)
