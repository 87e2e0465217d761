"""What can be read off a live node, in the words in which it is declared. Pure.

``declared_state`` says what a node must look like; ``topology.kernels.netlink`` reads what it looks like;
``reports.judge.state`` says where the two differ. What a kernel counts, learns or ages is no part of a state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address

from topology.model import (
    AGEING,
    Address,
    Bridge,
    Device,
    Geneve,
    Gre,
    Interface,
    Loopback,
    Network,
    Node,
    Port,
    Routing,
    Subinterface,
    Vxlan,
)
from topology.mtu import device_mtu
from topology.plan import DEFAULT_ROUTING, FLOOD_MAC, ROUTERS, written_sysctls

FALLBACK_DEVICES = frozenset(
    ("lo", "gre0", "gretap0", "erspan0", "tunl0", "sit0", "ip_vti0", "ip6tnl0", "ip6gre0", "ip6_vti0")
)
"""Devices that the kernel puts into every namespace (net/ipv4/ip_tunnel.c): not part of any fabric."""
UNWRITTEN_SYSCTLS: Mapping[str, int] = {
    "net.ipv4.ip_default_ttl": 64,
    "net.ipv4.ip_no_pmtu_disc": 0,
    "net.ipv4.icmp_echo_ignore_all": 0,
}
"""What every new namespace starts with, whatever the machine is set to (net/ipv4/af_inet.c, inet_init_net)."""
INHERITED_SYSCTLS = tuple(
    f"net.ipv4.conf.all.{name}" for name in ("proxy_arp", "accept_local", "arp_ignore", "arp_filter", "send_redirects")
)
"""What nobody declares, because the machine's settings decide it; a test may not change it all the same."""
WATCHED_SYSCTLS = (
    *written_sysctls(Node(name="any", role="switch"), ipv6=False),
    *UNWRITTEN_SYSCTLS,
    *INHERITED_SYSCTLS,
)
"""The keys that are read of every node, beside those of its devices."""


READ: Mapping[str, str] = {
    "device": "kind, up or down, MAC, MTU, the bridge or VRF it is in",
    "bridge": "ageing",
    "vxlan": "vni, local, remote, dstport, dev, ttl, learning, ageing",
    "geneve": "vni, remote, dstport, ttl, tos",
    "gre": "local, remote, ttl, tos, key, csum, seq",
    "ip6gre": "local, remote, ttl, tos, key, csum, seq",
    "vlan": "id, protocol, dev",
    "address": "all but link-local and loopback ones",
    "route": "of the main table: prefix, next hops, type; of other tables: what is not the kernel's own",
    "rule": "every policy rule",
    "neighbour": "permanent ones",
    "forwarding entry": "static and permanent ones, of bridges and VXLAN devices",
    "qdisc": "what is not a device's default; the options of netem and tbf",
    "filter": "place, kind and preference",
    "nftables": "names of tables, and whether one acts: by a chain that drops, or a rule not of docker's resolver",
}
"""The state that is read of a node, beside the sysctls; docs/adopting.md lists it. Nothing else is known."""


@dataclass(frozen=True)
class LinkState:
    """One device: ``parameters`` are a tunnel's, by ip-link(8)'s names; None where nothing is declared or known."""

    name: str
    kind: str
    up: bool = True
    mac: str | None = None
    mtu: int | None = None
    master: str | None = None
    parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, order=True)
class RouteState:
    """One route of the main table; ``kind`` is ip-route(8)'s type: unicast, or one that refuses packets."""

    prefix: Network
    via: Address | None
    dev: str | None
    kind: str = "unicast"
    whole: str = field(default="", compare=False)
    """The route with all its next hops, where it has several: what puts it back."""
    metric: int = field(default=0, compare=False)
    """Of two routes to one prefix the one with the lower metric is taken."""

    def __str__(self) -> str:
        words = [] if self.kind == "unicast" else [self.kind]
        words += ["default" if self.prefix.prefixlen == 0 else str(self.prefix)]
        words += ["via", str(self.via)] if self.via else []
        words += ["dev", self.dev] if self.dev else []
        return " ".join(words)


