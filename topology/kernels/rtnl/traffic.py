"""Queueing disciplines and filters of devices (tc(8)), nftables' tables: all that drops, delays or redirects packets.

Of a filter it is its place, its kind and its preference that count, not what it matches: a kernel reports its counters
in the same breath. For the same reason the options of a queueing discipline count only for those without counters.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from topology.kernels.rtnl.dumps import (
    NFT_MSG_NEWCHAIN,
    NFT_MSG_NEWRULE,
    Request,
    filter_request,
    parsed,
    tables,
)
from topology.kernels.rtnl.lean import attributes
from topology.kernels.rtnl.messages import messages
from topology.state import Entry

TC_H_ROOT, TC_H_INGRESS = 0xFFFFFFFF, 0xFFFFFFF1
INGRESS, EGRESS = 0xFFFFFFF2, 0xFFFFFFF3
"""linux/pkt_sched.h: where qdiscs hang, and the two places for filters at ingress and clsact."""
WITHOUT_FILTERS = frozenset(("noqueue", "pfifo_fast", "pfifo", "bfifo", "mq", "netem", "tbf"))
WITHOUT_COUNTERS = frozenset(("netem", "tbf"))
"""htb, for one, counts packets in its options (htb_dump, net/sched/sch_htb.c)."""
PROTOCOLS = {0x0003: "all", 0x0800: "ip", 0x0806: "arp", 0x86DD: "ipv6", 0x8100: "802.1q"}
"""EtherTypes as tc(8) writes them (linux/if_ether.h)."""
FAMILIES = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}
"""linux/netfilter.h, as nft(8) writes them."""
NFTA_TABLE, NFTA_CHAIN_POLICY = 1, 5
"""linux/netfilter/nf_tables.h: a chain's and a rule's table, and what a chain does with what no rule has taken."""
NF_DROP = bytes(4)
DOCKERS_RESOLVER = bytes((127, 0, 0, 11))


def _made(dump: bytes) -> Iterator[Any]:
    """The qdiscs that were added: what a kernel attaches by itself has no handle (qdisc_create_dflt)."""
    return (message for message in parsed(dump, "RTM_NEWQDISC") if message["handle"])


def qdiscs(dump: bytes, names: Mapping[int, str]) -> Iterator[Entry]:
    """Every queueing discipline that is not the kernel's default."""
    for message in _made(dump):
        device, kind = names.get(message["index"]), message.get("TCA_KIND")
        place = f"dev {device} {_qdisc_place(message, kind)}"
        words = place if place.endswith(f" {kind}") else f"{place} {kind}"
        if kind in WITHOUT_COUNTERS:
            words += f" options {_digest(message.get('TCA_OPTIONS'))}"
        yield Entry("tc qdisc", device, words, place)


def _qdisc_place(message: Any, kind: str) -> str:
    if message["parent"] == TC_H_INGRESS:
        return kind
    return "root" if message["parent"] == TC_H_ROOT else f"parent {_handle(message['parent'])}"


def _handle(number: int) -> str:
    minor = number & 0xFFFF
    return f"{number >> 16:x}:{minor:x}" if minor else f"{number >> 16:x}:"


def _digest(options: object) -> str:
    return hashlib.sha256(repr(options).encode()).hexdigest()[:8]


def filter_requests(dump: bytes) -> list[Request]:
    """What is to be asked of a node with these qdiscs: the filters, wherever some may be."""
    places = []
    for message in _made(dump):
        if message["parent"] == TC_H_INGRESS:
            places += [(message["index"], INGRESS)]
            places += [(message["index"], EGRESS)] if message.get("TCA_KIND") == "clsact" else []
        elif message.get("TCA_KIND") not in WITHOUT_FILTERS:
            places += [(message["index"], message["handle"])]
    return [filter_request(*place) for place in places]


def filters(dump: bytes, names: Mapping[int, str]) -> Iterator[Entry]:
    """Every filter, once for all that it matches."""
    for message in parsed(dump, "RTM_NEWTFILTER"):
        device = names.get(message["index"])
        (protocol,) = struct.unpack("!H", struct.pack("=H", message["info"] & 0xFFFF))
        match = f"protocol {PROTOCOLS.get(protocol, hex(protocol))} pref {message['info'] >> 16}"
        place = f"dev {device} {_filter_place(message['parent'])} {match}"
        yield Entry("tc filter", device, f"{place} {message.get('TCA_KIND')}", place)


def _filter_place(parent: int) -> str:
    return {INGRESS: "ingress", EGRESS: "egress"}.get(parent, f"parent {_handle(parent)}")


def firewall(dump: bytes, acting: Collection[tuple[int, str]]) -> Iterator[Entry]:
    """Every table of nftables; ``acting`` are the families and names of those that can do something to a packet."""
    for table in tables(dump):
        number, name = table["nfgen_family"], table.get("NFTA_TABLE_NAME")
        words = f"table {FAMILIES.get(number, number)} {name}"
        yield Entry("nft", None, words, words, idle=(number, name) not in acting)


def acting_tables(dumps: Iterable[bytes]) -> Iterator[tuple[int, str]]:
    """The family and name of every table with a chain whose policy is to drop, or with a rule, by dumps of both.

    Rules of a table ``nat`` for 127.0.0.11 are left out: docker's resolver in a container, which nothing else meets.
    """
    for kind, _, _, payload in (message for dump in dumps for message in messages(dump)):
        known = {number: attribute[4:] for number, attribute in attributes(payload, 4)}
        name = known.get(NFTA_TABLE, b"").rstrip(b"\0").decode()
        drops = kind == NFT_MSG_NEWCHAIN and known.get(NFTA_CHAIN_POLICY, b"")[:4] == NF_DROP
        acts = kind == NFT_MSG_NEWRULE and not (name == "nat" and DOCKERS_RESOLVER in payload)
        if drops or acts:
            yield payload[0], name
