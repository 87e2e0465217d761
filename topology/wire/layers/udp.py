"""UDP (RFC 768)."""

from __future__ import annotations

from topology.wire.layer import Layer
from topology.wire.walk import LENGTH_MAX, Step, Walk
from topology.wire.words import pieces


def udp(walk: Walk, at: int) -> Step:
    """Read UDP. Only its *destination* port, one that the caller named, makes a tunnel of it."""
    fields = walk.read("udp", at)
    if fields is None:
        return "payload", at
    there, size = walk.end - at, int(fields["len"])
    # RFC 2675, section 4, says 0; Linux's tunnels leave the low 16 bits (udp_tunnel_xmit_skb).
    fits = size == there or walk.is_longer(size, at) or (there > LENGTH_MAX and size == there & LENGTH_MAX)
    if not fits and (size < there or not walk.cut):
        walk.problem("udp", at, f"its length field says {size} bytes, {there} are there")
        if 8 <= size < there:
            walk.end = at + size
    return walk.by_port(int(fields["dport"]), at + 8), walk.add("udp", fields, at, 8)


UDP = Layer(
    "udp",
    udp,
    layout="sport:16 dport:16 len:16 chksum:16",
    over=frozenset({"ipv4", "ipv6"}),
    protocols={4: (17,), 6: (17,)},
    words=lambda fields: pieces(fields, "{dport}"),
    scapy="UDP",
)
