"""The agent's loop: reads requests (``frames`` has their form), acts, answers.

It ends with its stream and ends its children; on a virtio-serial port, which can be connected again, it drops pending
work and waits for a new connection.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import operator
import os
import platform
import resource
import select
import selectors
import socket
import stat
import struct
import sys
import time
from typing import Any

from topology.kernels.agent.commands import Commands, reset_signals
from topology.kernels.agent.files import read_text, write_text
from topology.kernels.agent.frames import BODY_MAX, Frames, frame
from topology.kernels.agent.namespaces import NETNS_DIR, Namespaces
from topology.kernels.agent.netlink import Relay, Watch
from topology.kernels.agent.senders import exchange, opened, send_many
from topology.kernels.agent.stream import Stream
from topology.kernels.agent.tap import Tap

VERSION = 1
EMPTY_READS, EMPTY_READ_MS = 15, 20
RNDADDENTROPY, RNDRESEEDCRNG = 0x40085203, 0x5207
"""linux/random.h"""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ROOM = {f"/proc/sys/net/ipv{version}/neigh/default/gc_thresh{n}": "1048576" for version in (4, 6) for n in (2, 3)}
"""Settings of a guest's kernel: more neighbours than fit into its memory."""
EXPECTED_ERRORS = (OSError, ValueError, LookupError, AttributeError, TypeError, OverflowError, struct.error)


def make_room(stream: int) -> None:
    """Raise the limits that all namespaces share, but only in a guest, where the agent is process 1 and its stream is a
    port. In a sandbox the agent is process 1 too, but its stream is a socket, and the kernel is this machine's.
    """
    if os.getpid() == 1 and stat.S_ISCHR(os.fstat(stream).st_mode):
        for path, text in ROOM.items():
            write_text(path, text, True)


