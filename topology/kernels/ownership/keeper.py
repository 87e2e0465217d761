"""Parent of a kernel that ``--keep`` leaves up: ends it with the run, until the run has printed how to end it.

``python -I -S keeper.py STREAM FOLDER [COMMAND ...]`` runs the command, if there is one, with all descriptors that it
has, and ends when the command does, when it gets SIGTERM, or when the descriptor STREAM ends before the word
``keep`` came over it: then the run was killed. The folder, unless it is empty, goes with it. The word ``KEEPER`` in the
command stands for this process's number. Standard library only.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

KEEP = b"keep"
KEEPER = "KEEPER"


def main(arguments: Sequence[str]) -> int:
    """Run the command until it, the stream or this process is ended; returns the command's exit code."""
    stream, folder, *words = arguments
    os.set_inheritable(int(stream), False)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, give_up)
    command = [str(os.getpid()) if word == KEEPER else word for word in words]
    process = None
    try:
        process = subprocess.Popen(command, close_fds=False) if command else None
        wait(int(stream), process)
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        if process:
            process.kill()
            process.wait()
        if folder:
            shutil.rmtree(folder, ignore_errors=True)
    return max(0, process.returncode) if process else 0


def keeper_command(stream: int, folder: str = "") -> tuple[str, ...]:
    """The command that runs this module; the command to keep may follow."""
    return (sys.executable, "-I", "-S", __file__, str(stream), folder)


@contextlib.contextmanager
def temporary(folder: Path) -> Iterator[None]:
    """Make a folder, and have it removed at the end of the block, also where this process is killed in it."""
    near, far = socket.socketpair()
    null = subprocess.DEVNULL
    with far:
        process = subprocess.Popen(
            keeper_command(far.fileno(), str(folder)),
            stdin=null,
            stdout=null,
            stderr=null,
            pass_fds=[far.fileno()],
            start_new_session=True,
            cwd="/",
        )
    try:
        folder.mkdir()
        yield
    finally:
        near.close()
        process.wait()


def give_up(number: int, frame: FrameType | None) -> None:
    """End on a signal: the command that ends a kept kernel sends SIGTERM."""
    raise SystemExit(0)


def wait(stream: int, process: subprocess.Popen[bytes] | None) -> None:
    """Wait for the process's end, or for the stream's, unless ``keep`` came over it."""
    sources = [stream, *([os.pidfd_open(process.pid)] if process else [])]
    while sources:
        ready, _, _ = select.select(sources, [], [])
        if ready != [stream] or os.read(stream, len(KEEP)) != KEEP:
            return
        sources.remove(stream)
    signal.pause()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
