"""The netlink relay: messages made elsewhere reach the kernel from inside a namespace."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

from topology.kernels.agent.namespaces import Namespaces

SOL_NETLINK, NETLINK_CAP_ACK, NETLINK_EXT_ACK = 270, 10, 11
NLMSG_ERROR, NLMSG_DONE = 2, 3
"""linux/netlink.h; every request is answered by one of the two."""
ANSWER_TIMEOUT_S = 30


class Relay:
    """One socket per namespace and netlink protocol, opened when first used."""

    def __init__(self, namespaces: Namespaces) -> None:
        self.namespaces = namespaces
        self.sockets: dict[tuple[str | None, int], socket.socket] = {}

    def transact(self, name: str | None, chunk: bytes, protocol: int) -> bytes:
        """Send messages in one system call; give back all that the kernel answers to them."""
        sock, out = self.socket(name, protocol), bytearray()
        waiting = sum(1 for _ in message_types(chunk))
        sock.send(chunk)
        while waiting:
            data = sock.recv(1 << 18)
            out += data
            waiting -= sum(1 for kind in message_types(data) if kind in (NLMSG_ERROR, NLMSG_DONE))
        return bytes(out)

    def socket(self, name: str | None, protocol: int) -> socket.socket:
        """The namespace's socket; errors come with the kernel's words and without the request's copy."""
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


def message_types(data: bytes) -> Iterator[int]:
    """The types of the netlink messages in a buffer (struct nlmsghdr)."""
    at = 0
    while at + 16 <= len(data):
        size, kind = struct.unpack_from("=IH", data, at)
        if size < 16:
            raise ValueError(f"a netlink message of {size} bytes")
        yield kind
        at += (size + 3) & ~3
