"""Our end of the agent's stream: requests out, answers in, every frame bounded and validated.

Answers of an agent are hostile input: a student's submission may have root beside it. A frame that is too
large, not JSON, or answers nothing that was asked ends the link.
"""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from topology.errors import AgentError, AgentLost
from topology.kernels.agent.frames import Frames, frame
from topology.wait import scaled

OUTPUT_MAX = 1 << 24
"""Bytes that one command may print before the link gives up on it."""
OUTPUTS = ("stdout", "stderr")
WORDS_MAX = 1000
"""Characters of an agent's error that a message quotes."""
CALL_TIMEOUT_S = 60.0
ACTS = ("exec", "input", "write_files")
"""Requests whose changes no kernel notification reports, such as a sysctl."""
SILENCE_S = 1.0
T = TypeVar("T")
Listener = Callable[[str, bytes], None]


@dataclass(frozen=True)
class Reply:
    """An answer's header fields and body."""

    fields: Mapping[str, Any]
    body: bytes

    def get(self, name: str, kind: type[T]) -> T:
        """A field that must be of a type (exactly: True is no int); AgentLost where it is missing or of another."""
        value = self.fields.get(name)
        if type(value) is not kind:
            seen = type(value).__name__ if name in self.fields else "nothing"
            raise AgentLost(f"agent - answer's {name} - expected {kind.__name__} - seen {seen}")
        return value


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

    op: str
    listener: Listener | None = None
    output: dict[str, bytearray] = field(default_factory=dict)
    reply: Reply | None = None
    error: Mapping[str, Any] | None = None

    @property
    def done(self) -> bool:
        return self.reply is not None or self.error is not None