class Agent:
    """One thread, one loop; ``op_NAME`` answers the request NAME."""

    def __init__(self, stream_in: int, stream_out: int) -> None:
        self.stream_out = stream_out
        self.can_come_back = stat.S_ISCHR(os.fstat(stream_in).st_mode)
        self.frames = Frames()
        self.selector = selectors.DefaultSelector()
        self.selector.register(stream_in, selectors.EVENT_READ, self.on_stream)
        self.namespaces = Namespaces()
        self.relay = Relay(self.namespaces)
        self.commands = Commands(self.namespaces, self.selector, self.send)
        self.opened: dict[int, Any] = {}
        """Objects by handle, which can be closed: taps, watches, sockets."""
        self.handles = 0
        self.empty_reads = 0
        self.hold_s: float | None = None
        """Seconds of silence after which a stream of a network's is written to."""

    def run(self) -> None:
        """Serve until the stream ends."""
        self.op_hello({}, b"")
        while True:
            deadline_s = self.commands.next_deadline_s()
            events = self.selector.select(self.hold_s if deadline_s is None else deadline_s)
            for key, _ in events:
                key.data(key.fd)
            if self.hold_s is not None and not events:
                self.send({"event": "there"}, b"")
            self.commands.end_the_late()

    def send(self, header: dict[str, object], body: bytes) -> None:
        """Write one frame."""
        view = memoryview(frame(header, body))
        while view:
            view = view[os.write(self.stream_out, view) :]

    def on_stream(self, fd: int) -> None:
        """Collect bytes; answer each whole request."""
        data = os.read(fd, 1 << 16)
        if not data:
            self.on_silence()
            return
        self.empty_reads = 0
        self.frames.buffer += data
        while taken := self.frames.take():
            self.answer(json.loads(taken[0]), taken[1])

    def on_silence(self) -> None:
        """Act on a stream with nothing to read: the peer is gone or, on a port, may be connecting. A port that is being
        connected can deliver its first bytes before it reports the connection, so there only lasting silence counts as
        the end; then everything that the peer started is ended.
        """
        self.empty_reads += 1
        if self.can_come_back and self.empty_reads != EMPTY_READS:
            select.poll().poll(EMPTY_READ_MS)
            return
        self.commands.end_all()
        if not self.can_come_back:
            raise SystemExit(0)
        for handle in [*self.opened]:
            self.op_close({"handle": handle}, b"")
        self.frames.buffer.clear()

    def answer(self, header: dict[str, Any], body: bytes) -> None:
        """Act on one request; an expected error becomes the answer."""
        number = header.get("id")
        try:
            result = getattr(self, "op_" + str(header.get("op")))(header, body)
        except EXPECTED_ERRORS as error:
            detail = {"type": type(error).__name__, "errno": getattr(error, "errno", None), "message": str(error)}
            self.send({"id": number, "error": detail}, b"")
            return
        if result is not None:
            reply, payload = result if isinstance(result, tuple) else (result, b"")
            self.send({"id": number, "ok": reply}, payload)

    def open(self, closable: Any) -> dict[str, Any]:
        """Return a new handle for an object that later requests can use and close."""
        self.handles += 1
        self.opened[self.handles] = closable
        return {"handle": self.handles}

    def handle(self, header: dict[str, Any], kind: type[Any]) -> Any:
        """The object of a kind that a handle refers to."""
        found = self.opened.get(header["handle"])
        if found is None or not isinstance(found, kind):
            raise KeyError(f"no such handle: {header['handle']!r}")
        return found

    def op_hello(self, header: dict[str, Any], body: bytes) -> None:
        """Report the agent's environment."""
        known = {"version": VERSION, "release": platform.release(), "python": sys.version.split()[0]}
        self.send({"event": "hello", **known}, b"")

    def op_hold(self, header: dict[str, Any], body: bytes) -> dict[str, Any]:
        """Write to the stream after every ``every_s`` of silence from now on. Only a sender notices a broken connection
        (tcp(7): after tcp_retries2, some 15 minutes).
        """
        self.hold_s = header["every_s"]
        return {}

    def op_clock(self, header: dict[str, Any], body: bytes) -> dict[str, Any]:
        """Read CLOCK_REALTIME."""
        return {"time_ns": time.time_ns()}

    def op_restored(self, header: dict[str, Any], body: bytes) -> dict[str, Any]:
        """Set the clock and reseed the random pool with the body, after a return from a snapshot.

        Two copies of one snapshot would draw the same bytes; random(4) has the two requests.
        """
        time.clock_settime_ns(time.CLOCK_REALTIME, header["set_ns"])
        entropy = struct.pack("=ii", 8 * len(body), len(body)) + body
        pool = os.open("/dev/urandom", os.O_WRONLY)
        try:
            fcntl.ioctl(pool, RNDADDENTROPY, entropy)
            fcntl.ioctl(pool, RNDRESEEDCRNG)
        finally:
            os.close(pool)
        return {}

    def op_affinity(self, header: dict[str, Any], body: bytes) -> dict[str, Any]:
        """Keep to these ``cpus``, None for any one of those allowed; gives those allowed before (sched_setaffinity(2)).

        A packet between namespaces is forwarded by the CPU that has sent it.
        """
        before = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, before[:1] if header["cpus"] is None else header["cpus"])
        return {"cpus": before}

    def op_netns_add(self, header: dict[str, Any], body: bytes) -> dict[str, Any]:
        """Make namespaces; the descriptors serve as IFLA_NET_NS_FD in messages relayed by this agent."""
        return {"fds": {name: self.namespaces.add(name) for name in header["names"]}}

    def op_netns_adopt(self, header: dict[str, Any], body: bytes) -> dict[str, Any]:
        """Name the namespaces behind ``paths`` (name to path), none of which may be one of ``never``: all, or none."""
        fds = dict[str, int]()
        try:
            for name, path in header["paths"].items():
                fds[name] = self.namespaces.adopt(name, path, header["never"])
        except (OSError, ValueError):
            self.op_netns_del({"names": list(fds)}, b"")
            raise
        return {"fds": fds}

    def op_netns_find(self, header: dict[str, Any], body: bytes) -> dict[str, Any]:
        """The namespaces mounted in ``folder``, those of processes, and which of them are never entered.

        With ``init`` the folder is one of the machine that this process is process 1 of: no link in it is followed,
        a link to a process's namespace comes as what it says, and ``numbers`` has the machine's number of each process.
        """
        init, folder = header.get("init"), header["folder"]
        named, processes = self.namespaces.named_in(folder, init is not None), self.namespaces.of_processes()
        never = sorted(self.namespaces.forbidden(header["never"]))
        found = {"named": list(named), "processes": list(processes), "never": never}
        if init is not None:
            found["links"] = list(self.namespaces.links_in(folder))
            found["numbers"] = list(self.namespaces.numbers_in(init))
        return found

    def op_netns_identify(self, header: dict[str, Any], body: bytes) -> dict[str, Any]:
        """Device and inode number of the namespace behind each of ``paths``; None for one that is not there."""
        return {"found": [self.namespaces.identify(path) for path in header["paths"]]}

    def op_netns_del(self, header: dict[str, Any], body: bytes) -> dict[str, Any]:
        """Remove namespaces."""
        for name in header["names"]:
            self.relay.drop(name)
            self.namespaces.remove(name)
        return {}

    def op_release(self, header: dict[str, Any], body: bytes) -> dict[str, Any]:
        """Close everything that is open, and every named namespace: one that is held open would outlive its removal by
        its owner.
        """
        for handle in [*self.opened]:
            self.op_close({"handle": handle}, b"")
        return self.op_netns_del({"names": [name for name, _ in self.namespaces.named_in(NETNS_DIR)]}, b"")

    def op_netlink(self, header: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        """Relay ``chunks`` of the body, each [namespace, size, protocol], in order; the answers come back likewise."""
        at, answers = 0, []
        for name, size, protocol in header["chunks"]:
            answers.append(self.relay.transact(name, body[at : at + size], protocol))
            at += size
        return {"sizes": [len(answer) for answer in answers]}, b"".join(answers)

    def op_write_files(self, header: dict[str, Any], body: bytes) -> dict[str, Any]:
        """Write ``files``, each [namespaces, [[path, text], ...]], as sysctls need it; no file is made.

        With ``optional`` a file that is not there is passed over.
        """
        for names, files in header["files"]:
            for name in names:
                with self.namespaces.inside(name):
                    for path, text in files:
                        write_text(path, text, bool(header.get("optional")))
        return {}

    def op_read_files(self, header: dict[str, Any], body: bytes) -> dict[str, Any]:
        """Read ``files``, each [namespace, path], up to 256 kB; None for one that is not there."""
        texts: list[str | None] = []
        for name, files in itertools.groupby(header["files"], operator.itemgetter(0)):
            with self.namespaces.inside(name):
                texts += [read_text(path) for _, path in files]
        return {"texts": texts}

    def op_read_bytes(self, header: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        """Read one file whole, as bytes."""
        with open(header["path"], "rb") as file:
            return {}, file.read(BODY_MAX)

    def op_exchange(self, header: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        """Send the body to a socket in the file system, and return the answer until it is closed there."""
        answer = bytearray()
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(header["deadline_s"])
            peer.connect(header["path"])
            peer.sendall(body)
            while len(answer) < BODY_MAX and (data := peer.recv(1 << 16)):
                answer += data
        return {}, bytes(answer)

    def op_send(self, header: dict[str, Any], body: bytes) -> dict[str, Any]:
        """Send one datagram or frame from a namespace; ``socket`` is (family, type, protocol).

        With ``hold`` the socket stays open until its handle is closed, so that an answer meets no closed port.
        """
        with contextlib.ExitStack() as undo:
            sender = undo.enter_context(opened(self.namespaces, header))
            sender.sendto(body, tuple(header["to"]))
            if not header.get("hold"):
                return {}
            undo.pop_all()
        return self.open(sender)

    def op_send_many(self, header: dict[str, Any], body: bytes) -> dict[str, Any]:
        """Send packets as ``sends`` describes them; then the namespaces of ``flush`` forget learned path MTUs."""
        return {"errnos": send_many(self.namespaces, header["flush"], header["sends"], body)}

    def op_exchange_messages(self, header: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        """Have messages go there and come back between two sockets of the fabric, unseen by the taps of ``along``."""
        with contextlib.ExitStack() as undo:
            for tap in self.opened.values():
                if isinstance(tap, Tap):
                    undo.enter_context(tap.paused(header["along"]))
            return exchange(self.namespaces, header, body)

    def op_echo_open(self, header: dict[str, Any], body: bytes) -> dict[str, Any]:
        """Answer every datagram to an address with its own bytes, until closed (RFC 862); with ``mute`` none."""
        echo = opened(self.namespaces, {**header, "socket": (header["family"], socket.SOCK_DGRAM)})
        echo.setblocking(False)
        take = take_once if header.get("mute") else echo_once
        self.selector.register(echo, selectors.EVENT_READ, lambda _: take(echo))
        undo = contextlib.ExitStack()
        undo.callback(echo.close)
        undo.callback(self.selector.unregister, echo)
        return self.open(undo)

    def op_stream_open(self, header: dict[str, Any], body: bytes) -> dict[str, Any]:
        """Send datagrams that begin with the body, at a steady rate until closed, beside all other requests."""
        return self.open(Stream(self.namespaces, header, body))

    def op_tap_open(self, header: dict[str, Any], body: bytes) -> dict[str, Any]:
        """Tap ``namespaces`` with ``buffer_bytes`` for each."""
        return self.open(Tap(self.namespaces, header["namespaces"], header["buffer_bytes"]))

    def op_tap_mark(self, header: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        """Return a tap's frames; after the last, send the body as a sentinel in every tapped namespace.

        Where not all fits into the answer, none is ``sent``, and the caller asks again.
        """
        tap = self.handle(header, Tap)
        records, more, sent = tap.mark(body)
        return {"more": more, "sent": sent, "drops": tap.drops, "unmarked": sorted(tap.unmarked)}, records

    def op_tap_read(self, header: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        """Return a tap's frames, the drops of each namespace so far, and where the sentinel has not been seen."""
        tap = self.handle(header, Tap)
        records, more = tap.read()
        return {"more": more, "drops": tap.drops, "unmarked": sorted(tap.unmarked)}, records

    def op_watch_open(self, header: dict[str, Any], body: bytes) -> dict[str, Any]:
        """Watch ``namespaces`` for changes of a node's state."""
        return self.open(Watch(self.namespaces, header["namespaces"]))

    def op_watch_read(self, header: dict[str, Any], body: bytes) -> dict[str, Any]:
        """Give the places, in the list of namespaces, of those with news since the last time, by their kind."""
        return {**self.handle(header, Watch).news()}

    def op_close(self, header: dict[str, Any], body: bytes) -> dict[str, Any]:
        """Close the object of a handle."""
        self.handle(header, object).close()
        del self.opened[header["handle"]]
        return {}

    def op_exec(self, header: dict[str, Any], body: bytes) -> None:
        """Run ``argv`` in a namespace with the body as input, in a terminal where asked."""
        ns, timeout_s, terminal = header.get("ns"), header.get("timeout_s"), bool(header.get("terminal"))
        self.commands.start(header["id"], ns, header["argv"], body, timeout_s, terminal)

    def op_end(self, header: dict[str, Any], body: bytes) -> dict[str, Any]:
        """Kill the command of request ``to`` with all that it started, where it has not ended before."""
        if child := self.commands.children.get(header["to"]):
            child.kill()
        return {}

    def op_input(self, header: dict[str, Any], body: bytes) -> dict[str, Any]:
        """Type the body into the command of request ``to``."""
        self.commands.type_into(header["to"], body)
        return {}


def echo_once(echo: socket.socket) -> None:
    """Send one datagram back to where it came from."""
    with contextlib.suppress(OSError):
        data, sender = echo.recvfrom(1 << 16)
        echo.sendto(data, sender)


def take_once(sink: socket.socket) -> None:
    """Take one datagram without an answer."""
    with contextlib.suppress(OSError):
        sink.recv(1 << 16)


def main(stream_fd: int | None) -> None:
    """Take the stream away from the children, then serve it: ``stream_fd``, or standard input and output.

    A node takes four descriptors (its namespace, netlink, tap, watch), so as many may be open as the system allows.
    """
    reset_signals()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    stream_in = os.dup(0) if stream_fd is None else stream_fd
    both_ways = stream_fd is not None or stat.S_ISSOCK(os.fstat(stream_in).st_mode)
    stream_out = stream_in if both_ways else os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1):
        os.dup2(null, standard)
    os.environ["PATH"] = PATH
    make_room(stream_in)
    Agent(stream_in, stream_out).run()
