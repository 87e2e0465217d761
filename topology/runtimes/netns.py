"""Nodes that are named network namespaces."""

from __future__ import annotations

from topology.kernels.link import Agent
from topology.kernels.netlink import Netlink
from topology.model import Fabric
from topology.plan import make_plan


class NetnsRuntime:
    """Each node is a namespace under /run/netns of the kernel's agent."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def bring_up(self, fabric: Fabric) -> Netlink:
        """Build the whole fabric."""
        netlink = Netlink(self._agent)
        netlink.build(make_plan(fabric))
        return netlink
