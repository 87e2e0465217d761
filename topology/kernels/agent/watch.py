"""Watches: the namespaces for which the kernel has reported a change (rtnetlink(7))."""

from __future__ import annotations

import errno
import select
import socket
import struct
from collections.abc import Iterator, Sequence

from topology.kernels.agent.namespaces import Namespaces

GROUPS = (1, 3, 4, 5, 7, 8, 9, 11, 19, 24, 25)
"""RTNLGRP_LINK, NEIGH, TC, IPV4_IFADDR, _ROUTE, _RULE, IPV6_IFADDR, _ROUTE, _RULE, IPV4_NETCONF, IPV6_NETCONF
(linux/rtnetlink.h)."""
MASK = sum(1 << group - 1 for group in GROUPS)
RTM_NEWNEIGH, RTM_DELNEIGH = 28, 29
NLMSG_HEADER, NDMSG = struct.Struct("=IHHII"), struct.Struct("=BxxxiH")
NUD_NOARP, NUD_PERMANENT = 0x40, 0x80
"""linux/neighbour.h; a bridge marks a static entry NOARP (br_fdb.c), other neighbours have it by themselves."""
CHANGED, LEARNED = "changed", "learned"


class Watch:
    """One NETLINK_ROUTE socket per namespace, subscribed to what a node's state is made of."""

    def __init__(self, namespaces: Namespaces, names: Sequence[str | None]) -> None:
        self.sockets: dict[int, tuple[int, socket.socket]] = {}
        self.poll = select.epoll()
        for index, name in enumerate(names):
            with namespaces.inside(name):
                sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
            self.sockets[sock.fileno()] = (index, sock)
            sock.setblocking(False)
            sock.bind((0, MASK))
            self.poll.register(sock, select.EPOLLIN)

    def news(self) -> dict[str, list[int]]:
        """The places in the list of namespaces of those with news since the last time; overflow is news as well.

        Apart from the changed ones stand those where only a neighbour or a forwarding entry is not kept for good: such
        come and go with every packet, and nothing of a node's state has changed unless such an entry was kept before.
        """
        reported = [self.sockets[fd] for fd, _ in self.poll.poll(0, len(self.sockets))]
        found = [(index, set(drain(sock))) for index, sock in reported]
        changed = sorted(index for index, kinds in found if CHANGED in kinds)
        return {CHANGED: changed, LEARNED: sorted(index for index, kinds in found if kinds == {LEARNED})}

    def close(self) -> None:
        """Close every socket."""
        self.poll.close()
        for _, sock in self.sockets.values():
            sock.close()


def drain(sock: socket.socket) -> Iterator[str]:
    """Read until nothing is left, and give its kinds; a full buffer (ENOBUFS) counts as a change."""
    while True:
        try:
            yield from kinds(sock.recv(1 << 16))
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            yield CHANGED


def kinds(data: bytes) -> Iterator[str]:
    """What each message is about."""
    at = 0
    while at + NLMSG_HEADER.size <= len(data):
        size, kind, *_ = NLMSG_HEADER.unpack_from(data, at)
        yield LEARNED if kind in (RTM_NEWNEIGH, RTM_DELNEIGH) and not is_kept(data, at) else CHANGED
        at += max(size, NLMSG_HEADER.size) + 3 & ~3


def is_kept(data: bytes, at: int) -> bool:
    """Whether a message about a neighbour is about one that does not age."""
    family, _, state = NDMSG.unpack_from(data, at + NLMSG_HEADER.size)
    return bool(state & (NUD_PERMANENT | NUD_NOARP if family == socket.AF_BRIDGE else NUD_PERMANENT))