@dataclass(frozen=True, order=True)
class Entry:
    """One thing beside links, addresses and routes that decides what becomes of packets.

    ``tool`` is the command that shows it (``ip rule``, ``ip -6 rule``, ``ip route``, ``ip neigh``, ``bridge fdb``,
    ``tc filter``, ``tc qdisc``, ``nft``), ``words`` describe it as the tool does, ``place`` is enough to delete it.
    """

    tool: str
    device: str | None
    words: str
    place: str
    idle: bool = field(default=False, compare=False)
    """Of a table of nftables: whether it can do nothing to a packet of a fabric."""

    @property
    def kind(self) -> str:
        """What it is: rule, route (of another table than main), neigh, fdb, filter, qdisc or nft."""
        return self.tool.split()[-1]

    def __str__(self) -> str:
        return f"{self.tool} {self.words}"


@dataclass(frozen=True)
class NodeState:
    """A node's links by name, its addresses by device, its routes, its further entries, its sysctls by key."""

    node: str
    links: Mapping[str, LinkState]
    addresses: frozenset[tuple[str, Interface]]
    routes: frozenset[RouteState]
    entries: frozenset[Entry] = frozenset()
    sysctls: Mapping[str, str] = field(default_factory=dict)

    @property
    def canonical(self) -> str:
        """The whole state as text, the same for equal states."""
        links = [repr(self.links[name]) for name in sorted(self.links)]
        addresses = sorted(f"{device} {interface}" for device, interface in self.addresses)
        rest = sorted(str(item) for items in (self.routes, self.entries) for item in items)
        sysctls = sorted(f"{key}={value}" for key, value in self.sysctls.items())
        return "\n".join([self.node, *links, *addresses, *rest, *sysctls])


def _rules(six: str, *tables: tuple[int, str]) -> frozenset[Entry]:
    words = [f"pref {preference} from all lookup {table}" for preference, table in tables]
    return frozenset(Entry(f"ip{six} rule", None, rule, rule) for rule in words)


DEFAULT_RULES: Mapping[int, frozenset[Entry]] = {
    4: _rules("", (0, "local"), (32766, "main"), (32767, "default")),
    6: _rules(" -6", (0, "local"), (32766, "main")),
}
"""By IP version (fib_default_rules_init in net/ipv4/fib_rules.c, fib6_rules_net_init in net/ipv6/fib6_rules.c)."""


def declared_state(node: Node, ipv6: bool = False, routing: Routing = DEFAULT_ROUTING) -> NodeState:
    """What a node must look like once it is built, the routes that its addresses bring included.

    Link-local addresses are left out, as they are when a node is read: the kernel makes its own.
    IPv6 has such a route for a host's prefix too (addrconf_prefix_route, net/ipv6/addrconf.c), IPv4 has not.
    ``ipv6`` says whether the fabric uses it (``topology.plan.uses_ipv6``).
    """
    own = [(device.name, i) for device in node.devices for i in device.addresses if not i.ip.is_link_local]
    connected = {
        RouteState(interface.network, None, device)
        for device, interface in own
        if interface.version == 6 or interface.network.prefixlen < interface.max_prefixlen
    }
    explicit = {
        RouteState(route.prefix, egress.via, egress.dev, whole=str(route) if route.others else "")
        for route in node.routes
        for egress in node.egresses(route)
    }
    links = {d.name: declared_link(node, d) for d in node.devices if not isinstance(d, Loopback)}
    entries = (
        DEFAULT_RULES[4] | DEFAULT_RULES[6] | {entry for vxlan in node.all(Vxlan) for entry in flood_entries(vxlan)}
    )
    sysctls = dict(_declared_sysctls(node, ipv6, routing))
    return NodeState(node.name, links, frozenset(own), frozenset(connected | explicit), entries, sysctls)


def flood_entries(vxlan: Vxlan) -> Iterator[Entry]:
    """The forwarding entry that a VXLAN device with one remote is made with (vxlan_dev_configure), or one for each, and
    those for MACs."""
    via = f" via {vxlan.dev}" if vxlan.dev else ""
    for mac, remote in (*((FLOOD_MAC, remote) for remote in vxlan.remotes), *vxlan.entries):
        place = f"{mac} dev {vxlan.name} dst {remote}{via} self"
        yield Entry("bridge fdb", vxlan.name, f"{place} permanent", place)


