"""netlink sockets in namespaces: a relay for messages made elsewhere, and watches for the kernel's news."""

from __future__ import annotations

import errno
import select
import socket
import struct
from collections.abc import Iterator, Sequence

from topology.kernels.agent.namespaces import Namespaces

SOL_NETLINK, NETLINK_CAP_ACK, NETLINK_EXT_ACK = 270, 10, 11
NLMSG_ERROR, NLMSG_DONE = 2, 3
"""linux/netlink.h; every request is answered by one of the two."""
ANSWER_TIMEOUT_S = 30
GROUPS = (1, 3, 4, 5, 7, 8, 9, 11, 19, 24, 25)
"""RTNLGRP_LINK, NEIGH, TC, IPV4_IFADDR, _ROUTE, _RULE, IPV6_IFADDR, _ROUTE, _RULE, IPV4_NETCONF, IPV6_NETCONF
(linux/rtnetlink.h)."""
RTM_NEWNEIGH, RTM_DELNEIGH, NDMSG = 28, 29, struct.Struct("=BxxxiH")
NUD_NOARP, NUD_PERMANENT = 0x40, 0x80
"""linux/neighbour.h; a bridge marks a static entry NOARP (br_fdb.c), other neighbours have it by themselves."""
CHANGED, LEARNED = "changed", "learned"


def messages(data: bytes) -> Iterator[tuple[int, int]]:
    """The place and type of each netlink message in a buffer (struct nlmsghdr)."""
    at = 0
    while at + 16 <= len(data):
        size, kind = struct.unpack_from("=IH", data, at)
        if size < 16:
            raise ValueError(f"a netlink message of {size} bytes")
        yield at, kind
        at += (size + 3) & ~3


class Relay:
    """One socket per namespace and netlink protocol, opened when first used."""

    def __init__(self, namespaces: Namespaces) -> None:
        self.namespaces = namespaces
        self.sockets: dict[tuple[str | None, int], socket.socket] = {}
        namespaces.on_change = self.drop

    def transact(self, name: str | None, chunk: bytes, protocol: int) -> bytes:
        """Send messages in one system call; give back all that the kernel answers to them."""
        sock, out = self.socket(name, protocol), bytearray()
        waiting = sum(1 for _ in messages(chunk))
        sock.send(chunk)
        while waiting:
            data = sock.recv(1 << 18)
            out += data
            waiting -= sum(1 for _, kind in messages(data) if kind in (NLMSG_ERROR, NLMSG_DONE))
        return bytes(out)

    def socket(self, name: str | None, protocol: int) -> socket.socket:
        """The namespace's socket; errors come with the kernel's words and without the request's copy."""
        self.namespaces.fd(name)
        if (name, protocol) not in self.sockets:
            with self.namespaces.inside(name):
                sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
            sock.bind((0, 0))
            sock.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
            sock.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
            sock.settimeout(ANSWER_TIMEOUT_S)
            self.sockets[name, protocol] = sock
        return self.sockets[name, protocol]

    def drop(self, name: str) -> None:
        """Close the namespace's sockets."""
        for key in [key for key in self.sockets if key[0] == name]:
            self.sockets.pop(key).close()


class Watch:
    """One NETLINK_ROUTE socket per namespace, subscribed to changes of a node's state."""

    def __init__(self, namespaces: Namespaces, names: Sequence[str | None]) -> None:
        self.sockets: list[socket.socket] = []
        self.poll = select.epoll()
        self.places: dict[int, int] = {}
        for place, name in enumerate(names):
            with namespaces.inside(name):
                sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
            self.places[sock.fileno()] = place
            self.sockets.append(sock)
            sock.setblocking(False)
            sock.bind((0, sum(1 << group - 1 for group in GROUPS)))
            self.poll.register(sock, select.EPOLLIN)

    def news(self) -> dict[str, list[int]]:
        """The places in the list of namespaces of those with news since the last time; overflow is news as well.

        Apart from the changed ones stand those where only a neighbour or a forwarding entry is not kept for good: such
        come and go with every packet, and nothing of a node's state has changed unless such an entry was kept before.
        """
        ready = sorted(self.places[fd] for fd, _ in self.poll.poll(0, max(1, len(self.sockets))))
        found = [(place, set(drain(self.sockets[place]))) for place in ready]
        changed = [place for place, kinds in found if CHANGED in kinds]
        return {CHANGED: changed, LEARNED: [place for place, kinds in found if kinds == {LEARNED}]}

    def close(self) -> None:
        """Close every socket."""
        self.poll.close()
        for sock in self.sockets:
            sock.close()


def drain(sock: socket.socket) -> Iterator[str]:
    """Read until nothing is left, and give its kinds; a full buffer (ENOBUFS) counts as a change."""
    while True:
        try:
            data = sock.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            yield CHANGED
        else:
            for at, kind in messages(data):
                yield LEARNED if kind in (RTM_NEWNEIGH, RTM_DELNEIGH) and not is_kept(data, at) else CHANGED


def is_kept(data: bytes, at: int) -> bool:
    """True if a message is about a neighbour that does not age."""
    family, _, state = NDMSG.unpack_from(data, at + 16)
    return bool(state & (NUD_PERMANENT | NUD_NOARP if family == socket.AF_BRIDGE else NUD_PERMANENT))
