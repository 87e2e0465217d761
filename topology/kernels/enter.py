"""Opens a shell in a node of a kept guest: ``python -m topology.kernels.enter SOCKET NODE [COMMAND ...]``."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import termios
import tty
from collections.abc import Sequence

from topology.errors import AgentError, HopcheckError
from topology.kernels.link import AgentLink

SHELL = ("bash", "-i")
CONTROL_D = b"\x04"
DAY_S = 86_400.0


def enter(path: str, node: str, command: Sequence[str]) -> int:
    """Run a command in a node, its terminal joined to ours; gives its exit code."""
    link = _link(path)
    number = link.start(command, node, _show, terminal=True)
    sources = [0, link.fileno()]
    while (code := link.ended(number)) is None:
        ready, _, _ = select.select(sources, [], [])
        if link.fileno() in ready:
            link.pump(1)
        elif not _type(link, number, os.read(0, 4096)):
            sources.remove(0)
    return code


def _type(link: AgentLink, number: int, typed: bytes) -> bool:
    """Pass on what was typed; False at the end of our input, which the command sees as Ctrl-D."""
    with contextlib.suppress(AgentError):
        link.call("input", typed or CONTROL_D, to=number)
    return bool(typed)


def _show(stream: str, data: bytes) -> None:
    os.write(1, data)


def main(arguments: Sequence[str]) -> int:
    """Join our terminal to the command's; without a terminal, pass on our input and its output."""
    if len(arguments) < 2:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    path, node, *command = arguments
    if not sys.stdin.isatty():
        return run_through(path, node, command or SHELL[:1])
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        return enter(path, node, command or SHELL)
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


def run_through(path: str, node: str, command: Sequence[str]) -> int:
    """Run a command in a node with the whole of our input; gives its exit code."""
    done = _link(path).run(command, node, sys.stdin.buffer.read(), timeout_s=DAY_S)
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    return done.code


def _link(path: str) -> AgentLink:
    stream = socket.socket(socket.AF_UNIX)
    stream.connect(path)
    return AgentLink(stream)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (HopcheckError, OSError) as error:
        sys.exit(f"cannot enter: {error}")
