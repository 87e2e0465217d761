"""What the kernel's dumps say of a node, as a NodeState (rtnetlink(7))."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

from topology.errors import NetlinkError
from topology.kernels.rtnl.dumps import MUST_ANSWER, UNREADABLE, Request, check_whole, parsed, state_requests
from topology.kernels.rtnl.entries import TABLES, forwarding, neighbours, rules
from topology.kernels.rtnl.lean import lean
from topology.kernels.rtnl.links import READ_BEFORE, Names, devices
from topology.kernels.rtnl.traffic import acting_tables, filter_requests, filters, firewall, qdiscs
from topology.model import Interface
from topology.state import FALLBACK_DEVICES, Entry, NodeState, RouteState

RT_TABLE_MAIN, RTPROT_KERNEL, RTM_F_CLONED = 254, 2, 0x200
FORWARDING_KINDS = {1: "unicast", 6: "blackhole", 7: "unreachable", 8: "prohibit", 9: "throw"}
ROUTE_KINDS = {**FORWARDING_KINDS, 2: "local", 3: "broadcast", 4: "anycast", 5: "multicast"}
"""linux/rtnetlink.h; cloned routes are the cache of a dump, not the table."""


class Readout:
    """One node's answers to ``state_requests``; what they show decides what else is to be asked."""

    def __init__(self, node: str, answers: Sequence[bytes]) -> None:
        """NetlinkError where an answer was refused or broken off."""
        self.node = node
        whole = dict(zip((request.what for request in state_requests()), answers, strict=True))
        for what, answer in whole.items():
            check_whole(node, what, answer, what not in MUST_ANSWER)
        self._answers = {what: lean(what, answer) for what, answer in whole.items()}

    def further_requests(self) -> list[Request]:
        """The filters, where there may be any; NetlinkError where that cannot be read."""
        try:
            return filter_requests(self._answers["qdiscs"])
        except UNREADABLE as error:
            raise self._unreadable(error) from error

    def state(self, further: Mapping[str, Sequence[bytes]], sysctls: Mapping[str, str]) -> NodeState:
        """The node's state, with the answers to what else was asked, by what; NetlinkError where it is unreadable."""
        for what, answers in further.items():
            for answer in answers:
                check_whole(self.node, what, answer, what not in MUST_ANSWER)
        try:
            return self._state(further, sysctls)
        except UNREADABLE as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> NetlinkError:
        seen = f"{type(error).__name__}: {str(error)[:200]}"
        return NetlinkError(f"{self.node} - netlink dump - expected a kernel's words - seen {seen}")

    def _state(self, further: Mapping[str, Sequence[bytes]], sysctls: Mapping[str, str]) -> NodeState:
        first = self._answers
        acting = frozenset(acting_tables((*further.get("chains", ()), *further.get("nft rules", ()))))
        found = devices(first["links"])
        entries = frozenset[Entry]().union(
            *(_read(kind, first[what], found.names) for what, kind in ENTRIES),
            _kept_forwarding(first["forwarding"], found.names, found.macs),
            *(_read("filters", answer, found.names) for answer in further.get("filters", ())),
            frozenset(entry for answer in further.get("tables", ()) for entry in firewall(answer, acting)),
        )
        return NodeState(
            self.node,
            {link.name: link for link in found.links},
            _read("addresses", first["addresses"], found.names),
            _read("routes", first["routes"], found.names),
            entries,
            {**sysctls, **dict(found.sysctls)},
        )


@lru_cache(maxsize=READ_BEFORE)
def _read(kind: str, answer: bytes, names: Names) -> frozenset[Any]:
    """What an answer says; most of them are those of the reading before, and of other nodes, to the byte."""
    return frozenset(READERS[kind](answer, dict(names)))


@lru_cache(maxsize=READ_BEFORE)
def _kept_forwarding(answer: bytes, names: Names, own: frozenset[str]) -> frozenset[Entry]:
    """What an answer says of forwarding entries, for the same reason."""
    return frozenset(forwarding(answer, dict(names), own))


def _addresses(data: bytes, names: Mapping[int, str]) -> Iterator[tuple[str, Interface]]:
    for message in parsed(data, "RTM_NEWADDR"):
        if message["index"] not in names:
            continue
        address = message.get("IFA_LOCAL") or message.get("IFA_ADDRESS")
        interface = ip_interface(f"{address}/{message['prefixlen']}")
        own = names[message["index"]] not in FALLBACK_DEVICES - {"lo"}
        if own and not (interface.ip.is_link_local or interface.ip.is_loopback):
            yield names[message["index"]], interface


def _routes(data: bytes, names: Mapping[int, str]) -> Iterator[RouteState]:
    """The main table, as far as it forwards or refuses."""
    for message in parsed(data, "RTM_NEWROUTE"):
        if _table(message) == RT_TABLE_MAIN and message["type"] in FORWARDING_KINDS:
            yield from _route_states(message, names)


def _other_routes(data: bytes, names: Mapping[int, str]) -> Iterator[Entry]:
    """Routes added to any other table; the kernel's own, such as the node's addresses, say so."""
    for message in parsed(data, "RTM_NEWROUTE"):
        table = _table(message)
        if table != RT_TABLE_MAIN and message["proto"] != RTPROT_KERNEL and message["type"] in ROUTE_KINDS:
            tool = "ip -6 route" if message["family"] == socket.AF_INET6 else "ip route"
            for state in _route_states(message, names):
                words = f"{state} table {TABLES.get(table, table)}"
                yield Entry(tool, state.dev, words, words)


def _table(message: Any) -> int:
    return int(message.get("RTA_TABLE") or message["table"])


def _route_states(message: Any, names: Mapping[int, str]) -> Iterator[RouteState]:
    """A route's ways; none for what is only the cache of a dump, and for link-local prefixes."""
    anywhere = "::" if message["family"] == socket.AF_INET6 else "0.0.0.0"
    prefix = ip_network(f"{message.get('RTA_DST') or anywhere}/{message['dst_len']}")
    if prefix.is_link_local or message["flags"] & RTM_F_CLONED:
        return
    kind = ROUTE_KINDS[message["type"]]
    for hop in message.get("RTA_MULTIPATH") or (message,):
        via = hop.get("RTA_GATEWAY")
        dev = names.get(hop.get("oif") or message.get("RTA_OIF"))
        refuses = message["type"] in FORWARDING_KINDS and kind != "unicast"
        metric = int(message.get("RTA_PRIORITY") or 0)
        yield RouteState(prefix, ip_address(via) if via else None, None if refuses else dev, kind, metric=metric)


READERS: Mapping[str, Callable[[bytes, Mapping[int, str]], Iterable[Any]]] = {
    "addresses": _addresses,
    "routes": _routes,
    "other routes": _other_routes,
    "rules": rules,
    "neighbours": neighbours,
    "qdiscs": qdiscs,
    "filters": filters,
}
"""How each kind of thing is read."""
ENTRIES = (
    ("routes", "other routes"),
    ("rules", "rules"),
    ("neighbours", "neighbours"),
    ("qdiscs", "qdiscs"),
)
"""The answers that hold entries, and the reader of each."""
