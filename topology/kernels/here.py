"""The kernel ``here``: this machine's own, with an agent that can enter the namespaces of this machine's containers.

A sandbox in a user namespace cannot enter namespaces that the machine's root has made; this one has none, and sees
the machine's processes. Its own network, mount and PID namespaces are fresh all the same: it stands outside the
machine's network, names its nodes where no other process sees them, and the kernel removes everything when it dies. It
enters foreign namespaces (containers, another fabric) only by ``netns_adopt``, which refuses the
machine's first network namespace and ours.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from topology.errors import KernelUnavailable
from topology.kernels.agent.namespaces import NETNS_DIR
from topology.kernels.engine import Engine, start_reaper
from topology.kernels.host import HostKernel
from topology.kernels.registry import ANYTHING, Others, Progress, Wanted


class HereKernel(HostKernel):
    """A sandbox on this machine's kernel that can reach what runs beside it."""

    kind = "here"
    new_namespaces: ClassVar[tuple[str, ...]] = ("--net", "--mount", "--pid", "--fork", "--kill-child=KILL")
    _engine: Engine | None = None
    _call_off_reaper: Callable[[], None] = staticmethod(lambda: None)

    @classmethod
    def start(cls, progress: Progress, wanted: Wanted = ANYTHING) -> HereKernel:
        """Start the sandbox; KernelUnavailable without root."""
        if os.geteuid() != 0:
            raise KernelUnavailable("it enters namespaces of this machine, which takes root")
        kernel = super().start(progress, wanted)
        assert isinstance(kernel, cls)
        return kernel

    @classmethod
    def _users(cls) -> Sequence[tuple[str, ...]]:
        return ((),)

    def engine(self) -> Engine:
        """This machine's container engine; its containers go when this kernel is closed or this process dies."""
        if self._engine is None:
            self._engine = Engine.of_this_machine()
            self._engine.remove_of_dead_owners()
            self._call_off_reaper = start_reaper(self._engine)
        return self._engine

    def others(self) -> Others:
        """This machine's: the agent's own /run is another, so the machine's is reached through this process."""
        own = Path("/proc/self/ns/net").stat()
        return Others(f"/proc/{os.getpid()}/root{NETNS_DIR}", ((own.st_dev, own.st_ino),), has_engine=True)

    def outlive(self) -> None:
        """Let the sandbox and its containers outlive this process."""
        super().outlive()
        self._call_off_reaper()

    def end_command(self) -> str:
        """The command that ends a kept sandbox, and removes its containers."""
        ends = super().end_command()
        return f"{ends} && {self._engine.end_command()}" if self._engine else ends

    def close(self) -> None:
        """End the sandbox, and remove its containers."""
        super().close()
        if self._engine is not None:
            self._engine.remove_own()
            self._engine.close()
            self._call_off_reaper()
            self._engine = None
