"""The kernels ``host`` and ``here``: this machine's own, with the agent in fresh namespaces.

``host``: ``unshare(1)`` gives the agent user, network, mount, IPC and PID namespaces of its own. It sees a fresh
``/proc``, ``/sys``, an empty ``/run`` and no resolver; it is PID 1 there, so that when it dies the kernel ends
everything it made.

``here`` has no user namespace of its own and sees the machine's processes, so that it can enter the namespaces of this
machine's containers, by ``netns_adopt`` only, which refuses the machine's first network namespace and the agent's.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, ClassVar, Self

from topology.errors import AgentLost, KernelUnavailable
from topology.kernels.agent.namespaces import NETNS_DIR
from topology.kernels.bundle import LOADER, agent_parcel
from topology.kernels.engine import Engine, start_reaper
from topology.kernels.link import AgentLink
from topology.kernels.ownership.keeper import KEEP, keeper_command
from topology.kernels.ownership.processes import printed_end
from topology.kernels.registry import ANYTHING, Kernel, KernelInfo, Others, Progress, Wanted

BOTH = ("--net", "--mount", "--pid", "--fork", "--kill-child=KILL")
AS_ROOT_INSIDE = ("--user", "--map-root-user")
NO_RESOLVER = "{ : >/run/resolv.conf; [ ! -e /etc/resolv.conf ] || mount --bind /run/resolv.conf /etc/resolv.conf; }"
PREPARE = f'mount -t tmpfs tmpfs /run && mkdir /run/netns && {NO_RESOLVER} && mount -t sysfs sysfs /sys && exec "$@"'
NAMESPACES_MAX = Path("/proc/sys/user/max_net_namespaces")
LOADED = (sys.executable, "-I", "-S", "-c", LOADER)
"""The command that takes the agent off its standard input, and is it from then on."""
HELLO_TIMEOUT_S = 10.0
END_TIMEOUT_S = 5.0


class HostKernel(Kernel):
    """A sandbox on this machine's kernel."""

    kind = "host"
    new_namespaces: ClassVar[tuple[str, ...]] = (*BOTH, "--ipc", "--uts", "--mount-proc")

    def __init__(self, process: subprocess.Popen[bytes], agent: AgentLink, words: IO[bytes], own_user: bool) -> None:
        self._process, self._words, self._own_user = process, words, own_user
        self._keeper: subprocess.Popen[bytes] | None = None
        self._keeper_stream: socket.socket | None = None
        self.agent = agent
        self.info = KernelInfo(self.kind, str(agent.hello["release"]), "native", "")

    @classmethod
    def start(cls, progress: Progress, wanted: Wanted = ANYTHING) -> HostKernel:
        """Start the sandbox; KernelUnavailable names the machine's refusal."""
        if sys.platform != "linux" or shutil.which("unshare") is None:
            raise KernelUnavailable("unshare(1) not found; on Debian it is in the package util-linux")
        reasons = []
        for user in cls._users(bool(wanted.daemons)):
            try:
                command = ("unshare", *user, *cls.new_namespaces, "sh", "-c", PREPARE, "sh", *LOADED)
                kernel = cls._launch(command, bool(user))
                if wanted.keep:
                    kernel._have_keeper()
                return kernel
            except AgentLost as error:
                reasons.append(str(error))
        raise KernelUnavailable(f"no sandbox of namespaces: {'; '.join(reasons)}")

    @property
    def namespaces_max(self) -> int | None:
        """The limit of this machine for the user who started the run (namespaces(7))."""
        return int(NAMESPACES_MAX.read_text()) if NAMESPACES_MAX.exists() else None

    def namespace_file(self, node: str) -> Path:
        """In the sandbox's own ``/run``."""
        return Path(f"/proc/{self._process.pid}/root/{NETNS_DIR}/{node}")

    @classmethod
    def _users(cls, needed: bool) -> Sequence[tuple[str, ...]]:
        """The user namespaces to try, in order; an empty one is none, where the machine's users are ``needed``."""
        if os.geteuid() != 0:
            return (AS_ROOT_INSIDE,)
        return ((),) if needed else (AS_ROOT_INSIDE, ())

    @classmethod
    def _launch(cls, command: Sequence[str], own_user: bool, timeout_s: float = HELLO_TIMEOUT_S) -> Self:
        """The kernel whose agent is at the other end of a command's input and output; AgentLost with its words."""
        ours, theirs = socket.socketpair()
        with tempfile.TemporaryFile() as errors, theirs:
            end = theirs.fileno()
            process = subprocess.Popen(command, stdin=end, stdout=end, stderr=errors, cwd="/", start_new_session=True)
            words = os.fdopen(os.dup(errors.fileno()), "rb")
        link = AgentLink(ours, why_lost=lambda: printed_end(words))
        try:
            link.send(agent_parcel())
            link.wait_hello(timeout_s)
        except AgentLost:
            link.close()
            process.kill()
            process.wait()
            words.close()
            raise
        return cls(process, link, words, own_user)

    def _have_keeper(self) -> None:
        """Start a keeper that holds the agent's stream open, so that it need not end with this process."""
        null = subprocess.DEVNULL
        self._keeper_stream, far = socket.socketpair()
        with far:
            fds, command = (far.fileno(), self.agent.fileno()), keeper_command(far.fileno())
            self._keeper = subprocess.Popen(
                command, stdin=null, stdout=null, stderr=null, pass_fds=fds, start_new_session=True, cwd="/"
            )

    def outlive(self) -> None:
        """Let its keeper keep it."""
        assert self._keeper_stream
        self._keeper_stream.send(KEEP)

    def enter(self, node: str) -> str:
        """The command that opens a shell in a node of a kept fabric."""
        user = " --user --preserve-credentials" if self._own_user else ""
        inside = f"nsenter{user} --mount --net --pid --target {self._inner_pid()}"
        return f"{inside} ip netns exec {node} bash"

    def end_command(self) -> str:
        """The command that ends a kept sandbox."""
        return f"kill {self._keeper.pid if self._keeper else self._process.pid}"

    def _inner_pid(self) -> int:
        """The agent's process as this machine counts: the only child of unshare."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return int(children.read_text().split()[0])

    def close(self) -> None:
        """End the sandbox and everything in it."""
        self.agent.close()
        if self._keeper and self._keeper_stream:
            self._keeper_stream.close()
            self._keeper.wait()
        try:
            self._process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._words.close()


class HereKernel(HostKernel):
    """A sandbox on this machine's kernel that can enter other namespaces of the machine."""

    kind = "here"
    new_namespaces: ClassVar[tuple[str, ...]] = BOTH
    _engine: Engine | None = None
    _call_off_reaper: Callable[[], None] = staticmethod(lambda: None)

    @classmethod
    def start(cls, progress: Progress, wanted: Wanted = ANYTHING) -> HereKernel:
        """Start the sandbox; KernelUnavailable without root."""
        if os.geteuid() != 0:
            raise KernelUnavailable("it enters namespaces of this machine, which needs root")
        kernel = super().start(progress, wanted)
        assert isinstance(kernel, cls)
        return kernel

    @classmethod
    def _users(cls, needed: bool) -> Sequence[tuple[str, ...]]:
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
        return Others(
            f"/proc/{os.getpid()}/root{NETNS_DIR}", ((own.st_dev, own.st_ino),), engine=Engine.of_this_machine
        )

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
