"""Commands that run in a namespace: output as it comes, a deadline, an exit code, nothing left behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import selectors
import signal
import subprocess
import termios
import time
from collections.abc import Callable, Sequence

from topology.kernels.agent.namespaces import Namespaces

TYPED_MAX = 1 << 20
"""Bytes typed that may wait for a command to read them."""
DRAIN_READS = 64
"""More than a pipe or a terminal can still hold when the command behind it has ended (pipe(7): 64 kB)."""


class Child:
    """A running command: its output streams, its terminal with pending input, its deadline."""

    def __init__(self, process: subprocess.Popen[bytes], outputs: dict[int, str], terminal: int | None = None) -> None:
        self.process, self.outputs, self.terminal = process, outputs, terminal
        self.typed = bytearray()
        self.deadline: float | None = None
        self.timed_out = False

    def kill(self) -> None:
        """End the command and all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


def reset_signals() -> None:
    """Reset ignored and blocked signals, which commands inherit from nohup(1) and background jobs.

    SIGPIPE and SIGXFSZ stay ignored, as Python itself sets them; Popen gives commands the default.
    """
    for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


class Commands:
    """The running commands by request number; the agent's loop reports output and ended children."""

    def __init__(
        self,
        namespaces: Namespaces,
        selector: selectors.BaseSelector,
        send: Callable[[dict[str, object], bytes], None],
    ) -> None:
        self.namespaces, self.selector, self.send = namespaces, selector, send
        self.children: dict[int, Child] = {}
        wake_in, wake_out = os.pipe()
        os.set_blocking(wake_in, False)
        os.set_blocking(wake_out, False)
        signal.set_wakeup_fd(wake_out)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        selector.register(wake_in, selectors.EVENT_READ, self.reap)

    def start(
        self, number: int, name: str | None, argv: Sequence[str], stdin: bytes, timeout_s: float | None, terminal: bool
    ) -> None:
        """Start a command; the answer to the request follows when it has ended."""
        with self.namespaces.inside(name):
            child = in_terminal(argv) if terminal else in_pipes(argv, stdin)
        if timeout_s is not None:
            child.deadline = time.monotonic() + timeout_s
        self.children[number] = child
        for fd in child.outputs:
            os.set_blocking(fd, False)
            self.selector.register(fd, selectors.EVENT_READ, lambda fd: self.attend(number, fd))

    def type_into(self, number: int, data: bytes) -> None:
        """Type into a command that runs in a terminal: at once what that takes, the rest as the command reads."""
        child = self.children[number]
        if child.terminal is None:
            raise ValueError(f"command {number} has no terminal")
        if len(child.typed) + len(data) > TYPED_MAX:
            raise ValueError(f"command {number} does not read its input: {len(child.typed)} bytes wait")
        child.typed += data
        self.type_on(child.terminal, child.typed)

    def type_on(self, terminal: int, typed: bytearray) -> None:
        """Type as much as the terminal takes; wait for it to take more."""
        try:
            del typed[: os.write(terminal, typed)]
        except BlockingIOError:
            pass
        except OSError:  # no process reads it any more
            typed.clear()
        if terminal in self.selector.get_map():
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if typed else 0)
            self.selector.modify(terminal, wanted, self.selector.get_key(terminal).data)

    def attend(self, number: int, fd: int) -> None:
        """Act on a command that has printed, or whose terminal takes more; it may have ended just now."""
        child = self.children.get(number)
        if child is None:
            return
        if fd == child.terminal and child.typed:
            self.type_on(fd, child.typed)
        self.pass_on(number, fd)

    def pass_on(self, number: int, fd: int) -> bool:
        """Pass on a command's output; False when there is nothing to read."""
        try:
            data = os.read(fd, 1 << 16)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if data:
            self.send({"id": number, "event": self.children[number].outputs[fd]}, data)
            return True
        if fd in self.selector.get_map():
            self.selector.unregister(fd)
        return False

    def reap(self, wake_fd: int) -> None:
        """Collect every ended child, also those that ended children left to us as PID 1."""
        with contextlib.suppress(BlockingIOError):
            os.read(wake_fd, 512)
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                for number, child in list(self.children.items()):
                    if child.process.pid == pid:
                        self.finish(number, child, exit_code(status))

    def finish(self, number: int, child: Child, code: int) -> None:
        """Pass on the rest, close everything, answer; a process that it left behind may write on for ever."""
        child.process.returncode = code
        for fd in child.outputs:
            for _ in range(DRAIN_READS):
                if not self.pass_on(number, fd):
                    break
            if fd in self.selector.get_map():
                self.selector.unregister(fd)
            os.close(fd)
        del self.children[number]
        self.send({"id": number, "ok": {"code": code, "timed_out": child.timed_out}}, b"")

    def next_deadline_s(self) -> float | None:
        """Seconds until the next deadline; None when no command has one."""
        deadlines = [child.deadline for child in self.children.values() if child.deadline and not child.timed_out]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def end_the_late(self) -> None:
        """Kill commands past their deadline; the answer says so."""
        for child in self.children.values():
            if child.deadline and not child.timed_out and time.monotonic() >= child.deadline:
                child.timed_out = True
                child.kill()

    def end_all(self) -> None:
        """Kill every command."""
        for child in self.children.values():
            child.kill()


def exit_code(status: int) -> int:
    """A wait status as a shell's exit code, with a signal as its negative number."""
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def in_pipes(argv: Sequence[str], stdin: bytes) -> Child:
    """A command with its input in memory and its outputs on pipes of their own."""
    pipe = subprocess.PIPE
    with os.fdopen(os.memfd_create("stdin"), "w+b") as source:
        source.write(stdin)
        source.seek(0)
        process = subprocess.Popen(argv, stdin=source, stdout=pipe, stderr=pipe, start_new_session=True, cwd="/")
    outputs = {}
    for name, stream in (("stdout", process.stdout), ("stderr", process.stderr)):
        assert stream
        outputs[os.dup(stream.fileno())] = name
        stream.close()
    return Child(process, outputs)


def in_terminal(argv: Sequence[str]) -> Child:
    """A command with a pseudo-terminal of its own."""
    near, far = pty.openpty()
    try:
        process = subprocess.Popen(
            argv,
            stdin=far,
            stdout=far,
            stderr=far,
            start_new_session=True,
            cwd="/",
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
    except OSError:
        os.close(near)
        raise
    finally:
        os.close(far)
    return Child(process, {near: "stdout"}, near)
