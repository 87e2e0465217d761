"""Dumps without what changes by itself: an answer is then like the one before it, until the node changes.

Every packet moves a link's counters, every second a bridge's timers and the ages of what was learned. Nothing of that
is part of a node's state, and decoding is expensive. Numbers are those of linux/if_link.h, neighbour.h and rtnetlink.h.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping

NEWLINK, NEWROUTE, NEWNEIGH = 16, 24, 28
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_LINKINFO, IFLA_AF_SPEC = 1, 3, 4, 5, 10, 18, 26
LINK_ATTRIBUTES = frozenset((IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_LINKINFO, IFLA_AF_SPEC))
"""What a device's state is read from."""
IFLA_INFO_KIND, IFLA_INFO_DATA, IFLA_INFO_SLAVE_KIND, IFLA_INFO_SLAVE_DATA = 1, 2, 4, 5
BRIDGE = b"bridge\0"
BRIDGE_ATTRIBUTES = frozenset((4, 5, 7))
"""What is read of a bridge: IFLA_BR_AGEING_TIME, _STP_STATE and _VLAN_FILTERING; the others are mostly timers."""
PORT_ATTRIBUTES = frozenset((1, 4, 5, 8, 9, 27, 30, 32, 33, 35))
"""What is read of a bridge's port: IFLA_BRPORT_STATE, _MODE, _GUARD, _LEARNING, _UNICAST_FLOOD, _MCAST_FLOOD,
_BCAST_FLOOD, _NEIGH_SUPPRESS, _ISOLATED and _LOCKED."""
RTA_CACHEINFO, NDA_CACHEINFO = 12, 3
RTM_F_CLONED = 0x200
NUD_NOARP, NUD_PERMANENT = 0x40, 0x80
ATTRIBUTE_TYPE = 0x3FFF
"""Without NLA_F_NESTED and NLA_F_NET_BYTEORDER (linux/netlink.h)."""
NO_TYPE = -1
"""Of bytes that are no whole attribute."""


def lean(what: str, answer: bytes) -> bytes:
    """An answer to the request of that name in ``state_requests``, made of whole messages, without what is not read.

    A malformed answer is left as it is, for its reader to refuse.
    """
    if what not in LEAN:
        return answer
    kind, thin = LEAN[what]
    return b"".join(_thinned(answer, kind, thin))


def _thinned(answer: bytes, wanted: int, thin: Callable[[bytes], bytes | None]) -> Iterator[bytes]:
    at = 0
    while at + 16 <= len(answer):
        size, kind, flags = struct.unpack_from("=IHH", answer, at)
        whole = answer[at : at + ((size + 3) & ~3)]
        at += max(16, len(whole))
        if kind != wanted:
            yield whole
        elif (payload := thin(whole[16:size])) is not None:
            yield struct.pack("=IHHII", 16 + len(payload), kind, flags, 0, 0) + payload


def _link(payload: bytes) -> bytes:
    parts = [payload[:16]]
    for kind, attribute in attributes(payload, 16):
        if kind == IFLA_LINKINFO:
            parts.append(_packed(kind, _link_info(attribute[4:])))
        elif kind in LINK_ATTRIBUTES or kind == NO_TYPE:
            parts.append(attribute)
    return b"".join(parts)


def _link_info(nested: bytes) -> bytes:
    """The device's kind and its parameters, and those of the bridge port that it may be."""
    known = dict(attributes(nested, 0))
    parts = []
    for kind_attribute, data_attribute, kept in (
        (IFLA_INFO_KIND, IFLA_INFO_DATA, BRIDGE_ATTRIBUTES),
        (IFLA_INFO_SLAVE_KIND, IFLA_INFO_SLAVE_DATA, PORT_ATTRIBUTES),
    ):
        kind, data = known.get(kind_attribute, b""), known.get(data_attribute, b"")
        if data and kind[4:].startswith(BRIDGE):
            data = _packed(data_attribute, b"".join(whole for one, whole in attributes(data[4:], 0) if one in kept))
        parts += [kind, data]
    return b"".join(parts)


def _route(payload: bytes) -> bytes | None:
    """None for what is only the cache of a dump."""
    if len(payload) >= 12 and struct.unpack_from("=I", payload, 8)[0] & RTM_F_CLONED:
        return None
    return payload[:12] + b"".join(a for kind, a in attributes(payload, 12) if kind != RTA_CACHEINFO)


def _neighbour(payload: bytes, kept: int = NUD_PERMANENT) -> bytes | None:
    """None for what was learned."""
    if len(payload) >= 12 and not struct.unpack_from("=H", payload, 8)[0] & kept:
        return None
    return payload[:12] + b"".join(a for kind, a in attributes(payload, 12) if kind != NDA_CACHEINFO)


def _forwarding(payload: bytes) -> bytes | None:
    """A bridge marks a static entry NOARP (br_fdb.c)."""
    return _neighbour(payload, NUD_PERMANENT | NUD_NOARP)


def attributes(data: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """The type and the bytes of each attribute, padding included; what is left at the end goes without a type."""
    while at + 4 <= len(data):
        size, kind = struct.unpack_from("=HH", data, at)
        if size < 4 or at + size > len(data):
            break
        whole = data[at : at + ((size + 3) & ~3)]
        yield kind & ATTRIBUTE_TYPE, whole
        at += len(whole)
    if at < len(data):
        yield NO_TYPE, data[at:]


def _packed(kind: int, nested: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(nested), kind) + nested


LEAN: Mapping[str, tuple[int, Callable[[bytes], bytes | None]]] = {
    "links": (NEWLINK, _link),
    "routes": (NEWROUTE, _route),
    "neighbours": (NEWNEIGH, _neighbour),
    "forwarding": (NEWNEIGH, _forwarding),
}
"""Which messages of which answers are made lean, and how."""
