"""What nodes are made of, and the one place where kinds of nodes are known by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from topology.errors import UnknownName
from topology.kernels.link import Agent
from topology.kernels.netlink import Netlink
from topology.model import Fabric
from topology.runtimes.netns import NetnsRuntime


class Runtime(Protocol):
    """Makes the nodes of a fabric on a kernel and wires them. A new kind is one module, named in RUNTIMES."""

    def bring_up(self, fabric: Fabric) -> Netlink:
        """Build the whole fabric; raises NetlinkError with the lab file's line at the first refusal."""
        ...


RUNTIMES: Mapping[str, Callable[[Agent], Runtime]] = {"netns": NetnsRuntime}


def make_runtime(name: str, agent: Agent) -> Runtime:
    """A runtime by name; UnknownName lists the known ones."""
    if name not in RUNTIMES:
        raise UnknownName("runtime", name, RUNTIMES)
    return RUNTIMES[name](agent)
