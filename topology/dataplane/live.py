"""The forwarding state of live nodes, as a fabric that the walk of ``topology.expected`` can follow. Pure.

It only explains: reachability, isolation and encapsulation are judged against the declaration, never against this.
Policy rules, further tables, filters and neighbour entries are not followed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from topology.model import (
    AGEING,
    LOOPBACK,
    Address,
    Bridge,
    Device,
    Fabric,
    Geneve,
    Gre,
    Interface,
    Link,
    Loopback,
    NextHop,
    Node,
    Port,
    Route,
    Subinterface,
    Vxlan,
)
from topology.plan import FLOOD_MAC
from topology.refs import PortRef
from topology.state import DEFAULT_RULES, LinkState, NodeState, RouteState, sysctl_of

NO_ADDRESS: Mapping[int, Address] = {4: IPv4Address(0), 6: IPv6Address(0)}
"""By IP version the address of a tunnel end that is not set."""

NO_KEY_FITS = -1
"""The key of a GRE device that sends with another one than it accepts."""
POLICY, FILTERS, PROXY = "policy rules", "filters", "proxy ARP"
PROXIES = (".proxy_arp", "/proxy_arp", ".proxy_ndp", "/proxy_ndp")
"""The ends of sysctls by which a node answers for the addresses of others."""


def live_fabric(name: str, states: Mapping[str, NodeState], links: Iterable[Link]) -> Fabric:
    """Return the fabric that live nodes form.

    ``links`` are the veth pairs as they are joined now. A device of a kind that cannot be followed is a plain Device.
    """
    wires = {end: other for link in links for end, other in (link.ends, link.ends[::-1])}
    return Fabric(name, tuple(_node(state, wires) for state in states.values()), tuple(links), pairs=())


def _node(state: NodeState, wires: Mapping[PortRef, PortRef]) -> Node:
    devices = [_device(_Live(state, link), wires) for link in state.links.values()]
    if found := _addresses(state, LOOPBACK):
        devices.insert(0, Loopback(node=state.node, name=LOOPBACK, addresses=found))
    forwarding = frozenset(
        (version, link) for version in (4, 6) for link in state.links if _forwards(state, version, link)
    )
    routes = tuple(_routes(state))
    node = Node(
        name=state.node,
        role="switch",
        devices=tuple(devices),
        routes=routes,
        forwarding=forwarding,
        connected=False,
        unfollowed=_unfollowed(state),
        neighbours=dict(_neighbours(state)),
    )
    return replace(node, devices=tuple(_with_source(node, device) for device in node.devices))


def _unfollowed(state: NodeState) -> str:
    """Return further state of a node that may route packets."""
    rules = any(entry.kind in ("rule", "route") for entry in state.entries - DEFAULT_RULES[4] - DEFAULT_RULES[6])
    filters = any(entry.kind in ("nft", "filter") and not entry.idle for entry in state.entries)
    proxies = any(key.endswith(PROXIES) and value != "0" for key, value in state.sysctls.items())
    others = sorted(link.name for link in state.links.values() if not _is_followed(state, link))
    found = [*others, *([POLICY] * rules), *([FILTERS] * filters), *([PROXY] * proxies)]
    return f"what {' and '.join(found)} {'do' if len(found) > 1 or found[0].endswith('s') else 'does'}" if found else ""


def _is_followed(state: NodeState, link: LinkState) -> bool:
    """Return whether the walk knows what a device does; one that takes packets of any sender or VNI it does not."""
    master = state.links.get(link.master or "")
    live = _Live(state, link)
    ends = [live.address(key) for key in ("local", "remote") if link.kind in ("gre", "ip6gre")]
    open_ended = any(end.is_unspecified for end in ends) or (link.kind in ("vxlan", "geneve") and live["vni"] == "0")
    known = link.kind in KINDS or link.kind in ("veth", "dummy")
    return known and not open_ended and (master.kind == "bridge" if master else link.master is None)


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


def _routes(state: NodeState) -> Iterator[Route]:
    """Yield the routes of the main table, of several to one prefix only those of the least metric."""
    by_prefix: defaultdict[object, list[RouteState]] = defaultdict(list)
    for route in sorted(state.routes, key=str):
        by_prefix[route.prefix].append(route)
    for found in by_prefix.values():
        least = min(route.metric for route in found)
        best = [route for route in found if route.metric == least]
        first, *others = (NextHop(route.via, route.dev) for route in best)
        yield Route(prefix=best[0].prefix, via=first.via, dev=first.dev, others=tuple(others), kind=best[0].kind)


@dataclass(frozen=True)
class _Live:
    """One live device with the state of its node."""

    state: NodeState
    link: LinkState

    def __getitem__(self, key: str) -> str:
        """The value of a parameter; blank where the device has none."""
        return next((value for name, value in self.link.parameters if name == key), "")

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
        return NO_ADDRESS[version] if self[key] in ("", "none", "any", "None") else ip_address(self[key])

    def forwarding_entries(self) -> Iterator[tuple[str, Address]]:
        """Yield the MAC and the remote of each static forwarding entry of a VXLAN device."""
        for entry in sorted(self.state.entries, key=str):
            words = entry.words.split()
            if entry.tool == "bridge fdb" and entry.device == self.link.name and "dst" in words:
                yield words[0], ip_address(words[words.index("dst") + 1])


def _bridge(live: _Live) -> Device:
    members = tuple(link.name for link in live.state.links.values() if link.master == live.link.name)
    return Bridge(**live.common, members=members, ageing=live.number("ageing", AGEING))


def _vxlan(live: _Live) -> Device:
    entries = list(live.forwarding_entries())
    flooded = [remote for mac, remote in entries if mac == FLOOD_MAC]
    remote, *others = flooded or [live.address("remote")]
    return Vxlan(
        **live.common,
        vni=live.number("vni"),
        local=live.address("local", remote.version),
        remote=remote,
        others=tuple(others),
        dev=None if live["dev"] == "none" else live["dev"],
        port=live.number("dstport"),
        by_route=live["local"] == "none",
        learning=live["learning"] != "off",
        ageing=live.number("ageing", AGEING),
        entries=tuple((mac, remote) for mac, remote in entries if mac != FLOOD_MAC),
    )


def _geneve(live: _Live) -> Device:
    remote = live.address("remote")
    local = NO_ADDRESS[remote.version]
    return Geneve(**live.common, vni=live.number("vni"), local=local, remote=remote, port=live.number("dstport"))


def _gre(live: _Live) -> Device:
    version = 6 if live.link.kind == "ip6gre" else 4
    return Gre(
        **live.common,
        local=live.address("local", version),
        remote=live.address("remote", version),
        key=_gre_key(live["key"]),
        ttl=None if live["ttl"] == "inherit" else live.number("ttl"),
        inherit_tos=live["tos"] == "inherit",
    )


def _gre_key(words: str) -> int | None:
    """Return the key; NO_KEY_FITS where the device sends with another one than it accepts."""
    return None if words == "none" else int(words) if words.isdecimal() else NO_KEY_FITS


def _vlan(live: _Live) -> Device:
    return Subinterface(**live.common, link=live["dev"], vid=live.number("id"))


KINDS: Mapping[str, Callable[[_Live], Device]] = {
    "bridge": _bridge,
    "vxlan": _vxlan,
    "geneve": _geneve,
    "gre": _gre,
    "ip6gre": _gre,
    "vlan": _vlan,
}
"""The device of each kind that can be followed, beside veth."""


def _device(live: _Live, wires: Mapping[PortRef, PortRef]) -> Device:
    if live.link.kind in KINDS:
        return KINDS[live.link.kind](live)
    peer = wires.get(PortRef(live.state.node, live.link.name))
    return Device(**live.common) if peer is None else Port(**live.common, peer=peer)


def _with_source(node: Node, device: Device) -> Device:
    """Return a tunnel device with the source that the route to its remote selects, where it has no local address."""
    if isinstance(device, Geneve) or (isinstance(device, Vxlan) and device.by_route):
        dev = device.dev if isinstance(device, Vxlan) else None
        return replace(device, local=node.source_towards(device.remote, dev) or device.local)
    return device
