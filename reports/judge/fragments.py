"""Fragments in a journey: which frames are fragments, and which packet each is a part of. Pure.

Only a packet's first fragment holds the packet's mark. The others are tied to it by what a receiver puts
them together by (RFC 791, section 3.2): source, destination, protocol and identification, seen at the same node.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import NamedTuple, TypeVar

from reports.evidence import Sighting
from topology.wire.walk import Header

K = TypeVar("K", bound=Hashable)
MORE_FRAGMENTS, UNIT = 1, 8
"""The flag, and the bytes that a fragment offset counts (RFC 791, section 3.1)."""


class FragmentKey(NamedTuple):
    """Fields that the fragments of one packet share at one node."""

    node: str
    src: object
    dst: object
    proto: object
    ident: object


def fragmented(sighting: Sighting) -> Header | None:
    """The IPv4 header that says the frame is a fragment, from outside the first; None for a whole packet."""
    headers = (header for header in sighting.headers if header.layer == "ipv4")
    return next((header for header in headers if int(header["flags"]) & MORE_FRAGMENTS or header["frag"]), None)


def fragment_key(sighting: Sighting) -> FragmentKey | None:
    """Key of the packet that a fragment is of; None for a whole packet."""
    header = fragmented(sighting)
    if header is None:
        return None
    return FragmentKey(sighting.node, *(header[name] for name in ("src", "dst", "proto", "id")))


def sorted_out(seen: Iterable[Sighting], mark: Callable[[Sighting], K | None]) -> dict[K, list[Sighting]]:
    """The frames of each marked packet, in the given order, fragments without a mark beside the one that has it."""
    frames = list(seen)
    marks = [mark(sighting) for sighting in frames]
    keys = [fragment_key(sighting) for sighting in frames]
    owners = {key: own for key, own in zip(keys, marks, strict=True) if key is not None and own is not None}
    found: dict[K, list[Sighting]] = {}
    for sighting, own, key in zip(frames, marks, keys, strict=True):
        owner = own if own is not None or key is None else owners.get(key)
        if owner is not None:
            found.setdefault(owner, []).append(sighting)
    return found


def is_complete(fragments: Iterable[Sighting]) -> bool:
    """Return whether the fragments of one packet leave nothing out, from its first byte to the one that ends it."""
    pieces = sorted(_piece(header) for sighting in fragments if (header := fragmented(sighting)) is not None)
    reached = 0
    for start, end, is_last in pieces:
        if start > reached:
            return False
        reached = max(reached, end)
        if is_last:
            return True
    return False


def _piece(header: Header) -> tuple[int, int, bool]:
    """Start and end of a fragment's bytes in its packet, and True if none follow."""
    start = int(header["frag"]) * UNIT
    size = int(header["len"]) - int(header["ihl"]) * 4
    return start, start + size, not int(header["flags"]) & MORE_FRAGMENTS
