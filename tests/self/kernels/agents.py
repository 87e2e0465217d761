"""An agent in a sandbox, and stand-ins for one: bytes that wait on the stream, and answers by operation."""

from __future__ import annotations

import json
import shutil
import socket
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from topology.errors import KernelUnavailable
from topology.kernels.agent.namespaces import NETNS_DIR
from topology.kernels.agent.serve import PATH
from topology.kernels.host import HostKernel
from topology.kernels.link import AgentLink, Completed, Reply
from topology.wait import wait_for

PROGRAMS = {"ip": "iproute2", "sysctl": "procps"}
"""What the tests run in a sandbox, with the Debian package of each; .ci/setup installs them."""
HELLO: Mapping[str, Any] = {"event": "hello", "version": 1, "release": "6.1", "python": "3.11"}


def frame(header: object, body: bytes = b"") -> bytes:
    """A frame as an agent writes it."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("!II", len(text), len(body)) + text + body


def answer(number: int, body: bytes = b"", **fields: Any) -> bytes:
    """A good answer."""
    return frame({"id": number, "ok": fields}, body)


class Line:
    """A link and the agent's end of its stream, where bytes can wait before they are asked for."""

    def __init__(self) -> None:
        near, self.far = socket.socketpair()
        self.far.settimeout(5)
        self.link = AgentLink(near)

    def say(self, *frames: bytes) -> None:
        """Put bytes on the stream."""
        self.far.sendall(b"".join(frames))

    def end(self) -> None:
        """Say no more; what is asked is still taken."""
        self.far.shutdown(socket.SHUT_WR)

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.link.close()
        self.far.close()


class Scripted:
    """An agent whose every answer comes from a function of the operation, its body and its fields."""

    def __init__(self, reply: Callable[[str, bytes, Mapping[str, Any]], Reply]) -> None:
        self.reply = reply
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self.acts = 0

    def call(self, op: str, body: bytes = b"", timeout_s: float = 1, **fields: Any) -> Reply:
        """Note the question, give the answer."""
        self.asked.append((op, fields))
        return self.reply(op, body, fields)

    def run(self, argv: Sequence[str], ns: str | None = None, stdin: bytes = b"", timeout_s: float = 30) -> Completed:
        """Every command succeeds without a word."""
        self.acts += 1
        return Completed(tuple(argv), 0, "", "")

    def take_acts(self) -> int:
        """The commands since the last time."""
        acts, self.acts = self.acts, 0
        return acts


@contextmanager
def sandboxed_agent(*namespaces: str) -> Iterator[AgentLink]:
    """The agent of a sandbox with these namespaces; both are gone afterwards."""
    kernel = sandbox()
    try:
        kernel.agent.call("netns_add", names=list(namespaces))
        yield kernel.agent
    finally:
        kernel.close()


def code_of(agent: AgentLink, number: int) -> int:
    """The exit code of a started command, once it has ended."""
    codes: list[int | None] = []

    def ended() -> bool:
        agent.pump(0.1)
        codes.append(agent.ended(number))
        return codes[-1] is not None

    wait_for(ended, 10, "the command's end")
    assert codes[-1] is not None
    return codes[-1]


def namespaces(agent: AgentLink) -> list[str]:
    """The names of the namespaces in the sandbox."""
    return agent.run(["ls", NETNS_DIR]).stdout.split()


def sandbox() -> HostKernel:
    """A sandbox of this machine's kernel; skips where there can be none, or no command that the tests run in it."""
    if lacking := [package for program, package in PROGRAMS.items() if not shutil.which(program, path=PATH)]:
        pytest.skip(f"no commands for nodes here; on Debian: apt-get install {' '.join(lacking)}")
    try:
        return HostKernel.start(lambda _: None)
    except KernelUnavailable as error:
        pytest.skip(str(error))
