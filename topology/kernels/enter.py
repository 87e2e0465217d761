"""Opens a shell in a node of a kept guest: ``python -m topology.kernels.enter SOCKET NODE [COMMAND ...]``."""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import socket
import sys
import termios
import tty
from collections.abc import Sequence
from pathlib import Path

from topology.errors import AgentError, HopcheckError
from topology.kernels.link import AgentLink

CONTROL_D = b"\x04"
DAY_S = 86_400.0


def command_for(path: str, node: str) -> str:
    """The command that opens a shell in a node, from any folder: this checkout is found by its path."""
    root = Path(__file__).resolve().parents[2]
    return shlex.join(["env", f"PYTHONPATH={root}", sys.executable, "-P", "-m", "topology.kernels.enter", path, node])


def _show(stream: str, data: bytes) -> None:
    os.write(1, data)


def enter(link: AgentLink, node: str, command: Sequence[str]) -> int:
    """Run a command in a node, its terminal joined to ours; gives its exit code."""
    number = link.start(command, node, _show, terminal=True)
    sources = [0, link.fileno()]
    while (code := link.ended(number)) is None:
        ready, _, _ = select.select(sources, [], [])
        if link.fileno() in ready:
            link.pump(1)
            continue
        typed = os.read(0, 4096)
        with contextlib.suppress(AgentError):
            link.call("input", typed or CONTROL_D, to=number)
        if not typed:
            sources.remove(0)
    return code


def run_through(link: AgentLink, node: str, command: Sequence[str]) -> int:
    """Run a command in a node with the whole of our input; gives its exit code."""
    done = link.run(command, node, sys.stdin.buffer.read(), timeout_s=DAY_S)
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    return done.code


def shell(link: AgentLink, node: str, command: Sequence[str] = ()) -> int:
    """Run a shell, or a command, in a node: joined to our terminal, or with the whole of our input; its exit code."""
    if not sys.stdin.isatty():
        return run_through(link, node, command or ("bash",))
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        return enter(link, node, command or ("bash", "-i"))
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


def main(arguments: Sequence[str]) -> int:
    """Join our terminal to the command's; without a terminal, pass on our input and its output."""
    if len(arguments) < 2:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    path, node, *command = arguments
    stream = socket.socket(socket.AF_UNIX)
    stream.connect(path)
    return shell(AgentLink(stream), node, command)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (HopcheckError, OSError) as error:
        sys.exit(f"cannot enter: {error}")