def sysctl_of(version: int, device: str, name: str) -> str:
    """The key of a device's setting as sysctl(8) takes it: a device's name may have dots of its own."""
    words = ["net", "ipv4" if version == 4 else "ipv6", "conf", device, name]
    return ("/" if "." in device else ".").join(words)


def parts_of_sysctl(key: str) -> tuple[int, str, str]:
    """The IP version of a sysctl (0 where it has none), the device it is about (or ``all``, ``default``), its name."""
    words = key.split("/" if "/" in key else ".")
    device = words[3] if words[2] == "conf" else ""
    return {"ipv4": 4, "ipv6": 6}.get(words[1], 0), device, words[-1]


def best_routes(routes: Iterable[RouteState], target: Address) -> list[RouteState]:
    """The routes of the longest prefix that a target is in, those that refuse packets among them."""
    fitting = [route for route in routes if route.prefix.version == target.version and target in route.prefix]
    longest = max((route.prefix.prefixlen for route in fitting), default=0)
    return [route for route in fitting if route.prefix.prefixlen == longest]


def _declared_sysctls(node: Node, ipv6: bool, routing: Routing) -> Iterator[tuple[str, str]]:
    for key, value in {**written_sysctls(node, ipv6, routing), **UNWRITTEN_SYSCTLS}.items():
        yield key, str(value)
    forwards = int(node.role in ROUTERS)
    for device in node.devices:
        if isinstance(device, Loopback):
            continue
        yield sysctl_of(4, device.name, "forwarding"), str(forwards)
        yield sysctl_of(4, device.name, "rp_filter"), "0"
        yield sysctl_of(6, device.name, "forwarding"), str(forwards if ipv6 else 0)
        yield sysctl_of(6, device.name, "disable_ipv6"), str(int(not ipv6))


def declared_link(node: Node, device: Device) -> LinkState:
    """What one device must look like; the MTU of a bridge for which none is declared follows its members'."""
    bridge = node.bridge_of(device.name)
    kind, parameters = _kind(device)
    master = bridge.name if bridge else None
    mtu = device.mtu if isinstance(device, Bridge) else device_mtu(node, device)
    return LinkState(device.name, kind, True, device.mac, mtu, master, parameters)


def _kind(device: Device) -> tuple[str, tuple[tuple[str, str], ...]]:
    if isinstance(device, Port):
        return "veth", ()
    if isinstance(device, Bridge):
        return "bridge", () if device.ageing == AGEING else _sorted(ageing=device.ageing)
    if isinstance(device, Vxlan):
        local = "none" if device.by_route else device.local
        ends: dict[str, object] = {"local": local, "remote": "none" if device.others else device.remote}
        more: dict[str, object] = {"ageing": device.ageing} if device.ageing != AGEING else {}
        more |= {} if device.learning else {"learning": "off"}
        always = {"vni": device.vni, "dstport": device.port, "dev": device.dev or "none", "ttl": "auto"}
        return "vxlan", _sorted(**always, **ends, **more)
    if isinstance(device, Subinterface):
        return "vlan", _sorted(id=device.vid, protocol="802.1q", dev=device.link)
    if isinstance(device, Geneve):
        ends = {"remote": device.remote, "ttl": "auto", "tos": "0"}
        return "geneve", _sorted(vni=device.vni, dstport=device.port, **ends)
    if isinstance(device, Gre):
        kind = "ip6gre" if isinstance(device.local, IPv6Address) else "gre"
        key = "none" if device.key is None else device.key
        more = {"csum": "none", "seq": "none", "tos": "inherit" if device.inherit_tos else "0"}
        return kind, _sorted(**more, local=device.local, remote=device.remote, ttl=device.ttl or "inherit", key=key)
    raise TypeError(f"no state for a {type(device).__name__}")


def _sorted(**parameters: object) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, str(value)) for name, value in parameters.items()))
