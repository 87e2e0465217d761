"""Opens a shell in a node of a kept guest: ``python -m topology.kernels.enter SOCKET NODE [COMMAND ...]``."""

from __future__ import annotations

import os
import select
import socket
import sys
import termios
import tty
from collections.abc import Sequence

from topology.errors import HopcheckError
from topology.kernels.link import AgentLink

SHELL = ("bash", "-i")


def enter(path: str, node: str, command: Sequence[str]) -> int:
    """Run a command in a node, its terminal joined to ours; gives its exit code."""
    stream = socket.socket(socket.AF_UNIX)
    stream.connect(path)
    link = AgentLink(stream)
    number = link.start(command, node, _show, terminal=True)
    while (code := link.ended(number)) is None:
        ready, _, _ = select.select([0, link.fileno()], [], [])
        if link.fileno() in ready:
            link.pump(1)
        if 0 in ready:
            typed = os.read(0, 4096)
            link.call("input", typed or b"\x04", to=number)
    return code


def _show(stream: str, data: bytes) -> None:
    os.write(1, data)


def main(arguments: Sequence[str]) -> int:
    """Put our terminal into raw mode for as long as the command runs."""
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    path, node, *command = arguments
    if not sys.stdin.isatty():
        return enter(path, node, command or SHELL)
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        return enter(path, node, command or SHELL)
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (HopcheckError, OSError) as error:
        sys.exit(f"cannot enter: {error}")
