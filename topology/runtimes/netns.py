"""Nodes that are named network namespaces."""

from __future__ import annotations

from topology.kernels.netlink import Netlink
from topology.kernels.registry import Kernel
from topology.model import Fabric
from topology.plan import make_plan


class NetnsRuntime:
    """Each node is a namespace under /run/netns of the kernel's agent."""

    needs_engine = False

    def __init__(self, kernel: Kernel) -> None:
        self._agent = kernel.agent

    def bring_up(self, fabric: Fabric) -> Netlink:
        """Build the whole fabric."""
        netlink = Netlink(self._agent)
        netlink.build(make_plan(fabric))
        return netlink
