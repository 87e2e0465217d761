"""The forwarding state of live nodes, as a fabric that the walk of ``topology.expected`` can follow. Pure.

It only explains: reachability, isolation and encapsulation are judged against the declaration, never against this.
Filters, proxies and multicast routes are not followed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any

from topology.links import KINDS
from topology.links.base import ANY_ADDRESS
from topology.links.vxlan import VLAN_TUNNEL
from topology.model import (
    LOOPBACK,
    Address,
    Device,
    Fabric,
    Interface,
    Link,
    Loopback,
    NextHop,
    Node,
    Port,
    Route,
    other_ends,
)
from topology.node import FILTERS
from topology.refs import PortRef
from topology.state import DEFAULT_RULES, ELSEWHERE, LinkState, NodeState, RouteState, sysctl_of

PROXY = "proxy ARP"
MULTICAST = "multicast routes"
EACH_PACKETS_OWN = "0"
"""The VNI of a device that takes it from each packet's metadata (``external``); where not its bridge's VLANs decide
about it, it is not followed."""
METADATA = ("ip", "ip6")
"""The ``encap`` of routes that adds no header, but tells a device with ``external`` which one to add (ip-route(8))."""
PROXIES = (".proxy_arp", "/proxy_arp", ".proxy_ndp", "/proxy_ndp")
"""The ends of sysctls by which a node answers for the addresses of others."""


def live_fabric(name: str, states: Mapping[str, NodeState], links: Iterable[Link]) -> Fabric:
    """Return the fabric that live nodes form.

    ``links`` are the veth pairs as they are joined now; one between two bridges that a spanning tree blocks is
    ``blocked``. A device of a kind that cannot be followed is a plain Device.
    """
    joined, blocked = list[Link](), list[Link]()
    for link in links:
        ends = [_in_spanning_tree(states[end.node], end.interface) for end in link.ends if end.node in states]
        (blocked if None not in ends and "blocking" in ends else joined).append(link)
    cut, wires = {end for link in blocked for end in link.ends}, other_ends(joined)
    nodes = (_node(_without_ports(state, cut), wires) for state in states.values())
    return Fabric(name, tuple(nodes), tuple(joined), pairs=(), blocked=tuple(blocked))


def _in_spanning_tree(state: NodeState, port: str) -> str | None:
    """Return the state of a port of a bridge that speaks STP, as far as it does not forward; None for any other."""
    link = state.links.get(port)
    bridge = state.links.get(link.master or "") if link else None
    spoken = link and bridge and ("stp", "on") in bridge.parameters
    return dict(link.port).get("state", "") if link and spoken else None


def _without_ports(state: NodeState, cut: Collection[PortRef]) -> NodeState:
    """Return a node's state with some ports in no bridge."""
    alone = {name: replace(link, master=None) for name, link in state.links.items() if PortRef(state.node, name) in cut}
    return replace(state, links={**state.links, **alone}) if alone else state


def _node(state: NodeState, wires: Mapping[PortRef, PortRef]) -> Node:
    devices = [_device(_Live(state, link), wires) for link in state.links.values()]
    if found := _addresses(state, LOOPBACK):
        devices.insert(0, Loopback(node=state.node, name=LOOPBACK, addresses=found))
    forwarding = frozenset(
        (version, link) for version in (4, 6) for link in state.links if _forwards(state, version, link)
    )
    routes = tuple(_best_of_each(state.routes))
    return Node(
        name=state.node,
        role="switch",
        devices=tuple(devices),
        routes=routes,
        forwarding=forwarding,
        connected=False,
        unfollowed=_unfollowed(state),
        handed={link.name: str(link.master) for link in state.links.values() if not _has_known_master(state, link)},
        opaque=_opaque(state, wires),
        sends_elsewhere=any(ELSEWHERE in dict(link.parameters) for link in state.links.values()),
        neighbours=dict(_neighbours(state)),
        sysctls=state.sysctls,
        rules=dict(_rules(state)),
        tables=tuple(_tables(state)),
    ).sourced


