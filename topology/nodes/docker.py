"""Nodes that are containers of docker's engine, which removes them at the end.

A container has no network of the engine's: our links are all it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from topology.errors import AgentError, DeadlineExceeded, EngineError
from topology.kernels.engine import Container
from topology.kernels.link import AgentLink
from topology.model import Fabric, Node
from topology.wait import wait_for

if TYPE_CHECKING:
    from topology.kernels.netlink import Netlink
    from topology.kernels.registry import Kernel

NEEDS_ENGINE = True
BUSYBOX = "/bin/busybox"
EXEC_TIMEOUT_S = 5.0
FIX = "on Debian: apt-get install busybox-static"


def start(kernel: Kernel, nodes: Sequence[Node], netlink: Netlink) -> None:
    """Start a container for each node, wait until its process is proven, and enter its namespace."""
    engine, names = kernel.engine(), [node.name for node in nodes]
    image = engine.ensure_image(_busybox(kernel.agent))
    containers = [engine.run_node(image, name) for name in names]
    _check(kernel.agent, containers)
    ours = Path("/proc/self/ns/net").stat()
    paths = {container.name: f"/proc/{container.pid}/ns/net" for container in containers}
    netlink.entrances |= {name: f"docker exec {engine.label(name)}" for name in names}
    netlink.adopt(paths, never=[(ours.st_dev, ours.st_ino)])


def converged(_: Kernel, fabric: Fabric, nodes: Sequence[Node]) -> None:
    """Return at once: no daemon runs in it."""


def _busybox(agent: AgentLink) -> bytes:
    """The static busybox of the agent's machine: the whole userland of a node."""
    try:
        data = agent.call("read_bytes", path=BUSYBOX).body
    except AgentError as error:
        raise EngineError(f"node image - {BUSYBOX} - expected a static program - seen {error} - {FIX}") from error
    if not is_static(data):
        raise EngineError(f"node image - {BUSYBOX} - expected a static program - seen another - {FIX}")
    return data


def _check(agent: AgentLink, containers: Sequence[Container]) -> None:
    """Wait until each process has its node's proof; an engine in a virtual machine counts processes otherwise."""
    unproven = containers

    def all_ours() -> bool:
        nonlocal unproven
        unproven = _without_proof(agent, unproven)
        return not unproven

    try:
        wait_for(all_ours, EXEC_TIMEOUT_S, "the containers' programs")
    except DeadlineExceeded:
        raise EngineError(
            f"container engine - node {unproven[0].name} - expected process {unproven[0].pid} on this machine"
            " - seen another - is the engine in a virtual machine?"
        ) from None


def _without_proof(agent: AgentLink, containers: Sequence[Container]) -> list[Container]:
    """The containers whose process does not have the environment that was given to them."""
    files = [[None, f"/proc/{container.pid}/environ"] for container in containers]
    texts = agent.call("read_files", files=files).get("texts", list)
    both = zip(containers, texts, strict=True)
    return [known for known, text in both if not isinstance(text, str) or known.proof not in text.split("\0")]


def is_static(program: bytes) -> bool:
    """Return whether a program is an ELF file without a dynamic loader (elf(5): no PT_INTERP segment)."""
    return program[:4] == b"\x7fELF" and b"/ld-linux" not in program and b"/ld-musl" not in program
