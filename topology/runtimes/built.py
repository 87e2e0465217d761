"""Nodes that are made for the run: named network namespaces, or containers of docker's engine.

A container has no network of the engine's: our links are all it has.
"""

from __future__ import annotations

from pathlib import Path

from topology.errors import AgentError, DeadlineExceeded, EngineError
from topology.kernels.engine import Container
from topology.kernels.netlink import Netlink
from topology.kernels.registry import Kernel
from topology.model import Fabric
from topology.plan import make_plan
from topology.wait import wait_for

BUSYBOX = "/bin/busybox"
EXEC_TIMEOUT_S = 5.0
FIX = "on Debian: apt-get install busybox-static"


class NetnsRuntime:
    """Each node is a namespace under /run/netns of the kernel's agent."""

    needs_engine = False

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def bring_up(self, fabric: Fabric) -> Netlink:
        """Build the whole fabric."""
        netlink = Netlink(self._kernel.agent)
        netlink.build(make_plan(fabric))
        return netlink


class DockerRuntime:
    """Each node is a container; the kernel's agent enters its network namespace and wires it."""

    needs_engine = True

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def bring_up(self, fabric: Fabric) -> Netlink:
        """Start a container for each node, then build the whole fabric between them."""
        agent, engine = self._kernel.agent, self._kernel.engine()
        image = engine.ensure_image(self._busybox())
        containers = [engine.run_node(image, node.name) for node in fabric.nodes]
        self._check(containers)
        netlink = Netlink(agent)
        ours = Path("/proc/self/ns/net").stat()
        paths = {container.name: f"/proc/{container.pid}/ns/net" for container in containers}
        netlink.adopt(paths, never=[(ours.st_dev, ours.st_ino)])
        netlink.build(make_plan(fabric))
        return netlink

    def _busybox(self) -> bytes:
        """The static busybox of the agent's machine: the whole userland of a node."""
        try:
            data = self._kernel.agent.call("read_bytes", path=BUSYBOX).body
        except AgentError as error:
            raise EngineError(f"node image - {BUSYBOX} - expected a static program - seen {error} - {FIX}") from error
        if not is_static(data):
            raise EngineError(f"node image - {BUSYBOX} - expected a static program - seen another - {FIX}")
        return data

    def _check(self, containers: list[Container]) -> None:
        """Wait until each process has its node's proof; an engine in a virtual machine counts processes otherwise."""
        unproven = containers

        def all_ours() -> bool:
            nonlocal unproven
            unproven = self._without_proof(unproven)
            return not unproven

        try:
            wait_for(all_ours, EXEC_TIMEOUT_S, "the containers' programs")
        except DeadlineExceeded:
            raise EngineError(
                f"container engine - node {unproven[0].name} - expected process {unproven[0].pid} on this machine"
                " - seen another - is the engine in a virtual machine?"
            ) from None

    def _without_proof(self, containers: list[Container]) -> list[Container]:
        """The containers whose process does not have the environment that was given to them."""
        files = [[None, f"/proc/{container.pid}/environ"] for container in containers]
        texts = self._kernel.agent.call("read_files", files=files).get("texts", list)
        both = zip(containers, texts, strict=True)
        return [known for known, text in both if not isinstance(text, str) or known.proof not in text.split("\0")]


def is_static(program: bytes) -> bool:
    """Return whether a program is an ELF file without a dynamic loader (elf(5): no PT_INTERP segment)."""
    return program[:4] == b"\x7fELF" and b"/ld-linux" not in program and b"/ld-musl" not in program