def _rules(state: NodeState) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the rules of each IP version that has others than the kernel's own, in the order of their preference."""
    for version, own in DEFAULT_RULES.items():
        tool = "ip rule" if version == 4 else "ip -6 rule"
        found = {entry for entry in state.entries if entry.tool == tool}
        if found - own:
            yield version, tuple(sorted((entry.words for entry in found), key=lambda words: int(words.split()[1])))


def _tables(state: NodeState) -> Iterator[tuple[str, Route]]:
    """Yield the routes of other tables than main, each with its table."""
    by_table = defaultdict[str, list[RouteState]](list)
    for entry in state.entries:
        if isinstance(entry.read, RouteState) and not entry.words.startswith("multicast"):
            by_table[entry.words.split()[-1]].append(entry.read)
    yield from ((table, route) for table in sorted(by_table) for route in _best_of_each(by_table[table]))


def _unfollowed(state: NodeState) -> str:
    """Return further state of a node that may route packets."""
    multicast = any(entry.kind == "route" and entry.words.startswith("multicast") for entry in state.entries)
    filters = any(entry.kind in ("nft", "filter") and not entry.idle for entry in state.entries)
    proxies = any(key.endswith(PROXIES) and value != "0" for key, value in state.sysctls.items())
    unknown = sorted((link.name, link.kind) for link in state.links.values() if not _is_followed(state, link))
    others = [name if kind in KINDS else f"{name} ({kind})" for name, kind in unknown]
    found = [*others, *([MULTICAST] * multicast), *([FILTERS] * filters), *([PROXY] * proxies)]
    return f"what {' and '.join(found)} {'do' if len(found) > 1 or found[0].endswith('s') else 'does'}" if found else ""


def _opaque(state: NodeState, wires: Mapping[PortRef, PortRef]) -> str:
    """Return why the state of a node does not say what carries packets between its cables; empty where it does.

    Each of them is used by nothing, or is in a bridge with nothing but what leads to no node, such as a VM's. One that
    is used by nothing may just not be set up: there must be two.
    """
    cables = {link.name for link in state.links.values() if link.up and PortRef(state.node, link.name) in wires}
    handed = {name for name in cables if _is_handed_on(state, state.links[name], cables)}
    idle = {name for name in cables - handed if not _is_used(state, state.links[name])}
    opaque = cables == handed | idle and (handed or len(idle) > 1)
    return f"its state says nothing of frames from {', '.join(sorted(cables))}" if opaque else ""


def _is_handed_on(state: NodeState, link: LinkState, cables: Collection[str]) -> bool:
    """Return whether a cable is in a bridge without an address, only together with devices that lead to no node."""
    others = [one for one in state.links.values() if one.master and one.master == link.master and one != link]
    foreign = all(one.name not in cables and (one.kind == "veth" or not _is_followed(state, one)) for one in others)
    return bool(others) and foreign and not _addresses(state, link.master or "")


def _is_used(state: NodeState, link: LinkState) -> bool:
    """Return whether an address, a bridge or VRF, a route or another device is at a cable."""
    routed = any(route.dev == link.name for route in state.routes) or any(
        entry.kind == "route" and link.name in entry.words.split() for entry in state.entries
    )
    above = any(("dev", link.name) in one.parameters for one in state.links.values())
    return bool(link.master or routed or above or _addresses(state, link.name))


def _is_followed(state: NodeState, link: LinkState) -> bool:
    """Return whether the walk knows what a device does; one that takes packets of any sender or VNI it does not, nor
    one that sends by another namespace."""
    kind = KINDS.get(link.kind)
    live = _Live(state, link)
    known = link.kind == "dummy" if kind is None else not kind.is_open(live) or _by_vlans(live)
    return known and not live[ELSEWHERE] and _has_known_master(state, link)


def _has_known_master(state: NodeState, link: LinkState) -> bool:
    """Return whether a device is in none, or in one of which the walk knows what it does with frames."""
    master = state.links.get(link.master or "")
    if master is None:
        return link.master is None
    return master.kind == "vrf" or (master.kind == "bridge" and not Device.is_open(_Live(state, master)))


