"""Taps: AF_PACKET sockets that see every frame of every interface of their namespaces (packet(7)).

Constants and structures without a source of their own are those of ``linux/if_packet.h``.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import select
import socket
import struct
import time
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from topology.kernels.agent.namespaces import Namespaces

ETH_P_ALL = 3
SOL_PACKET, PACKET_STATISTICS, PACKET_AUXDATA = 263, 6, 8
AUXDATA = struct.Struct("=IIIHHHH")
"""struct tpacket_auxdata: status, length, captured length, mac, net, VLAN TCI, VLAN TPID."""
SO_RCVBUFFORCE, SO_TIMESTAMPNS = 33, 35
"""asm-generic/socket.h"""
SO_ATTACH_FILTER = 26
"""asm-generic/socket.h"""
PACKET_QDISC_BYPASS = 20
"""With it a sentinel bypasses the queueing disciplines and filters of lo."""
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
"""linux/sockios.h, linux/if.h"""
IFREQ = struct.Struct("=16sH22x")
"""struct ifreq with an interface's flags."""
ONCE_ON_LOOPBACK = (
    (0x20, 0, 0, 0xFFFFF008),
    (0x15, 0, 2, 1),
    (0x20, 0, 0, 0xFFFFF004),
    (0x15, 1, 0, 4),
    (0x06, 0, 0, 0x40000),
    (0x06, 0, 0, 0),
)
"""A filter (linux/filter.h): what goes out of the interface with index 1, lo in every namespace, is left out, for it
comes in as well."""
NOTHING = ((0x06, 0, 0, 0),)
"""A filter that leaves out everything; a refused frame is no drop."""
MARK_ETHERTYPE = 0x88B5
"""IEEE 802 local experimental EtherType 1: nothing answers it."""
RECORD = struct.Struct("!HHHHHHHHIIQIB")
"""A frame's header from ``Tap.read``: namespace index, packet type, hardware type, protocol, tp_mac, tp_net,
VLAN TCI, VLAN TPID, status, length on the wire, time (ns since the epoch), captured length, length of the
interface name; then the name, then the captured bytes."""
READ_MAX = 1 << 20
"""Bytes of records in one answer, so that an answer stays within a frame."""
SHARE_MAX, READ_S = READ_MAX >> 3, 0.1
"""Bytes of one socket before the others have their turn, and seconds of reading for one answer: frames that circle
fill a socket as fast as it is emptied."""
FRAME_MAX = 1 << 17
"""Bytes of the largest frame that is looked at; segmentation offload makes some of 64 kB."""


