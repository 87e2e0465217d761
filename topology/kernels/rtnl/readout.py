"""A node's state, read from the kernel's dumps (rtnetlink(7))."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_interface, ip_network

from topology.kernels.rtnl import messages as nl
from topology.kernels.rtnl.dumps import VLANS, Request, check_whole
from topology.kernels.rtnl.entries import (
    TABLES,
    acting_tables,
    daemon,
    filter_requests,
    filters,
    firewall,
    forwarding,
    neighbours,
    rules,
    vlans,
)
from topology.kernels.rtnl.links import link_state, settings
from topology.kernels.rtnl.qdiscs import qdiscs
from topology.links import FALLBACK_DEVICES
from topology.model import Interface
from topology.refs import is_of_link
from topology.state import Entry, LinkState, NodeState, RouteState

ARPHRD_PIMREG = 779
"""linux/if_arp.h: a kernel makes such a device for a multicast routing daemon (net/ipv4/ipmr.c)."""
RT_TABLE_MAIN, RTPROT_KERNEL, RTM_F_CLONED = 254, 2, 0x200
ROUTED = frozenset((socket.AF_INET, socket.AF_INET6, 128, 129))
"""The families of routes that are read: also those of multicast (RTNL_FAMILY_IPMR, RTNL_FAMILY_IP6MR), not MPLS."""
FORWARDING_KINDS = {1: "unicast", 6: "blackhole", 7: "unreachable", 8: "prohibit", 9: "throw"}
ROUTE_KINDS = {**FORWARDING_KINDS, 2: "local", 3: "broadcast", 4: "anycast", 5: "multicast"}
"""linux/rtnetlink.h; cloned routes are the cache of a dump, not the table."""


def further_requests(node: str, answers: Mapping[str, Sequence[bytes]]) -> list[Request]:
    """The requests for a node's filters and its ports' VLANs, where there may be any; ``answers`` are those to
    ``STATE_REQUESTS``."""
    with nl.readable(node):
        links = (link for dump in answers.get("links", ()) for link in nl.parsed(nl.LINK, dump))
        filtered = any(link.get("info", {}).get("data", {}).get("vlan_filtering") for link in links)
        return [*filter_requests(answers["qdiscs"][0]), *([VLANS] if filtered else [])]


def read_state(node: str, answers: Mapping[str, Sequence[bytes]], sysctls: Mapping[str, str]) -> NodeState:
    """The state of a node by all answers to each kind of request; NetlinkError where one cannot be read."""
    for what, dumps in answers.items():
        for dump in dumps:
            check_whole(node, what, dump)
    with nl.readable(node):
        return _state(node, answers, sysctls)


def _state(node: str, answers: Mapping[str, Sequence[bytes]], sysctls: Mapping[str, str]) -> NodeState:
    links = [link for dump in answers["links"] for link in nl.parsed(nl.LINK, dump)]
    names: Mapping[int, str] = {link["index"]: link["name"] for link in links}
    own = list(filter(_is_own, links))
    states = {link["name"]: link_state(link, names) for link in own}
    routes, other_routes = list[RouteState](), set[Entry]()
    known = (route for dump in answers["routes"] for route in nl.parsed(nl.ROUTE, dump))
    for route in (route for route in known if route["family"] in ROUTED):
        routes += _main_route(route, names)
        other_routes.update(_other_route(route, names))
    return NodeState(
        node,
        states,
        frozenset(found for dump in answers["addresses"] for found in _addresses(dump, names)),
        frozenset(sorted(routes, key=lambda route: bool(route.owner))),  # of two alike, the one without an owner
        frozenset(other_routes | set(_entries(answers, names, states))),
        {**sysctls, **_settings(own)},
    )


def device_sysctls(node: str, dump: bytes) -> dict[str, str]:
    """The sysctls of a node's devices by a dump of its links; NetlinkError where it cannot be read."""
    check_whole(node, "links", dump)
    with nl.readable(node):
        return _settings(filter(_is_own, nl.parsed(nl.LINK, dump)))


def _is_own(link: nl.Message) -> bool:
    return link["name"] not in FALLBACK_DEVICES and link["type"] != ARPHRD_PIMREG


