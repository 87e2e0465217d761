"""Kinds of kernel that start nothing, for whoever chooses among kernels."""

from __future__ import annotations

from typing import ClassVar, cast

from tests.self.kernels.agents import Scripted
from topology.errors import KernelUnavailable
from topology.kernels.link import AgentLink, Reply
from topology.kernels.registry import ANYTHING, Kernel, KernelInfo, Progress, Wanted


class Fake(Kernel):
    """A kernel that comes up at once, lacks nothing, and remembers whether it was closed."""

    kind = "fake"
    started: ClassVar[list[Fake]] = []

    def __init__(self) -> None:
        self.agent = cast(AgentLink, Scripted(lambda *_: Reply({}, b"")))
        self.info = KernelInfo(self.kind, "6.1", "native", "")
        self.closed = self.outlives = False
        Fake.started.append(self)

    @classmethod
    def start(cls, progress: Progress, wanted: Wanted = ANYTHING) -> Fake:
        """Be there."""
        return cls()

    def enter(self, node: str) -> str:
        """No shell."""
        return f"enter {node}"

    def end_command(self) -> str:
        """No process."""
        return "end it"

    def outlive(self) -> None:
        """Note it."""
        self.outlives = True

    def close(self) -> None:
        """Note it."""
        self.closed = True


class Good(Fake):
    """Can carry everything."""

    kind = "good"


class Poor(Fake):
    """Has no GRE."""

    kind = "poor"


class Dying(Fake):
    """Loses its agent as soon as it is asked anything."""

    kind = "dying"


class Absent(Fake):
    """Cannot start."""

    kind = "absent"

    @classmethod
    def start(cls, progress: Progress, wanted: Wanted = ANYTHING) -> Fake:
        """Say why not; the brackets are what a terminal's markup could choke on."""
        raise KernelUnavailable("qemu is not here [/x]; on Debian: apt-get install it")