def _by_vlans(live: _Live) -> bool:
    """Return whether a device that takes the VNI from each packet has it from the VLANs of its bridge (bridge(8),
    ``vlan_tunnel``); without that setting filters may give it."""
    bridge = live.state.links.get(live.link.master or "")
    filters = bridge is not None and ("vlan_filtering", "on") in bridge.parameters
    others = any(entry.kind == "filter" for entry in live.state.entries) and VLAN_TUNNEL not in live.link.port
    return live.kind == "vxlan" and filters and not live["vnifilter"] and not others


def _forwards(state: NodeState, version: int, link: str) -> bool:
    return state.sysctls.get(sysctl_of(version, link, "forwarding")) == "1"


def _addresses(state: NodeState, device: str) -> tuple[Interface, ...]:
    found = [interface for name, interface in state.addresses if name == device]
    return tuple(sorted(found, key=lambda interface: (interface.version, int(interface.ip), interface)))


def _neighbours(state: NodeState) -> Iterator[tuple[tuple[str, Address], str]]:
    """Yield the permanent neighbour entries: the device and the address, and the MAC."""
    for entry in state.entries:
        words = entry.words.split()
        if entry.kind == "neigh" and entry.device and "lladdr" in words:
            yield (entry.device, ip_address(words[0])), words[words.index("lladdr") + 1]


def _best_of_each(routes: Iterable[RouteState]) -> Iterator[Route]:
    """Yield the routes of a table, of several to one prefix only those of the least metric."""
    by_prefix: defaultdict[object, list[RouteState]] = defaultdict(list)
    for route in sorted(routes, key=str):
        by_prefix[route.prefix].append(route)
    for found in by_prefix.values():
        least = min(route.metric for route in found)
        best = [route for route in found if route.metric == least]
        one, (first, *others) = best[0], [NextHop(route.via, route.dev) for route in best]
        encap = "" if one.encap in METADATA else one.encap
        alike = Route(prefix=one.prefix, via=first.via, dev=first.dev, others=tuple(others), kind=one.kind)
        yield replace(alike, encap=encap, src=one.src)


@dataclass(frozen=True)
class _Live:
    """One live device with the state of its node."""

    state: NodeState
    link: LinkState

    def __getitem__(self, key: str) -> str:
        """The value of a parameter; blank where the device has none."""
        return next((value for name, value in self.link.parameters if name == key), "")

    @property
    def kind(self) -> str:
        """The kind of link."""
        return self.link.kind

    @property
    def name(self) -> str:
        """The name of the device."""
        return self.link.name

    @property
    def members(self) -> tuple[str, ...]:
        """The devices that are in it."""
        return tuple(link.name for link in self.state.links.values() if link.master == self.link.name)

    @property
    def common(self) -> dict[str, Any]:
        """The properties that every device has."""
        link = self.link
        addresses = _addresses(self.state, link.name)
        common = {"node": self.state.node, "name": link.name, "mac": link.mac, "mtu": link.mtu, "addresses": addresses}
        return common | {"up": link.up, "arp": link.arp, "port_settings": link.port}

    def number(self, key: str, default: int = 0) -> int:
        """The value of a parameter as a number."""
        return int(float(self[key])) if self[key] else default

    def address(self, key: str, version: int = 4) -> Address:
        """The value of a parameter as an address; the unspecified one where the device has none."""
        return ANY_ADDRESS[version] if self[key] in ("", "none", "any", "None") else ip_address(self[key])

    def said(self, tool: str) -> Iterator[list[str]]:
        """Yield the words of each entry that a tool shows of the device and its members."""
        own = {self.link.name, *self.members}
        found = (entry.words for entry in self.state.entries if entry.tool == tool and entry.device in own)
        yield from map(str.split, sorted(found))


def _device(live: _Live, wires: Mapping[PortRef, PortRef]) -> Device:
    kind = KINDS.get(live.kind, Device)
    if live[ELSEWHERE] or Device.is_open(live) or (live["vni"] == EACH_PACKETS_OWN and not _by_vlans(live)):
        return Device(**live.common)
    if kind is not Port:
        return kind.from_live(live)
    peer = wires.get(PortRef(live.state.node, live.link.name))
    return Device(**live.common) if peer is None else Port(**live.common, peer=peer)
