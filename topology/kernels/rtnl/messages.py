"""What a buffer of netlink messages holds (netlink(7)): their headers, and the kernel's words in an acknowledgement."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from topology.errors import NetlinkError

NLMSG_ERROR, NLMSG_DONE, NLM_F_ACK_TLVS, NLMSGERR_ATTR_MSG = 2, 3, 0x200, 1
"""linux/netlink.h"""


def messages(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Type, flags, sequence number and payload of each message (struct nlmsghdr)."""
    at = 0
    while at + 16 <= len(data):
        size, kind, flags, sequence = struct.unpack_from("=IHHI", data, at)
        if size < 16 or at + size > len(data):
            raise NetlinkError(f"netlink - answer - expected a whole message - seen {size} of {len(data) - at} bytes")
        yield kind, flags, sequence, data[at + 16 : at + size]
        at += (size + 3) & ~3


def kernel_words(attributes: bytes) -> str:
    """The extended acknowledgement's message."""
    at = 0
    while at + 4 <= len(attributes):
        size, kind = struct.unpack_from("=HH", attributes, at)
        if size < 4:
            break
        if kind == NLMSGERR_ATTR_MSG:
            return attributes[at + 4 : at + size].rstrip(b"\0").decode(errors="replace")
        at += (size + 3) & ~3
    return ""
