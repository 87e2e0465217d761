"""Nodes that are containers of docker's engine, without a network of the engine's: our links are all they have."""

from __future__ import annotations

from pathlib import Path

from topology.errors import AgentError, EngineError
from topology.kernels.engine import Container
from topology.kernels.netlink import Netlink
from topology.kernels.registry import Kernel
from topology.model import Fabric
from topology.plan import make_plan

BUSYBOX = "/bin/busybox"
MEND = "on Debian: apt-get install busybox-static"


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
        """The static busybox of whichever machine the agent is on: the whole userland of a node."""
        try:
            data = self._kernel.agent.call("read_bytes", path=BUSYBOX).body
        except AgentError as error:
            raise EngineError(f"node image - {BUSYBOX} - expected a static program - seen {error} - {MEND}") from error
        if not is_static(data):
            raise EngineError(f"node image - {BUSYBOX} - expected a static program - seen another - {MEND}")
        return data

    def _check(self, containers: list[Container]) -> None:
        """An engine in a virtual machine counts processes otherwise: none of them may be taken for one of ours."""
        files = [[None, f"/proc/{container.pid}/environ"] for container in containers]
        texts = self._kernel.agent.call("read_files", files=files).get("texts", list)
        for container, text in zip(containers, texts, strict=True):
            if not isinstance(text, str) or container.proof not in text.split("\0"):
                raise EngineError(
                    f"container engine - node {container.name} - expected process {container.pid} on this machine"
                    " - seen another - is the engine in a virtual machine?"
                )


def is_static(program: bytes) -> bool:
    """Whether a program is an ELF file that asks for no dynamic loader (elf(5): no PT_INTERP segment)."""
    return program[:4] == b"\x7fELF" and b"/ld-linux" not in program and b"/ld-musl" not in program
