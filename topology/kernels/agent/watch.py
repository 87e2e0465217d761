"""Watches: which namespaces the kernel has told of a changed link, address or route (rtnetlink(7))."""

from __future__ import annotations

import errno
import select
import socket
from collections.abc import Sequence

from topology.kernels.agent.namespaces import Namespaces

GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400
"""RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_IFADDR, RTMGRP_IPV6_ROUTE (linux/rtnetlink.h)."""


class Watch:
    """One NETLINK_ROUTE socket per namespace, subscribed to what a node's declaration is about."""

    def __init__(self, namespaces: Namespaces, names: Sequence[str | None]) -> None:
        self.sockets: dict[int, tuple[int, socket.socket]] = {}
        self.poll = select.epoll()
        for index, name in enumerate(names):
            with namespaces.inside(name):
                sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
            self.sockets[sock.fileno()] = (index, sock)
            sock.setblocking(False)
            sock.bind((0, GROUPS))
            self.poll.register(sock, select.EPOLLIN)

    def changed(self) -> list[int]:
        """The places in the list of namespaces of those with news since the last time; overflow is news as well."""
        told = [self.sockets[fd] for fd, _ in self.poll.poll(0, len(self.sockets))]
        for _, sock in told:
            drain(sock)
        return sorted(index for index, _ in told)

    def close(self) -> None:
        """Close every socket."""
        self.poll.close()
        for _, sock in self.sockets.values():
            sock.close()


def drain(sock: socket.socket) -> None:
    """Read until nothing is left; what was lost for want of room (ENOBUFS) is as good as read."""
    while True:
        try:
            sock.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
