"""A paced stream: numbered datagrams of several flows in turn, sent by a child while the agent serves requests."""

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
from topology.kernels.agent.senders import opened

COUNT_MAX, SECONDS_MAX = 4_000_000, 600
"""Bounds of one stream."""
TAIL = struct.Struct("!II")
"""What follows the mark in a datagram: the flow's number and the datagram's number within its flow."""
END = 0
"""The descriptor by which the child hears the end: a low one, as select(2) knows none from 1024 on."""


class Stream:
    """Sends ``count`` datagrams, one every ``interval_ns``, until closed; nothing reads the ``sinks``, which keep the
    targets from answering that their port is closed.

    The times are absolute, so a sender that was held up catches up.
    """

    def __init__(self, namespaces: Namespaces, header: dict[str, Any], mark: bytes) -> None:
        count, interval_ns = header["count"], header["interval_ns"]
        if not (0 < count <= COUNT_MAX and 0 < count * interval_ns <= SECONDS_MAX * 10**9):
            raise ValueError(f"a stream of {count} datagrams, one every {interval_ns} ns")
        with contextlib.ExitStack() as undo:
            self.sinks = [undo.enter_context(opened(namespaces, sink)) for sink in header["sinks"]]
            with contextlib.ExitStack() as childs:
                senders = []
                for flow in header["flows"]:
                    senders.append(childs.enter_context(opened(namespaces, flow)))
                    senders[-1].connect(tuple(flow["to"]))
                    senders[-1].setblocking(False)
                end, self.end = os.pipe()
                childs.callback(os.close, end)
                if os.fork() == 0:
                    in_child(senders, end, mark, count, interval_ns)
            undo.pop_all()

    def close(self) -> None:
        """End the child, which hears that the pipe ends."""
        os.close(self.end)
        for sink in self.sinks:
            sink.close()


def in_child(senders: Sequence[socket.socket], end: int, mark: bytes, count: int, interval_ns: int) -> None:
    """Send with nothing else open, and exit: the agent's stream, or another stream's pipe, must not live on here."""
    try:
        os.dup2(end, END)
        kept = {END, *(sender.fileno() for sender in senders)}
        for fd in [int(name) for name in os.listdir("/proc/self/fd")]:
            if fd not in kept:
                with contextlib.suppress(OSError):
                    os.close(fd)
        pace(senders, mark, count, interval_ns)
    finally:
        os._exit(0)


def pace(senders: Sequence[socket.socket], mark: bytes, count: int, interval_ns: int) -> None:
    """Send each datagram at its time; one that is refused is missing, as the taps show."""
    start = time.monotonic_ns()
    for place in range(count):
        wait_s = max(0, start + place * interval_ns - time.monotonic_ns()) / 1e9
        if select.select([END], [], [], wait_s)[0]:
            return
        number, flow = divmod(place, len(senders))
        with contextlib.suppress(OSError):
            senders[flow].send(mark + TAIL.pack(flow, number))
