"""ARP (RFC 826)."""

from __future__ import annotations

from collections.abc import Iterator

from topology.wire.fields import unpack
from topology.wire.layer import Fields, Layer
from topology.wire.walk import Step, Walk
from topology.wire.words import pieces


def arp(walk: Walk, at: int) -> Step:
    """Read ARP; addresses that are not Ethernet and IPv4 stay bytes. Padding follows it."""
    fields = walk.read("arp", at)
    if fields is None:
        return "payload", at
    hwlen, plen = int(fields["hwlen"]), int(fields["plen"])
    size = 8 + 2 * (hwlen + plen)
    if walk.lacks("arp", at, size):
        return "payload", at
    kinds = {"hw": "mac" if hwlen == 6 else "", "p": "ip4" if (fields["ptype"], plen) == (0x0800, 4) else ""}
    after = at + 8
    for name, length in (("hwsrc", hwlen), ("psrc", plen), ("hwdst", hwlen), ("pdst", plen)):
        raw, after = walk.frame[after : after + length], after + length
        kind = kinds[name[:-3]]
        fields[name] = unpack(f"it:{kind}", raw)["it"] if kind else raw
    walk.end = walk.add("arp", fields, at, size)
    return "payload", walk.end


def _words(fields: Fields) -> Iterator[str]:
    if fields.get("op") == 1:
        return pieces(fields, "who-has", "{pdst}", "tell {psrc}")
    if fields.get("op") == 2:
        return pieces(fields, "{psrc}", "is-at", "{hwsrc}")
    return pieces(fields, "op {op}", "{psrc}>{pdst}")


ARP = Layer(
    "arp",
    arp,
    layout="hwtype:16 ptype:16 hwlen:8 plen:8 op:16",
    further="hwsrc:mac psrc:ip4 hwdst:mac pdst:ip4",
    over=frozenset({"ether", "dot1q"}),
    payload=False,
    ethertypes=(0x0806,),
    words=_words,
    scapy="ARP",
)
