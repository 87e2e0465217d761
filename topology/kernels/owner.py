"""Who made something that can outlive its maker: a process, told apart from all others that ever had its number."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

START_TIME_FIELD = 19
"""Of what follows the command's name in /proc/PID/stat (proc(5): starttime is field 22 of all)."""
FIELDS = 5


@dataclass(frozen=True)
class Owner:
    """A process: the machine and its boot, the PID namespace, the number in it, and its start time in clock ticks."""

    host: str
    boot: str
    pid_namespace: str
    pid: int
    started: int

    @classmethod
    def this_process(cls) -> Owner:
        """The process that asks."""
        return cls(socket.gethostname(), _boot(), _pid_namespace(), os.getpid(), start_time(os.getpid()) or 0)

    @classmethod
    def parse(cls, text: object) -> Owner | None:
        """What ``str`` has written; None for anything else."""
        words: Sequence[str] = text.split("/") if isinstance(text, str) else ()
        if len(words) != FIELDS or not (words[3].isdecimal() and words[4].isdecimal()):
            return None
        return cls(words[0], words[1], words[2], int(words[3]), int(words[4]))

    def __str__(self) -> str:
        return f"{self.host}/{self.boot}/{self.pid_namespace}/{self.pid}/{self.started}"

    @property
    def is_surely_dead(self) -> bool:
        """Whether the process has ended; False where that cannot be known from here.

        A process of another machine or PID namespace is not ours to judge; none survives its machine's restart.
        """
        if self.host != socket.gethostname():
            return False
        if self.boot != _boot():
            return True
        return self.pid_namespace == _pid_namespace() and start_time(self.pid) != self.started


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since the boot; None where there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command's name stands in brackets and may hold any character, brackets and spaces among them.
    return int(stat.rpartition(")")[2].split()[START_TIME_FIELD])


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _pid_namespace() -> str:
    return str(Path("/proc/self/ns/pid").stat().st_ino)
