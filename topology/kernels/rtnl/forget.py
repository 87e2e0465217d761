"""The requests that make a node forget the IP neighbours it has learned (``ip neigh flush``, rtnetlink(7))."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator

from topology.errors import NetlinkError
from topology.kernels.rtnl.dumps import state_requests
from topology.kernels.rtnl.lean import attributes
from topology.kernels.rtnl.messages import NLMSG_ERROR, messages

RTM_NEWNEIGH, RTM_DELNEIGH, ACKNOWLEDGED = 28, 29, 0x5
"""linux/rtnetlink.h; NLM_F_REQUEST | NLM_F_ACK"""
NDMSG = struct.Struct("=BxxxiHBB")
"""struct ndmsg: family, interface, state, flags, type (linux/neighbour.h)."""
NDA_DST, NUD_NOARP, NUD_PERMANENT = 1, 0x40, 0x80
FAMILIES = (2, 10)
"""AF_INET, AF_INET6"""


def neighbours_request() -> bytes:
    """The dump to ask for."""
    return next(request.data for request in state_requests() if request.what == "neighbours")


def deletions(dump: bytes) -> list[bytes]:
    """One request for each learned neighbour of a dump; NetlinkError where the dump is not a kernel's."""
    try:
        return [made for kind, _, _, said in messages(dump) if kind == RTM_NEWNEIGH for made in _deletion(said)]
    except struct.error as error:
        raise NetlinkError(f"agent - neighbours - expected a dump - seen {error}") from error


def _deletion(said: bytes) -> Iterator[bytes]:
    family, index, state, flags, _ = NDMSG.unpack_from(said)
    if family not in FAMILIES or state & (NUD_NOARP | NUD_PERMANENT):
        return
    for kind, address in attributes(said, NDMSG.size):
        if kind == NDA_DST:
            head = struct.pack("=IHHII", 16 + NDMSG.size + len(address), RTM_DELNEIGH, ACKNOWLEDGED, 1, 0)
            yield head + NDMSG.pack(family, index, 0, flags, 0) + address


def check_forgotten(node: str, answer: bytes) -> None:
    """NetlinkError where a deletion was refused for another reason than that the neighbour has gone by itself."""
    codes = {-struct.unpack_from("=i", said)[0] for kind, _, _, said in messages(answer) if kind == NLMSG_ERROR}
    if refused := codes - {0, errno.ENOENT}:
        raise NetlinkError(f"{node} - neighbours - expected to be forgotten - seen error {min(refused)}", min(refused))
