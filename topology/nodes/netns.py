"""Nodes that are named network namespaces under /run/netns of the kernel's agent; they end with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from topology.model import Fabric, Node

if TYPE_CHECKING:
    from topology.kernels.netlink import Netlink
    from topology.kernels.registry import Kernel

NEEDS_ENGINE = False


def start(_: Kernel, nodes: Sequence[Node], netlink: Netlink) -> None:
    """Make a namespace for each node."""
    netlink.add([node.name for node in nodes])


def converged(_: Kernel, fabric: Fabric, nodes: Sequence[Node]) -> None:
    """Return at once: nothing runs in it."""