def _settings(links: Iterable[nl.Message]) -> dict[str, str]:
    return {key: value for link in links for key, value in settings(link)}


def _entries(
    answers: Mapping[str, Sequence[bytes]], names: Mapping[int, str], links: Mapping[str, LinkState]
) -> Iterator[Entry]:
    macs = {link.mac for link in links.values() if link.mac}
    filtering = {name for name, link in links.items() if ("vlan_filtering", "on") in link.parameters}
    filtering |= {name for name, link in links.items() if link.master in filtering}
    acting = set(acting_tables(answers.get("chains", ()), answers.get("nft rules", ())))
    readers: Mapping[str, Callable[[bytes], Iterable[Entry]]] = {
        "rules": rules,
        "neighbours": lambda dump: neighbours(dump, names),
        "forwarding": lambda dump: forwarding(dump, names, macs),
        "vlans": lambda dump: vlans(dump, filtering),
        "qdiscs": lambda dump: qdiscs(dump, names),
        "filters": lambda dump: filters(dump, names),
        "tables": lambda dump: firewall(dump, acting),
    }
    for what, read in readers.items():
        for dump in answers.get(what, ()):
            yield from read(dump)


def _addresses(dump: bytes, names: Mapping[int, str]) -> Iterator[tuple[str, Interface]]:
    for known in nl.parsed(nl.ADDRESS, dump):
        name = names.get(known["index"])
        interface = ip_interface(f"{known.get('local') or known.get('peer')}/{known['prefixlen']}")
        shown = name and name not in FALLBACK_DEVICES - {"lo"}
        if name and shown and not (is_of_link(interface) or interface.ip.is_loopback):
            yield name, interface


def _main_route(route: nl.Message, names: Mapping[int, str]) -> Iterator[RouteState]:
    """A route of the main table, as far as it forwards or refuses."""
    if route["table"] == RT_TABLE_MAIN and route["type"] in FORWARDING_KINDS:
        yield from _route_states(route, names)


def _other_route(route: nl.Message, names: Mapping[int, str]) -> Iterator[Entry]:
    """A route added to any other table; the kernel's own, such as the node's addresses, say so."""
    table = route["table"]
    if table != RT_TABLE_MAIN and route["proto"] != RTPROT_KERNEL and route["type"] in ROUTE_KINDS:
        tool = "ip -6 route" if route["family"] == socket.AF_INET6 else "ip route"
        for state in _route_states(route, names):
            words = f"{state} table {TABLES.get(table, table)}"
            yield Entry(tool, state.dev, words, words, owner=state.owner, read=state)


def _route_states(route: nl.Message, names: Mapping[int, str]) -> Iterator[RouteState]:
    """A route's next hops; none for what is only the cache of a dump, and for IPv6 link-local prefixes."""
    anywhere = "::" if route["family"] == socket.AF_INET6 else "0.0.0.0"
    prefix = ip_network(f"{route.get('dst', anywhere)}/{route['dst_len']}")
    if is_of_link(prefix) or route["flags"] & RTM_F_CLONED:
        return
    kind = ROUTE_KINDS[route["type"]]
    refuses = route["type"] in FORWARDING_KINDS and kind != "unicast"
    metric, owner = route.get("priority", 0), daemon(route["proto"])
    src, metrics = ip_address(route["src"]) if "src" in route else None, " ".join(_metrics(route.get("metrics", {})))
    for hop in route.get("hops") or (route,):
        via, dev = hop.get("gateway"), names.get(hop.get("oif", 0))
        gateway = ip_address(via) if via else None
        encap = hop.get("encap", "")
        dev = None if refuses else dev
        yield RouteState(prefix, gateway, dev, kind, metric=metric, owner=owner, encap=encap, src=src, metrics=metrics)


def _metrics(known: Mapping[str, int]) -> Iterator[str]:
    """Yield a route's metrics as ip-route(8) takes them."""
    locked = known.get("lock", 0)
    for place, (name, _) in nl.METRICS.items():
        if name in known and name != "lock":
            yield f"{name} lock {known[name]}" if locked >> place & 1 else f"{name} {known[name]}"
