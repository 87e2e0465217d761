"""Our end of the agent's stream: requests out, answers in, every frame bounded and validated.

What comes from an agent is hostile input: a student's submission may have root beside it. A frame that is too
large, not JSON, or answers nothing that was asked ends the link.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from topology.errors import AgentError, AgentLost
from topology.wait import scaled

HEADER_MAX, BODY_MAX = 1 << 20, 1 << 24
OUTPUT_MAX = 1 << 24
"""Bytes that one command may print before the link gives up on it."""
CALL_TIMEOUT_S = 60.0
SILENCE_S = 1.0


@dataclass(frozen=True)
class Reply:
    """An answer's header fields and body."""

    fields: Mapping[str, Any]
    body: bytes


@dataclass(frozen=True)
class Completed:
    """A command that has ended; a negative code is the signal that ended it."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str
    timed_out: bool = False


@dataclass
class _Pending:
    """A request under way: its output so far, and its answer."""

    output: dict[str, bytearray] = field(default_factory=dict)
    listener: Callable[[str, bytes], None] | None = None
    reply: Reply | None = None
    error: Mapping[str, Any] | None = None
    op: str = ""

    @property
    def done(self) -> bool:
        return self.reply is not None or self.error is not None


class Agent(Protocol):
    """What the layers above need of an agent, so that a test can stand in for it."""

    def call(self, op: str, body: bytes = b"", timeout_s: float = CALL_TIMEOUT_S, **fields: Any) -> Reply:
        """Ask and wait for the answer."""
        ...

    def run(self, argv: Sequence[str], ns: str | None = None, stdin: bytes = b"", timeout_s: float = 30) -> Completed:
        """Run a command in a namespace and wait for its end."""
        ...


class AgentLink:
    """An agent behind a connected stream socket.

    ``why_lost`` is asked for the reason when the stream ends, so that the message can quote a guest's console;
    ``health`` is asked after every second of silence, and a reason that it gives ends the wait.
    """

    def __init__(
        self,
        stream: socket.socket,
        why_lost: Callable[[], str] = lambda: "the stream ended",
        health: Callable[[], str] = lambda: "",
    ) -> None:
        self._stream = stream
        self._why_lost = why_lost
        self._health = health
        self._buffer = bytearray()
        self._pending: dict[int, _Pending] = {}
        self._number = 0
        self.hello: Mapping[str, Any] = {}

    def send_parcel(self, parcel: bytes) -> None:
        """Give a waiting loader the agent's source."""
        self._send_bytes(parcel)

    def wait_hello(self, timeout_s: float) -> Mapping[str, Any]:
        """Wait for the agent's first word: its version, the kernel's release, Python's version."""
        deadline = time.monotonic() + scaled(timeout_s)
        while not self.hello:
            self._receive(deadline, "the agent's hello")
        return self.hello

    def call(self, op: str, body: bytes = b"", timeout_s: float = CALL_TIMEOUT_S, **fields: Any) -> Reply:
        """Ask and wait for the answer; AgentError carries the agent's own words."""
        return self._wait(self._ask(op, body, fields), timeout_s)

    def start(
        self,
        argv: Sequence[str],
        ns: str | None,
        listener: Callable[[str, bytes], None],
        terminal: bool = False,
    ) -> int:
        """Start a command whose output goes to ``listener(stream, bytes)``; gives the request's number."""
        fields = {"argv": list(argv), "ns": ns, "terminal": terminal}
        number = self._ask("exec", b"", fields)
        self._pending[number].listener = listener
        return number

    def ended(self, number: int) -> int | None:
        """The exit code of a started command, None while it runs; never waits."""
        pending = self._pending[number]
        if not pending.done:
            return None
        return int(self._take(number).fields["code"])

    def pump(self, timeout_s: float) -> None:
        """Handle one arriving piece of the stream, or return after ``timeout_s``."""
        self._receive(time.monotonic() + timeout_s, "output")

    def run(self, argv: Sequence[str], ns: str | None = None, stdin: bytes = b"", timeout_s: float = 30) -> Completed:
        """Run a command in a namespace and wait for its end; a command past its deadline is killed."""
        number = self._ask("exec", stdin, {"argv": list(argv), "ns": ns, "timeout_s": scaled(timeout_s)})
        pending = self._pending[number]
        fields = self._wait(number, timeout_s + CALL_TIMEOUT_S).fields
        out, err = (pending.output.get(name, b"").decode(errors="replace") for name in ("stdout", "stderr"))
        return Completed(tuple(argv), int(fields["code"]), out, err, bool(fields["timed_out"]))

    def fileno(self) -> int:
        """The stream's descriptor."""
        return self._stream.fileno()

    def close(self) -> None:
        """End the stream; the agent ends with it."""
        self._stream.close()

    def _ask(self, op: str, body: bytes, fields: Mapping[str, Any]) -> int:
        self._number += 1
        text = json.dumps({"id": self._number, "op": op, **fields}, separators=(",", ":")).encode()
        if len(text) > HEADER_MAX or len(body) > BODY_MAX:
            raise AgentError(f"agent - request {op} - expected at most {BODY_MAX} bytes - seen {len(body)}")
        self._pending[self._number] = _Pending(op=op)
        self._send_bytes(struct.pack("!II", len(text), len(body)) + text + body)
        return self._number

    def _send_bytes(self, data: bytes) -> None:
        self._stream.settimeout(scaled(CALL_TIMEOUT_S))
        try:
            self._stream.sendall(data)
        except OSError as error:
            raise AgentLost(f"agent - stream - expected open - seen {error} - {self._why_lost()}") from error

    def _wait(self, number: int, timeout_s: float) -> Reply:
        deadline = time.monotonic() + scaled(timeout_s)
        pending = self._pending[number]
        while not pending.done:
            self._receive(deadline, f"the answer to {pending.op}")
        return self._take(number)

    def _take(self, number: int) -> Reply:
        pending = self._pending.pop(number)
        if pending.reply is not None:
            return pending.reply
        detail = pending.error or {}
        words = f"agent - {pending.op} - {detail.get('type')}: {detail.get('message')}"
        code = detail.get("errno")
        raise AgentError(words, code if isinstance(code, int) else None)

    def _receive(self, deadline: float, what: str) -> None:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise AgentLost(f"agent - {what} - expected in time - seen nothing - {self._why_lost()}")
        self._stream.settimeout(min(remaining, SILENCE_S))
        try:
            data = self._stream.recv(1 << 18)
        except TimeoutError:
            if reason := self._health():
                raise AgentLost(f"agent - {what} - expected - seen nothing - {reason}") from None
            return
        except OSError as error:
            raise AgentLost(f"agent - {what} - expected - seen {error} - {self._why_lost()}") from error
        if not data:
            raise AgentLost(f"agent - {what} - expected - seen the stream's end - {self._why_lost()}")
        self._buffer += data
        while (frame := self._next_frame()) is not None:
            self._dispatch(*frame)

    def _next_frame(self) -> tuple[dict[str, Any], bytes] | None:
        if len(self._buffer) < 8:
            return None
        head, size = struct.unpack_from("!II", self._buffer)
        if head > HEADER_MAX or size > BODY_MAX:
            raise AgentLost(f"agent - frame - expected at most {BODY_MAX} bytes - seen {head} and {size}")
        if len(self._buffer) < 8 + head + size:
            return None
        text, body = bytes(self._buffer[8 : 8 + head]), bytes(self._buffer[8 + head : 8 + head + size])
        del self._buffer[: 8 + head + size]
        try:
            header = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise AgentLost(f"agent - frame - expected JSON - seen {text[:80]!r}") from error
        if not isinstance(header, dict):
            raise AgentLost(f"agent - frame - expected an object - seen {text[:80]!r}")
        return header, body

    def _dispatch(self, header: dict[str, Any], body: bytes) -> None:
        event, number = header.get("event"), header.get("id")
        if event == "hello":
            self.hello = header
            return
        pending = self._pending.get(number) if isinstance(number, int) else None
        if pending is None or pending.done:
            raise AgentLost(f"agent - frame - expected an answer to a request - seen {str(header)[:80]}")
        if isinstance(event, str):
            self._output(pending, event, body)
        elif isinstance(header.get("ok"), dict):
            pending.reply = Reply(header["ok"], body)
        elif isinstance(header.get("error"), dict):
            pending.error = header["error"]
        else:
            raise AgentLost(f"agent - frame - expected ok or error - seen {str(header)[:80]}")

    @staticmethod
    def _output(pending: _Pending, stream: str, body: bytes) -> None:
        if pending.listener is not None:
            pending.listener(stream, body)
            return
        kept = pending.output.setdefault(stream, bytearray())
        kept += body
        if len(kept) > OUTPUT_MAX:
            raise AgentLost(f"agent - {pending.op} - expected at most {OUTPUT_MAX} bytes of output - seen more")
