"""Ties packets that the kernel dropped to a journey: by a trace of the kernel's drops, or by counters. Pure.

``skb:kfree_skb`` knows neither namespace nor interface. It counts only for a buffer whose address the same trace shows
at the interfaces by which the packet came in (``net:netif_receive_skb``), up to the one where it was seen last.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from reports.diagnosis.filters.nft import DROPS
from reports.diagnosis.show import LINK, route_get
from reports.evidence import Cause, Sighting
from topology.expected import ExpectedHop
from topology.packet import ends_of, outer_ip, size_of
from topology.refs import Address

ETHER_BYTES = 14
EVENT = re.compile(r"(netif_receive_skb|kfree_skb): (.*)")
RECEIVED = re.compile(r"dev=(\S+) skbaddr=(\w+) len=(\d+)")
FREED = re.compile(r"skbaddr=(\w+) .*reason: (\w+)")
CALLER = re.compile(r"^ => (\w+)")
TRACERS, RECEIVERS = ("trace_event", "kfree_skb"), ("__netif_receive_skb", "process_backlog", "__sys_sendto")
"""The beginnings of functions at both ends of a stack, which say nothing about a drop."""
CALLERS_MAX = 3
UNSPECIFIED = "NOT_SPECIFIED"
KINDS: Mapping[str, str] = {
    "NETFILTER_DROP": "nft",
    "TC_INGRESS": "filter",
    "TC_EGRESS": "filter",
    "QDISC_DROP": "qdisc",
    "XFRM_POLICY": "xfrm",
    "IP_INNOROUTES": "route",
    "IP_OUTNOROUTES": "route",
    "IP_INADDRERRORS": "forwarding",
    "IP_RPFILTER": "rp_filter",
    "IP_INHDR": "header",
    "IP_CSUM": "checksum",
    "UDP_CSUM": "checksum",
    "PKT_TOO_BIG": "mtu",
    "NO_SOCKET": "socket",
    "NEIGH_FAILED": "address resolution",
}
"""The kind of a cause by the reason of a drop (include/net/dropreason.h)."""
COUNTERS: Mapping[str, str] = {
    r"Ip\w*(In|Out)NoRoutes": "route",
    r"Ip6?InAddrErrors": "forwarding",
    r"Ip6?InHdrErrors": "header",
    r"Ip6?(In|Out)Discards": "drop",
    r"Ip6?FragFails|Ip6InTooBigErrors": "mtu",
    r"TcpExtIPReversePathFilter": "rp_filter",
    r"\w+InCsumErrors": "checksum",
    r"Udp6?NoPorts": "socket",
    r"Xfrm\w+": "xfrm",
    r"\S+ (rx|tx)_\w+": "drop",
    r"SoftnetDropped": "drop",
    r"nft \S+ \S+ \S+ handle \d+": "nft",
}
"""The kind of a cause by the counter that moved (RFC 4293; Documentation/networking/snmp_counter)."""
RECEIVERS_OF: Mapping[str, str] = {
    "gre_rcv": "",
    "tunnel4_rcv": "ipip",
    "tunnel64_rcv": "sit",
    "tunnel6_rcv": "ip6tnl",
    "tunnel46_rcv": "ip6tnl",
    "vxlan_rcv": "vxlan",
    "geneve_udp_encap_recv": "geneve",
}
"""By the function that takes the packets of tunnels, and drops those that no device takes, the kind of the devices;
empty for several kinds."""
PASSED = frozenset(("bytes", "packets", "multicast", "compressed", "carrier_changes"))
"""Counters of a device that count no loss."""
SOFTNET = "SoftnetDropped"
SOFTNET_LINE = re.compile(r"[0-9a-f]{8} ([0-9a-f]{8}) [0-9a-f ]+")
"""A processor's line of /proc/net/softnet_stat: its second number counts what found the backlog full."""
RULE = "nft {family} {table} {chain} handle {handle}"
"""The name of the counter of a rule that drops."""


