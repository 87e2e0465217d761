"""Processes: distinguished from all others that ever had their number, and ended with the process that started them."""

from __future__ import annotations

import ctypes
import os
import signal as signals
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

START_TIME_FIELD = 19
"""Index behind the command's name in /proc/PID/stat (proc(5): starttime is field 22 of all)."""
FIELDS = 5
PR_SET_PDEATHSIG = 1
"""linux/prctl.h"""
STILL_THERE = '[ "$PPID" = "$0" ] && exec "$@"'
"""For a shell between setpriv and the command: a process orphaned before it asked for the signal never gets it."""


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
        """The calling process."""
        return cls(socket.gethostname(), _boot(), _pid_namespace(), os.getpid(), start_time(os.getpid()) or 0)

    @classmethod
    def parse(cls, text: object) -> Owner | None:
        """Read what ``str`` has written; None for anything else."""
        words: Sequence[str] = text.split("/") if isinstance(text, str) else ()
        if len(words) != FIELDS or not (words[3].isdecimal() and words[4].isdecimal()):
            return None
        return cls(words[0], words[1], words[2], int(words[3]), int(words[4]))

    def __str__(self) -> str:
        return f"{self.host}/{self.boot}/{self.pid_namespace}/{self.pid}/{self.started}"

    @property
    def is_surely_dead(self) -> bool:
        """True if the process has ended; False also where that cannot be known from here.

        A process of another machine or PID namespace cannot be judged; none survives its machine's restart.
        """
        if self.host != socket.gethostname():
            return False
        if self.boot != _boot():
            return True
        return self.pid_namespace == _pid_namespace() and start_time(self.pid) != self.started


def start_time(pid: int) -> int | None:
    """Start time of a process in clock ticks since the boot; None where there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command's name stands in brackets and may hold any character, brackets and spaces among them.
    return int(stat.rpartition(")")[2].split()[START_TIME_FIELD])


def dies_with(parent: int | str, signal: str = "KILL") -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The option for setpriv(1), and the words between setpriv's ``--`` and the command, to die with a process.

    The kernel sends the signal (PR_SET_PDEATHSIG, prctl(2)) even where the parent is killed. A thread of the parent
    must start setpriv, and live on. The option must come with the last change of user or group, which would clear it.
    """
    return (f"--pdeathsig={signal}",), ("sh", "-c", STILL_THERE, str(parent))


def end_with(parent: int) -> None:
    """Have the kernel end this process with its parent; end at once if the parent has ended already."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signals.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signals.SIGKILL)


def printed_end(printed: IO[bytes]) -> str:
    """The last 400 bytes that a process has printed into a file, as whole lines on one."""
    if printed.closed:
        return "the kernel was closed"
    size = os.fstat(printed.fileno()).st_size
    words = os.pread(printed.fileno(), 400, max(0, size - 400)).decode(errors="replace")
    whole = words.partition("\n")[2] if size > 400 else words
    return " / ".join(filter(None, map(str.strip, (whole or words).splitlines()))) or "it printed nothing"


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _pid_namespace() -> str:
    return str(Path("/proc/self/ns/pid").stat().st_ino)
