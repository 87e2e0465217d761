"""The kernel ``ssh``: another machine's own, with the agent in fresh namespaces there, as ``here`` has it on this one.

The agent is started by this machine's ssh(1), with the user's configuration, keys and known hosts, and never asks for a
password; where the user is not root there, by ``sudo -n``. Its stream is the connection: it ends with it, and as
process 1 of its namespaces it takes along all that it has started.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Self

from topology.errors import AgentLost, KernelUnavailable
from topology.kernels.agent.namespaces import NETNS_DIR
from topology.kernels.bundle import LOADER
from topology.kernels.host import BOTH, PREPARE, HostKernel
from topology.kernels.others import identities
from topology.kernels.registry import ANYTHING, Kernel, Others, Progress, Wanted

CONNECT_TIMEOUT_S, HELLO_TIMEOUT_S, HOLD_S = 15, 45.0, 30.0
ALIVE_S = 5
"""Seconds between questions whether the other side is there; after three without an answer the connection is lost."""
OPTIONS: Mapping[str, object] = {
    "BatchMode": "yes",
    "ConnectTimeout": CONNECT_TIMEOUT_S,
    "ServerAliveInterval": ALIVE_S,
    "ServerAliveCountMax": 3,
    "ClearAllForwardings": "yes",
    "ForwardX11": "no",
    "ForwardAgent": "no",
    "PermitLocalCommand": "no",
    "RemoteCommand": "none",
    "ControlMaster": "no",
    "LogLevel": "ERROR",
}
"""ssh_config(5). A connection that is shared may be used, but none is left for others."""
PYTHON = "import sys; v = sys.version_info; sys.exit(v < (3, 9) and 'python3 there is %d.%d' % v[:2])"
AS_ROOT = 'export LC_ALL=C; [ "$(id -u)" = 0 ] && exec "$@"; exec sudo -n "$@"'
INSIDE = shlex.join(("unshare", *BOTH, "sh", "-c", PREPARE, "sh", "python3", "-I", "-S", "-c", LOADER))
START = f"python3 -I -S -c {shlex.quote(PYTHON)} || exit; {INSIDE}; exit"
"""The shell stays, outside of the agent's namespaces, so that the machine's own can be reached through it."""
ENGINE_SOCKET = "run/docker.sock"
RIGHT = (
    (
        r"HOST IDENTIFICATION HAS CHANGED|has changed",
        "the key that is known; if the machine's was changed on purpose: ssh-keygen -R HOST, then log in once by hand",
    ),
    (r"[Hh]ost key verification failed", "a known host: log in once by hand, and compare its key"),
    (r"Permission denied", "a key that it accepts, in ssh's agent or configuration: no password is asked for"),
    (r"Could not resolve|Name or service not known", "a name that ssh_config(5) or the resolver knows"),
    (r"sudo: .*(password|terminal|tty)", "root, or a user with NOPASSWD in sudoers(5) there"),
    (r"sudo: .*not (found|allowed)|not in the sudoers", "root, or a user whom sudo lets be root there"),
    (r"python3: .*not found|python3.*No such file", "python3 there, 3.9 or newer"),
    (r"python3 there is", "python3 there, 3.9 or newer"),
    (r"unshare: .*(not found|Operation not permitted)", "Linux with unshare(1), and root with CAP_SYS_ADMIN"),
    (r"agent - frame", "nothing printed by its login shell where there is no terminal"),
    (r"refused|timed out|No route to host|unreachable|in time", "sshd there, and no firewall between"),
)
"""What ssh, sudo, the shell or we say where there is no agent, and what would be right."""
ENDED = re.compile(r"agent - [^-]* - expected to arrive - seen (the stream's end|\[Errno \d+\] [^-]*) - ")
"""Our own words about the end of a stream, of which ssh has said more."""


class SshKernel(HostKernel):
    """A sandbox on another machine's kernel that reaches namespaces beside it."""

    kind = "ssh"

    @classmethod
    def start(cls, progress: Progress, wanted: Wanted = ANYTHING) -> Self:
        """Log in and start the agent; KernelUnavailable quotes what went wrong, and says what would be right."""
        if wanted.keep:
            raise KernelUnavailable("a fabric there ends with the connection: it cannot be kept")
        if shutil.which("ssh") is None:
            raise KernelUnavailable("ssh(1) not found; on Debian: apt-get install openssh-client")
        address = f"{cls.kind}:{wanted.at}"
        progress(f"logging in to {address}")
        try:
            kernel = cls._launch(command(address), False, HELLO_TIMEOUT_S)
        except AgentLost as error:
            raise KernelUnavailable(refusal(str(error))) from None
        kernel.info = replace(kernel.info, why=address)
        kernel.agent.call("hold", every_s=HOLD_S)
        return kernel

    @property
    def namespaces_max(self) -> int | None:
        """None: the other machine's limit is not known."""
        return None

    def namespace_file(self, node: str) -> Path:
        """Raise KernelUnavailable."""
        return Kernel.namespace_file(self, node)

    def others(self) -> Others:
        """The machine's, as the shell sees them that started the agent; its engine is asked through the agent."""
        from topology.kernels.engine_guest import engine_of

        shell = f"/proc/{self._parent_of(self._parent_of('self'))}"
        (own,) = identities(self.agent, [f"{shell}/ns/net"])
        if own is None:
            raise KernelUnavailable(f"{self.info.why} - {shell} - expected the agent's shell - seen none")
        return Others(
            f"{shell}/root{NETNS_DIR}", (own,), partial(engine_of, self.agent, f"{shell}/root/{ENGINE_SOCKET}")
        )

    def _parent_of(self, process: str) -> str:
        """The number of a process's parent there (proc_pid_stat(5))."""
        (stat,) = self.agent.call("read_files", files=[[None, f"/proc/{process}/stat"]]).get("texts", list)
        return str(stat).rpartition(")")[2].split()[1]


def command(address: str) -> tuple[str, ...]:
    """The command that logs in and starts the agent."""
    options = (word for name, value in OPTIONS.items() for word in ("-o", f"{name}={value}"))
    there = shlex.join(("sh", "-c", AS_ROOT, "sh", "sh", "-c", START))
    return ("ssh", "-T", *options, "--", address, there)


def refusal(words: str) -> str:
    """One message of the end of an agent that never spoke: what was said instead, and what would be right."""
    said = ENDED.sub("", words)
    right = next((right for pattern, right in RIGHT if re.search(pattern, said)), "an agent there")
    return f"expected {right} - seen {said}"