@dataclass(frozen=True)
class Drop:
    """A buffer that was freed as a drop: the interfaces at which it had come in, each with its length there in bytes,
    the reason, and the functions that freed it, innermost first."""

    arrivals: tuple[tuple[str, int], ...]
    reason: str
    callers: tuple[str, ...]

    def __str__(self) -> str:
        reason = () if self.reason == UNSPECIFIED else (self.reason,)
        where = (f"in {' < '.join(self.callers[:CALLERS_MAX])}",) if self.callers else ()
        return " ".join((*reason, *where)) or "for no stated reason"


def drops_of(trace: str) -> Iterator[Drop]:
    """Yield the drops of a trace of both events, with a stack after each drop."""
    arrivals: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    open_drop: tuple[str, str] | None = None
    callers: list[str] = []
    for line in (*trace.splitlines(), ""):
        if caller := CALLER.match(line):
            callers.append(caller[1])
            continue
        if "<stack trace>" in line:
            continue
        if open_drop is not None:
            yield Drop(tuple(arrivals.pop(open_drop[0], ())), open_drop[1], tuple(_telling(callers)))
        open_drop, callers = None, []
        event = EVENT.search(line)
        if event and (received := RECEIVED.match(event[2])):
            arrivals[received[2]].append((received[1], int(received[3])))
        elif event and (freed := FREED.match(event[2])):
            open_drop = (freed[1], freed[2])


def _telling(callers: Sequence[str]) -> Iterator[str]:
    """Yield the functions between the tracer and those that take any packet, each once."""
    behind = takewhile(lambda name: not name.startswith(RECEIVERS), callers)
    yield from dict.fromkeys(name for name in behind if not name.startswith(TRACERS))


@dataclass(frozen=True)
class Arrival:
    """A place by which a packet came in, and its bytes there behind the Ethernet header."""

    node: str
    interface: str
    bytes: int
    ends: tuple[Address, Address] | None = None
    """The source and destination of the outermost IP header."""

    @property
    def group(self) -> str:
        """The multicast group that the outermost header is for; empty for none."""
        return str(self.ends[1]) if self.ends and self.ends[1].is_multicast else ""

    @classmethod
    def of_sighting(cls, seen: Sighting) -> Arrival:
        """Return where a packet was seen to come in."""
        size = seen.length - (ETHER_BYTES if seen.has_ethernet else 0)
        return cls(seen.node, seen.interface, size, ends_of(seen.ips[0].fields) if seen.ips else None)

    @classmethod
    def of_hop(cls, hop: ExpectedHop) -> Arrival:
        """Return where a packet is expected to come in."""
        ethernet = hop.layers[0][0] == "ether"
        ip = outer_ip(hop.layers)
        size = size_of(hop.layers) - (ETHER_BYTES if ethernet else 0)
        return cls(hop.node, hop.interface, size, ends_of(ip) if ip else None)

    def show(self, kind: str, callers: str = "") -> str:
        """Return the command that shows why its node may drop a packet: its route, or the tunnels that might take it,
        by the functions that dropped it; empty for another reason."""
        if kind == "route" and self.ends:
            return route_get(self.node, self.ends[1], self.ends[0], self.interface)
        taken = next((link for function, link in RECEIVERS_OF.items() if function in callers.split()), None)
        return "" if taken is None else LINK.format(node=self.node) + (f" type {taken}" if taken else "")


def drop_causes(trace: str, came_in: Sequence[Arrival], count: int) -> Iterator[Cause]:
    """Yield the drop that all of ``count`` packets share that came in there, in this order."""
    last = came_in[-1]
    way = [(place.interface, place.bytes) for place in came_in]
    tied = Counter(str(drop) for drop in drops_of(trace) if _ends_as(drop.arrivals, way))
    for words, times in tied.items():
        if times >= count:
            kind = "multicast" if last.group else KINDS.get(words.split(" ")[0], "drop")
            group = f" for the multicast group {last.group}" if last.group else ""
            live = f"{times} of {count} packets{group} dropped: {words}"
            show = last.show(kind, words)
            yield Cause(kind, last.node, last.interface, "the packet passed on", live, "", show, "traffic")