class Agent(Protocol):
    """Interface of an agent to the layers above, which a test can implement."""

    def call(self, op: str, body: bytes = b"", timeout_s: float = CALL_TIMEOUT_S, **fields: Any) -> Reply:
        """Ask and wait for the answer."""
        ...

    def run(self, argv: Sequence[str], ns: str | None = None, stdin: bytes = b"", timeout_s: float = 30) -> Completed:
        """Run a command in a namespace and wait for its end."""
        ...

    def take_acts(self) -> int:
        """Counts of commands run and of files written since the last call."""
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
        self._stream, self._why_lost, self._health = stream, why_lost, health
        self._frames = Frames()
        self._pending: dict[int, _Pending] = {}
        self._number = self._acts = 0
        self._lost = ""
        self.hello: Mapping[str, Any] = {}

    def ask_hello(self) -> None:
        """Ask a restored agent for its hello, which comes as an event and not as an answer."""
        self.send(frame({"id": 0, "op": "hello"}))

    def wait_hello(self, timeout_s: float) -> Mapping[str, Any]:
        """Wait for the agent's first message: its version, the kernel's release, Python's version."""
        deadline = time.monotonic() + scaled(timeout_s)
        while not self.hello:
            self._expect(deadline, "the agent's hello")
        return self.hello

    def call(self, op: str, body: bytes = b"", timeout_s: float = CALL_TIMEOUT_S, **fields: Any) -> Reply:
        """Ask and wait for the answer; AgentError carries the agent's own words."""
        return self._wait(self._ask(op, body, fields), timeout_s)

    def start(self, argv: Sequence[str], ns: str | None, listener: Listener, terminal: bool = False) -> int:
        """Start a command whose output goes to ``listener(stream, bytes)``; gives the request's number."""
        fields = {"argv": list(argv), "ns": ns, "terminal": terminal}
        return self._ask("exec", b"", fields, listener)

    def ended(self, number: int) -> int | None:
        """The exit code of a started command, None while it runs; never waits."""
        pending = self._pending[number]
        if not pending.done:
            return None
        return self._take(number).get("code", int)

    def end(self, number: int) -> None:
        """Kill a started command with all that it started; ``ended`` reports when it is gone."""
        self.call("end", to=number)

    def pump(self, timeout_s: float) -> None:
        """Handle one arriving piece of the stream, or return after ``timeout_s``."""
        if self._ready(select.POLLIN, timeout_s, "output"):
            self._receive("output")

    def run(self, argv: Sequence[str], ns: str | None = None, stdin: bytes = b"", timeout_s: float = 30) -> Completed:
        """Run a command in a namespace and wait for its end; a command past its deadline is killed."""
        number = self._ask("exec", stdin, {"argv": list(argv), "ns": ns, "timeout_s": scaled(timeout_s)})
        pending = self._pending[number]
        reply = self._wait(number, timeout_s + CALL_TIMEOUT_S)
        out, err = (pending.output.get(name, b"").decode(errors="replace") for name in ("stdout", "stderr"))
        return Completed(tuple(argv), reply.get("code", int), out, err, reply.get("timed_out", bool))

    def take_acts(self) -> int:
        """Counts of commands run and of files written since the last call.

        A command that still runs counts each time.
        """
        running = sum(pending.op == "exec" and not pending.done for pending in self._pending.values())
        acts, self._acts = self._acts, running
        return acts

    def fileno(self) -> int:
        """The stream's descriptor."""
        return self._stream.fileno()

    def close(self) -> None:
        """End the stream; the agent ends with it."""
        self._stream.close()

    def _ask(self, op: str, body: bytes, fields: Mapping[str, Any], listener: Listener | None = None) -> int:
        """Send a request; its output can arrive before this returns, so the listener is known before it is sent."""
        self._number += 1
        try:
            data = frame({"id": self._number, "op": op, **fields}, body)
        except ValueError as error:
            raise AgentError(f"agent - request {op} - {error}") from error
        self._pending[self._number] = _Pending(op, listener)
        self._acts += op in ACTS
        self.send(data)
        return self._number

    def send(self, data: bytes) -> None:
        """Send all of it, and receive meanwhile: an agent that is blocked on writing does not read."""
        what, rest = "a request's end", memoryview(data)
        deadline = time.monotonic() + scaled(CALL_TIMEOUT_S)
        while rest:
            ready = self._ready(select.POLLIN | select.POLLOUT, self._remaining(deadline, what), what)
            if ready & select.POLLOUT:
                try:
                    rest = rest[self._stream.send(rest, socket.MSG_DONTWAIT) :]
                except BlockingIOError:
                    continue
                except OSError as error:
                    raise self._lose(f"{what} - expected to arrive - seen {error} - {self._why_lost()}") from error
            if ready & select.POLLIN:
                self._receive(what)

    def _wait(self, number: int, timeout_s: float) -> Reply:
        deadline = time.monotonic() + scaled(timeout_s)
        pending = self._pending[number]
        while not pending.done:
            self._expect(deadline, f"the answer to {pending.op}")
        return self._take(number)

    def _take(self, number: int) -> Reply:
        pending = self._pending.pop(number)
        if pending.reply is not None:
            return pending.reply
        detail = pending.error or {}
        code = detail.get("errno")
        words = f"{_words(detail.get('type'))}: {_words(detail.get('message'))}"
        raise AgentError(f"agent - {pending.op} - {words}", code if type(code) is int else None)

    def _expect(self, deadline: float, what: str) -> None:
        """Take in one piece of the stream; AgentLost where none comes in time."""
        if self._ready(select.POLLIN, self._remaining(deadline, what), what):
            self._receive(what)

    def _remaining(self, deadline: float, what: str) -> float:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise self._lose(f"{what} - expected an answer in time - seen none - {self._why_lost()}")
        return remaining

    def _ready(self, events: int, timeout_s: float, what: str) -> int:
        """Events that can be acted on now; 0 after a silence that ``health`` has no objection to."""
        if self._lost:
            raise AgentLost(self._lost)
        poll = select.poll()
        try:
            poll.register(self._stream, events)
        except ValueError as error:
            raise self._lose(f"{what} - expected to arrive - seen a closed stream - {self._why_lost()}") from error
        for _, found in poll.poll(min(timeout_s, SILENCE_S) * 1000):
            return events if found & (select.POLLHUP | select.POLLERR) else found
        if reason := self._health():
            raise self._lose(f"{what} - expected to arrive - seen nothing - {reason}")
        return 0

    def _receive(self, what: str) -> None:
        try:
            data = self._stream.recv(1 << 18, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError as error:
            raise self._lose(f"{what} - expected to arrive - seen {error} - {self._why_lost()}") from error
        if not data:
            raise self._lose(f"{what} - expected to arrive - seen the stream's end - {self._why_lost()}")
        self._frames.buffer += data
        try:
            while taken := self._frames.take():
                self._act_on(*taken)
        except ValueError as error:
            raise self._lose(f"frame - {error}") from error

    def _lose(self, words: str) -> AgentLost:
        """The link's end: all later requests get the same words at once."""
        self._lost = f"agent - {words}"
        return AgentLost(self._lost)

    def _act_on(self, text: bytes, body: bytes) -> None:
        try:
            header = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise self._lose(f"frame - expected JSON - seen {text[:80]!r}") from error
        if not isinstance(header, dict):
            raise self._lose(f"frame - expected an object - seen {text[:80]!r}")
        if wrong := self._dispatch(header, body):
            raise self._lose(f"{wrong} in {text[:80]!r}")

    def _dispatch(self, header: dict[str, Any], body: bytes) -> str:
        """Put a frame where it belongs; returns its fault, if any."""
        event, number, ok, error = (header.get(name) for name in ("event", "id", "ok", "error"))
        if event == "hello":
            if type(header.get("release")) is not str:
                return "hello - expected the kernel's release - seen none"
            self.hello = header
            return ""
        if event == "there":
            return ""
        pending = self._pending.get(number) if type(number) is int else None
        if pending is None or pending.done:
            return "frame - expected an answer to a request - seen another"
        if event is not None:
            return _output(pending, event, body)
        if isinstance(ok, dict):
            pending.reply = Reply(ok, body)
        elif isinstance(error, dict):
            pending.error = error
        else:
            return "frame - expected ok or error - seen neither"
        return ""


def _output(pending: _Pending, stream: object, body: bytes) -> str:
    if not isinstance(stream, str) or stream not in OUTPUTS:
        return f"{pending.op} - expected output - seen another event"
    if pending.listener is not None:
        pending.listener(stream, body)
        return ""
    pending.output.setdefault(stream, bytearray()).extend(body)
    if sum(map(len, pending.output.values())) > OUTPUT_MAX:
        return f"{pending.op} - expected at most {OUTPUT_MAX} bytes of output - seen more"
    return ""


def _words(said: object) -> str:
    """Text from an agent, made printable: bounded, and without halves of surrogate pairs."""
    text = said if isinstance(said, str) else f"({type(said).__name__})"
    return text[:WORDS_MAX].encode(errors="replace").decode()
