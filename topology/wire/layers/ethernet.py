"""Ethernet II (RFC 894) and 802.1Q or 802.1ad tags that are still in the frame."""

from __future__ import annotations

from collections.abc import Iterable

from topology.wire.layer import Chain, Layer
from topology.wire.rules import Want
from topology.wire.walk import Step, Walk
from topology.wire.words import pieces

TAG_TYPES = (0x8100, 0x88A8)
"""The EtherTypes of the tags that Linux knows (``eth_type_vlan``, linux/if_vlan.h)."""


def ether(walk: Walk, at: int) -> Step:
    """Read an Ethernet header. A `type` below 0x0600 is an 802.3 length: payload follows."""
    return _typed(walk, "ether", at)


def dot1q(walk: Walk, at: int) -> Step:
    """Read a tag; `at` is behind the TPID, as for scapy's Dot1Q."""
    return _typed(walk, "dot1q", at)


def _typed(walk: Walk, layer: str, at: int) -> Step:
    fields = walk.read(layer, at)
    if fields is None:
        return "payload", at
    return walk.by_ethertype(int(fields["type"])), walk.add(layer, fields, at, 14 if layer == "ether" else 4)


def _tag_type(chain: Chain, index: int) -> Iterable[Want]:
    """A tag that follows has TPID 0x8100."""
    follows = index + 1 < len(chain) and chain[index + 1][0] == "dot1q"
    return (Want("type", TAG_TYPES[0], why="0x8100 (802.1Q)"),) if follows else ()


ETHER = Layer(
    "ether",
    ether,
    layout="dst:mac src:mac type:16",
    tunnelled_as=0x6558,
    implies=_tag_type,
    scapy="Ether",
)
DOT1Q = Layer(
    "dot1q",
    dot1q,
    layout="prio:3 dei:1 vlan:12 type:16",
    over=frozenset({"ether", "dot1q"}),
    ethertypes=TAG_TYPES,
    implies=_tag_type,
    words=lambda fields: pieces(fields, "{vlan}"),
    scapy="Dot1Q",
)
