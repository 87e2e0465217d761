"""A process that does not outlive the one that starts it, not even when that is killed.

The kernel ends it (PR_SET_PDEATHSIG, prctl(2)): there is nobody who would have to clean up.
"""

from __future__ import annotations

import ctypes
import os
import signal as signals

PR_SET_PDEATHSIG = 1
"""linux/prctl.h"""
STILL_THERE = '[ "$PPID" = "$0" ] && exec "$@"'
"""For a shell between setpriv and the command: who was orphaned before the signal was asked for would never get it."""


def dies_with(parent: int | str, signal: str = "KILL") -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The option for setpriv(1), and the words between setpriv's ``--`` and the command, to die with a process.

    A thread of that process must start setpriv, and live on. The option must come with the last change of user or
    group, which would clear the signal.
    """
    return (f"--pdeathsig={signal}",), ("sh", "-c", STILL_THERE, str(parent))


def end_with(parent: int) -> None:
    """End with the process that has started this one, or at once if it has ended already."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signals.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signals.SIGKILL)