class Tap:
    """One socket per namespace; frames wait in the kernel until they are read."""

    def __init__(self, namespaces: Namespaces, names: Sequence[str | None], buffer_bytes: int) -> None:
        self.names = list(names)
        self.sockets: list[socket.socket] = []
        self.drops = [0] * len(names)
        """Frames that each socket has dropped since it was opened."""
        self.sentinel = b""
        self.unmarked: set[int] = set()
        """The sockets that the latest sentinel has not passed yet."""
        self.without: set[int] = set()
        """Sockets whose namespace carried none, as its lo is down; our own namespace's stands for theirs."""
        self.passed = False
        self.poll = select.epoll()
        self.index: dict[int, int] = {}
        self.first = 0
        """The socket that is read first: the one whose turn it was when the last answer was full."""
        # One buffer for all frames: one for each would be mapped and given back each time, which takes 20 times longer.
        self.buffer = memoryview(bytearray(FRAME_MAX))
        self.own = packet_socket()
        with_loopback(self.own)
        for name in names:
            with namespaces.inside(name):
                tap = packet_socket()
            self.index[tap.fileno()] = len(self.sockets)
            self.sockets.append(tap)
            self.poll.register(tap, select.EPOLLIN)
            tap.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
            tap.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
            with contextlib.suppress(PermissionError):
                tap.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, buffer_bytes)

    def mark(self, payload: bytes) -> tuple[bytes, bool, bool]:
        """Take the frames received, and after the last, send a sentinel over each namespace's loopback.

        Only its own tap sees it there; one that is full would drop it, so each is emptied before.
        A namespace whose lo is down carries none. A sentinel there proves that the kernel has handed over all
        that was under way when it was sent, and one in our own namespace proves that as well: frames of all namespaces
        wait in the same queues (enqueue_to_backlog, net/core/dev.c). Behind it the namespace's socket is emptied.
        Gives the records, whether there is more, and whether the sentinels are sent.
        """
        before, more = self.read()
        if more:
            return before, True, False
        self.sentinel = bytes(12) + struct.pack("!H", MARK_ETHERTYPE) + payload
        self.unmarked = set(range(len(self.sockets)))
        self.without = {index for index, tap in enumerate(self.sockets) if not self.sends(tap)}
        self.passed = False
        if self.without and not self.own_passes():  # which empties it
            self.sends(self.own)
        since, more = self.read()
        return before + since, more, True

    def sends(self, tap: socket.socket) -> bool:
        """Send a sentinel over a socket's lo; return whether lo took it."""
        try:
            tap.sendto(self.sentinel, ("lo", MARK_ETHERTYPE))
        except OSError:
            return False
        return True

    def own_passes(self) -> bool:
        """Empty our own socket; return whether it has shown the sentinel."""
        with contextlib.suppress(BlockingIOError):
            while not self.passed:
                self.passed = self.own.recv(FRAME_MAX) == self.sentinel
        return self.passed

    def read(self) -> tuple[bytes, bool]:
        """Take received frames as records, and whether there are more. Only readable sockets are read."""
        out, ends, count = bytearray(), time.monotonic() + READ_S, len(self.sockets)
        passed = bool(self.without) and self.own_passes()
        ready = (self.index[fd] for fd, _ in self.poll.poll(0, count))
        waiting = sorted(ready, key=lambda index: (index - self.first) % count)
        while waiting and len(out) <= READ_MAX and time.monotonic() <= ends:
            index = waiting.pop(0)
            if self.read_one(index, out, ends):
                waiting.append(index)
        self.first = waiting[0] if waiting else 0
        if passed and not waiting:
            self.unmarked -= self.without
            self.without = set()
        return bytes(out), bool(waiting)

    def read_one(self, index: int, out: bytearray, ends: float) -> bool:
        """Read one socket as far as its share and the time go, ask for its drops; return whether it may have more.

        A sentinel ends it: later frames are read the next time. A socket can only drop while it is full, so one
        that has nothing to read has dropped nothing since.
        """
        tap, most, more = self.sockets[index], len(out) + SHARE_MAX, False
        while len(out) <= most and time.monotonic() <= ends:
            try:
                size, control, _, address = tap.recvmsg_into([self.buffer], 256)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENETDOWN:
                    raise
                continue
            if index in self.unmarked and self.buffer[:size] == self.sentinel and address[0] == "lo":
                self.unmarked.discard(index)
                break
            out += record(index, self.buffer[:size], control, address)
        else:
            more = True
        # Reading resets the kernel's count.
        self.drops[index] += struct.unpack("=II", tap.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
        return more

    @contextlib.contextmanager
    def paused(self, names: Collection[str]) -> Iterator[None]:
        """Pause the taps of these namespaces: frames that no test looks at would fill the kernel's memory."""
        paused = [self.sockets[place] for place, name in enumerate(self.names) if name in names]
        try:
            for tap in paused:
                attach_filter(tap, NOTHING)
            yield
        finally:
            for tap in paused:
                attach_filter(tap, ONCE_ON_LOOPBACK)

    def close(self) -> None:
        """Close every socket."""
        self.poll.close()
        for tap in (self.own, *self.sockets):
            tap.close()


def packet_socket() -> socket.socket:
    """A socket that sees every frame of the namespace that we stand in, and waits for none."""
    found = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    found.setblocking(False)
    attach_filter(found, ONCE_ON_LOOPBACK)
    found.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
    return found


def with_loopback(own: socket.socket) -> None:
    """Set our own namespace's lo up; where that is not allowed and lo is down, the sentinel will be missed."""
    with contextlib.suppress(OSError):
        name, flags = IFREQ.unpack(fcntl.ioctl(own, SIOCGIFFLAGS, IFREQ.pack(b"lo", 0)))
        if not flags & IFF_UP:
            fcntl.ioctl(own, SIOCSIFFLAGS, IFREQ.pack(name, flags | IFF_UP))


def attach_filter(tap: socket.socket, lines: Sequence[tuple[int, int, int, int]]) -> None:
    """Give a socket a filter (struct sock_fprog holds a pointer to the instructions)."""
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in lines))
    program = struct.pack("@HP", len(lines), ctypes.addressof(code))
    tap.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)


def record(index: int, data: memoryview, control: Sequence[tuple[int, int, bytes]], address: Any) -> bytes:
    """One frame with all that the kernel reports of it, in the form of RECORD."""
    status, length, mac, net, tci, tpid, time_ns = 0, len(data), 0, 0, 0, 0, 0
    for level, kind, value in control:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, length, _, mac, net, tci, tpid = AUXDATA.unpack(value[:20])
        elif level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = struct.unpack("=qq", value[:16])
            time_ns = seconds * 1_000_000_000 + nanoseconds
    interface, protocol, packet_type, hardware = address[:4]
    name: bytes = interface.encode()
    fixed = (index, packet_type, hardware, protocol, mac, net, tci, tpid, status, length, time_ns)
    head: bytes = RECORD.pack(*fixed, len(data), len(name))
    return b"".join((head, name, data))
