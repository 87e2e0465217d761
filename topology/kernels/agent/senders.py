"""Sends from namespaces: single packets, many of them in one request, and messages there and back."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import time
from collections.abc import Sequence
from typing import Any

from topology.kernels.agent.namespaces import Namespaces

FLUSH = "/proc/sys/net/ipv4/route/flush"
"""A write makes a namespace forget its cached routes and, with them, every path MTU that it has learned: it raises both
generations (ipv4_sysctl_rtcache_flush, net/ipv4/route.c), and is all that ``ip route flush cache`` does."""
RESET_ON_CLOSE = struct.pack("=ii", 1, 0)
"""struct linger: a stalled connection ends at once, and its ports are free again (socket(7))."""


def opened(namespaces: Namespaces, header: dict[str, Any]) -> socket.socket:
    """A socket in the namespace ``ns``: ``socket`` is (family, type, protocol), with ``options``, bound to ``bind``."""
    with namespaces.inside(header["ns"]):
        made = socket.socket(*header["socket"])
    with contextlib.ExitStack() as undo:
        undo.callback(made.close)
        for level, option, value in header.get("options", ()):
            made.setsockopt(level, option, value)
        if header.get("bind"):
            made.bind(tuple(header["bind"]))
        undo.pop_all()
    return made


def send_many(namespaces: Namespaces, flush: Sequence[str], sends: Sequence[dict[str, Any]], body: bytes) -> list[int]:
    """Send one packet after the other, each ``size`` bytes of the body; 0 for each, or the errno of its refusal.

    Before each of them the namespaces that it names as its own ``flush`` forget the path MTUs that they have learned,
    and after the last those of ``flush``.
    """
    errnos, at = [], 0
    with contextlib.ExitStack() as undo:
        forget = Forget(namespaces, undo)
        for send in sends:
            forget(send.get("flush", ()))
            errnos.append(send_one(namespaces, send, body[at : at + send["size"]]))
            at += send["size"]
        forget(flush)
    return errnos


class Forget:
    """Makes namespaces forget their learned path MTUs, until its stack ends."""

    def __init__(self, namespaces: Namespaces, undo: contextlib.ExitStack) -> None:
        self.namespaces, self.undo = namespaces, undo
        self.files: dict[str, int] = {}

    def __call__(self, names: Sequence[str]) -> None:
        """Do it now; a sysctl takes a value only at its file's start."""
        for name in names:
            if name not in self.files:
                with self.namespaces.inside(name):
                    self.files[name] = os.open(FLUSH, os.O_WRONLY)
                self.undo.callback(os.close, self.files[name])
            os.pwrite(self.files[name], b"-1", 0)


def send_one(namespaces: Namespaces, send: dict[str, Any], data: bytes) -> int:
    """Send one packet; its refusal's errno, 0 where there was none."""
    try:
        with opened(namespaces, send) as sender:
            sender.sendto(data, tuple(send["to"]))
    except OSError as error:
        if error.errno is None:
            raise
        return error.errno
    return 0


def exchange(namespaces: Namespaces, header: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
    """Have messages of ``sizes`` go from the socket ``near`` to the socket ``far`` and come back, one after the other.

    It ends with the first that does not come back whole, or after ``deadline_s``. The answer has the sizes of what
    came ``there`` and ``back``, and the ``error`` that a socket gave; the body is all of there, then all of back.
    The namespaces ``along`` the way know no path MTU before, and keep none.
    """
    end = time.monotonic() + header["deadline_s"]
    there: list[bytes] = []
    back: list[bytes] = []
    at, problem = 0, ""
    with contextlib.ExitStack() as undo:
        forget = Forget(namespaces, undo)
        forget(header["along"])
        undo.callback(forget, header["along"])
        try:
            near, far = connected(namespaces, header, end, undo)
            for size in header["sizes"]:
                message = body[at : at + size]
                at += size
                there.append(pour(near, far, message, end))
                if len(there[-1]) != size:
                    break
                back.append(pour(far, near, there[-1], end))
                if len(back[-1]) != size:
                    break
        except OSError as error:
            problem = str(error)
    sizes = {"there": [len(part) for part in there], "back": [len(part) for part in back]}
    return {**sizes, "error": problem}, b"".join(there + back)


def connected(
    namespaces: Namespaces, header: dict[str, Any], end: float, undo: contextlib.ExitStack
) -> tuple[socket.socket, socket.socket]:
    """The two ends, each knowing the other; the far one of a stream listens for as long as the near one takes."""
    far, near = (undo.enter_context(opened(namespaces, header[name])) for name in ("far", "near"))
    if near.type != socket.SOCK_STREAM:
        near.connect(tuple(header["far"]["bind"]))
        far.connect(tuple(header["near"]["bind"]))
    else:
        far.listen(1)
        near.settimeout(max(0.001, end - time.monotonic()))
        near.connect(tuple(header["far"]["bind"]))
        far = undo.enter_context(far.accept()[0])
        for stream in (near, far):
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    near.setblocking(False)
    far.setblocking(False)
    return near, far


def pour(source: socket.socket, sink: socket.socket, data: bytes, end: float) -> bytes:
    """Send data by one socket; what the other gets: one datagram, or of a stream as many bytes, or less in time."""
    rest, got = memoryview(data), bytearray()
    poll = select.poll()
    poll.register(source, select.POLLOUT)
    poll.register(sink, select.POLLIN)
    stream = source.type == socket.SOCK_STREAM
    while len(got) < len(data) if stream else not got:
        left_ms = (end - time.monotonic()) * 1000
        ready = poll.poll(left_ms) if left_ms > 0 else []
        if not ready:
            break
        for fd, _ in ready:
            if fd == sink.fileno():
                part = sink.recv(1 << 17)
                if not part:
                    return bytes(got)
                got += part
            elif rest:
                rest = rest[source.send(rest) :]
                if not rest:
                    poll.unregister(source)
    return bytes(got)
