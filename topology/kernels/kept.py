"""The kernel ``guest:NAME``: a guest that another run has kept, reached by its agent's socket; it stays when this run
ends.
"""

from __future__ import annotations

import re
import socket
import tempfile
from pathlib import Path
from typing import Self

from topology.errors import AgentLost, KernelUnavailable
from topology.kernels.agent.namespaces import NETNS_DIR
from topology.kernels.enter import command_for
from topology.kernels.link import AgentLink
from topology.kernels.qemu import DOOR
from topology.kernels.registry import ANYTHING, Kernel, KernelInfo, Others, Progress, Wanted

PREFIX = "hopcheck-kept-"
"""Begins the name of a kept guest's folder; the guest's name is the rest."""
ANSWER_S = 10.0
VISITED = re.compile(r"hopcheck-\d+")
"""The name that a run gives to a namespace that it visits; a killed run leaves some."""


class KeptGuest(Kernel):
    """A microVM of another run."""

    kind = "guest"

    def __init__(self, agent: AgentLink, name: str, door: Path) -> None:
        self.agent, self._name, self._door = agent, name, door
        (cpus,) = agent.call("read_files", files=[[None, "/proc/cpuinfo"]]).get("texts", list)
        accelerator = "tcg" if "QEMU TCG" in str(cpus) else "kvm"
        self.info = KernelInfo(self.kind, str(agent.hello["release"]), accelerator, f"kept as {name}")

    @classmethod
    def start(cls, progress: Progress, wanted: Wanted = ANYTHING) -> Self:
        """Enter the guest of that name; KernelUnavailable lists those that there are."""
        door = Path(tempfile.gettempdir(), f"{PREFIX}{wanted.at}", DOOR)
        stream = socket.socket(socket.AF_UNIX)
        try:
            stream.connect(str(door))
        except OSError as error:
            stream.close()
            known = sorted(path.parent.name.removeprefix(PREFIX) for path in door.parents[1].glob(f"{PREFIX}*/{DOOR}"))
            there = f"there is: {', '.join(known) or 'none'}"
            raise KernelUnavailable(f"expected a kept guest {wanted.at} - seen {error.strerror}; {there}") from error
        agent = AgentLink(stream)
        try:
            agent.ask_hello()
            agent.wait_hello(ANSWER_S)
        except AgentLost as error:
            agent.close()
            right = f"expected the guest {wanted.at} to answer (only one run can use it at a time)"
            raise KernelUnavailable(f"{right} - seen {error}") from error
        kernel = cls(agent, wanted.at, door)
        named = agent.call("netns_find", folder=NETNS_DIR, never=[]).get("named", list)
        agent.call("netns_del", names=[name for name, _ in named if VISITED.fullmatch(name)])
        return kernel

    def others(self) -> Others:
        """The namespaces in the guest."""
        return Others(NETNS_DIR)

    def enter(self, node: str) -> str:
        """The command that opens a shell in a node."""
        return command_for(str(self._door), node)

    def end_command(self) -> str:
        """Raise KernelUnavailable: the run that has kept the guest has printed it."""
        raise KernelUnavailable(
            f"guest {self._name} - its end - expected to be left to the run that started it - seen requested"
        )

    def close(self) -> None:
        """Leave the guest."""
        self.agent.close()
