"""IPv4 (RFC 791).

Checksums are fields like any other and are not verified: with checksum offload a captured one can be unfinished.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from topology.wire.layer import Chain, Fields, Layer
from topology.wire.rules import Want
from topology.wire.walk import Step, Walk
from topology.wire.words import number, pieces


def ipv4(walk: Walk, at: int) -> Step:
    """Read an IPv4 header. Behind a later fragment's header is payload."""
    fields = walk.read("ipv4", at)
    if fields is None:
        return "payload", at
    version, size, total = int(fields["version"]), int(fields["ihl"]) * 4, int(fields["len"])
    if version != 4 or size < 20:
        walk.problem("ipv4", at, f"version {version} and header length {size}, not 4 and at least 20")
        return "payload", at
    if walk.lacks("ipv4", at, size):
        return "payload", at
    if size > 20:
        fields["options"] = walk.frame[at + 20 : at + size]
    after = walk.add("ipv4", fields, at, size)
    more = bool(int(fields["flags"]) & 1)
    upper = "payload" if fields["frag"] else walk.by_protocol(4, int(fields["proto"]))
    if not walk.is_longer(total, at):
        walk.bound("ipv4", at, total, size)
    walk.cut = walk.cut or more
    return upper, after


def _implied(_: Chain, __: int) -> Iterable[Want]:
    return (
        Want("flags", 0, mask=1, why="no MF flag (no fragment)"),
        Want("frag", 0, why="0 (no fragment)"),
        Want("ihl", 5, why="5 (no options)", unless="options"),
    )


def _words(fields: Fields) -> Iterator[str]:
    more = ["MF"] if number(fields, "flags") & 1 else []
    return pieces(fields, "{src}>{dst}", "ttl {ttl}", *more, "frag?frag {frag}")


IPV4 = Layer(
    "ipv4",
    ipv4,
    layout="version:4 ihl:4 tos:8 len:16 id:16 flags:3 frag:13 ttl:8 proto:8 chksum:16 src:ip4 dst:ip4",
    further="options:bytes",
    over=frozenset({"ether", "dot1q"}),
    ethertypes=(0x0800,),
    tunnelled_as=0x0800,
    implies=_implied,
    words=_words,
    scapy="IP",
)