def _ends_as(arrivals: Sequence[tuple[str, int]], way: Sequence[tuple[str, int]]) -> bool:
    """Return whether a buffer came in last where the packet did, and before that nowhere else.

    Its address may have been another packet's before, and a copy has an address of its own.
    """
    alike = 0
    for seen, known in zip(reversed(arrivals), reversed(way), strict=False):
        if seen != known:
            break
        alike += 1
    return alike == len(way) or 0 < alike == len(arrivals)


def counters_of(texts: Sequence[str]) -> dict[str, int]:
    """Return the counters of a namespace's files under /proc/net by name, as nstat(8) names them; those of what found a
    processor's backlog full, for all namespaces, as SOFTNET."""
    found: dict[str, int] = {}
    names: list[str] = []
    for line in (line for text in texts for line in text.splitlines()):
        head, colon, rest = line.partition(":")
        words = rest.split()
        if colon and words and not words[0].lstrip("-").isdigit():
            names = [head + word for word in words]
        elif colon:
            found |= dict(zip(names, map(int, words), strict=False))
        elif backlog := SOFTNET_LINE.fullmatch(line):
            found[SOFTNET] = found.get(SOFTNET, 0) + int(backlog[1], 16)
        elif len(pair := line.split()) == 2 and pair[1].isdigit():
            found[pair[0]] = int(pair[1])
    return found


def printed_counters(links: str, ruleset: str) -> dict[str, int]:
    """Return the counters of loss that ``ip -s -s -j link`` prints, as ``DEVICE rx_dropped``, and those of rules that
    drop, which ``nft -j list ruleset`` prints; either may be blank."""
    found: dict[str, int] = {}
    for link in json.loads(links or "[]"):
        for way, counted in link.get("stats64", {}).items():
            found |= {f"{link['ifname']} {way}_{key}": value for key, value in counted.items() if key not in PASSED}
    for rule in (one["rule"] for one in json.loads(ruleset or "{}").get("nftables", ()) if "rule" in one):
        parts = {kind: body for statement in rule.get("expr", ()) for kind, body in statement.items()}
        if isinstance(counter := parts.get("counter"), dict) and not DROPS.isdisjoint(parts):
            found[RULE.format(**rule)] = counter["packets"]
    return found


def counter_causes(
    last: Arrival, before: Mapping[str, int], idle: Mapping[str, int], after: Mapping[str, int], count: int
) -> Iterator[Cause]:
    """Yield the counters of loss at the node where packets came in ``last`` that ``count`` of them moved by at least as
    much, beyond what moved without them."""
    for name, value in after.items():
        start, without = idle.get(name, 0), idle.get(name, 0) - before.get(name, 0)
        kind = next((kind for pattern, kind in COUNTERS.items() if re.fullmatch(pattern, name)), None)
        if kind is not None and value - start - without >= count:
            live = f"{name} moved by {value - start} with {count} packets"
            device, show = _shown(last.node, name)
            show = last.show(kind) or show
            yield Cause(kind, last.node, device, "the packet passed on", live, "", show, "traffic")


def _shown(node: str, name: str) -> tuple[str | None, str]:
    """Return the device that a counter is of, if it is one's, and the command that shows it."""
    if name == SOFTNET:
        return None, f"ip netns exec {node} cat /proc/net/softnet_stat"
    if name.startswith("nft "):
        return None, f"ip netns exec {node} nft -a list chain {name.removeprefix('nft ').partition(' handle')[0]}"
    device, _, column = name.rpartition(" ")
    if device:
        return device, f"ip -n {node} -s -s link show dev {device}"
    return None, f"ip netns exec {node} nstat -az {column}"
