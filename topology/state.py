"""State of a live node, in the words of its declaration. Pure.

``declared_state`` computes the declared state; ``topology.kernels.netlink`` reads the live one;
``reports.judge.state`` says where the two differ. Counters, learned entries and ages are no part of a state.
A ``Lookup`` asks a node's kernel about one packet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from topology.links import KINDS, LINKS
from topology.links.base import FLOOD_MAC
from topology.model import Address, Bridge, Device, Interface, Loopback, Network, Node, Routing, Vrf, Vxlan
from topology.mtu import device_mtu
from topology.plan import DEFAULT_ROUTING, written_sysctls
from topology.refs import is_of_link

UNWRITTEN_SYSCTLS: Mapping[str, int] = {
    "net.ipv4.ip_default_ttl": 64,
    "net.ipv4.ip_no_pmtu_disc": 0,
    "net.ipv4.icmp_echo_ignore_all": 0,
}
"""Defaults of every new namespace, whatever the machine's settings (net/ipv4/af_inet.c, inet_init_net)."""
INHERITED_SYSCTLS = tuple(
    f"net.ipv4.conf.all.{name}" for name in ("proxy_arp", "accept_local", "arp_ignore", "arp_filter", "send_redirects")
)
"""Undeclared keys: the machine's settings decide them; still no test may change them."""
WATCHED_SYSCTLS = (
    *written_sysctls(Node(name="any", role="switch"), ipv6=False),
    *UNWRITTEN_SYSCTLS,
    *INHERITED_SYSCTLS,
)
"""The keys that are read of every node, beside those of its devices."""

READ: Mapping[str, str] = {
    "device": "kind, up or down, MAC, MTU, the bridge or VRF it is in, whether it resolves addresses",
    "port of a bridge": "state, hairpin, guard, learning, floods, vlan_tunnel, neigh_suppress, isolated, locked",
    **{kind: link.reads for link in LINKS for kind in link.kinds if link.reads},
    "address": "all but loopback and IPv6 link-local ones",
    "route": "of the main table: prefix, next hops, type, encap, src, metrics; of others: all but the kernel's own",
    "rule": "every policy rule",
    "neighbour": "permanent ones, and those of a daemon",
    "forwarding entry": "static and permanent ones and those of a daemon, of bridges and VXLAN devices",
    "VLAN of a port": "of bridges with vlan_filtering: every one, pvid, untagged, tunnel_info",
    "qdisc": "all but a device's default; the options of netem and tbf",
    "filter": "place, kind and preference",
    "nftables": "names of tables, and whether one acts: by a chain that drops, or a rule not of docker's resolver",
}
"""The state that is read of a node, beside the sysctls; docs/adopting.md lists it. Nothing else is known."""


@dataclass(frozen=True)
class LinkState:
    """One device: ``parameters`` are its kind's, by ip-link(8)'s names; None where nothing is declared or known.

    ``port`` is what it has of bridge(8)'s settings of a port beside those of a new one; ``arp`` False resolves nothing.
    """

    name: str
    kind: str
    up: bool = True
    mac: str | None = None
    mtu: int | None = None
    master: str | None = None
    parameters: tuple[tuple[str, str], ...] = ()
    arp: bool = True
    port: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, order=True)
class RouteState:
    """One route of the main table; ``kind`` is ip-route(8)'s type: unicast, or one that refuses packets."""

    prefix: Network
    via: Address | None
    dev: str | None
    kind: str = "unicast"
    whole: str = field(default="", compare=False)
    """The route with all its next hops, where it has several, to restore it."""
    metric: int = field(default=0, compare=False)
    """Preference among routes to one prefix: the lower metric is taken."""
    owner: str = field(default="", compare=False)
    """The daemon that made the route, by its protocol; empty for the kernel's and an administrator's."""
    encap: str = ""
    """The header that it adds to packets."""
    src: Address | None = field(default=None, compare=False)
    """The source address that it gives to packets of its node without one."""
    metrics: str = ""
    """What it limits, such as the MTU, in the words of ip-route(8)."""

    def __str__(self) -> str:
        words = [] if self.kind == "unicast" else [self.kind]
        words += ["default" if self.prefix.prefixlen == 0 else str(self.prefix)]
        words += ["encap", self.encap] if self.encap else []
        family = ["inet6"] if self.via and self.via.version > self.prefix.version else []
        words += ["via", *family, str(self.via)] if self.via else []
        words += ["dev", self.dev] if self.dev else []
        words += ["proto", self.owner] if self.owner else []
        words += [self.metrics] if self.metrics else []
        return " ".join(words)


@dataclass(frozen=True, order=True)
class Entry:
    """One entry beside links, addresses and routes that decides the fate of packets.

    ``tool`` is the command that shows it (``ip rule``, ``ip -6 rule``, ``ip route``, ``ip neigh``, ``bridge fdb``,
    ``tc filter``, ``tc qdisc``, ``nft``), ``words`` describe it as the tool does, ``place`` is enough to delete it.
    """

    tool: str
    device: str | None
    words: str
    place: str
    idle: bool = field(default=False, compare=False)
    """True for a table of nftables that can do nothing to a fabric's packet."""
    owner: str = field(default="", compare=False)
    """The daemon that made the entry, by its protocol or ``extern_learn``; empty for an administrator's."""
    read: RouteState | tuple[str, Address] | None = field(default=None, compare=False, repr=False)
    """What the words say: a route of another table, or the MAC and the remote of a VXLAN device's forwarding entry."""

    @property
    def kind(self) -> str:
        """Kind: rule, route (of another table than main), neigh, fdb, vlan, filter, qdisc or nft."""
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

    def settled(self, declared: NodeState | None) -> NodeState:
        """The state without what a daemon made, unless it is declared: such routes and entries come and go."""
        own_routes, own_entries = (declared.routes, declared.entries) if declared else (frozenset(), frozenset())
        routes = frozenset(one for one in self.routes if not one.owner or one in own_routes)
        entries = frozenset(one for one in self.entries if not one.owner or one in own_entries)
        return replace(self, routes=routes, entries=entries)

    @property
    def tells_neighbours(self) -> bool:
        """True if a daemon may advertise its neighbours to other nodes (EVPN): a VXLAN device learns nothing, and an
        administrator has given it neither a remote nor entries for MACs. The kernel does not say who added an entry
        for all frames, but a daemon leaves other traces."""
        static = (one for one in self.entries if one.tool == "bridge fdb" and not one.owner)
        given = {one.device for one in static if not one.words.startswith(FLOOD_MAC)}
        by_daemon = {("remote", "none"), ("learning", "off")}
        if not any(route.owner for route in self.routes) and not any(entry.owner for entry in self.entries):
            return False
        return any(by_daemon <= {*one.parameters} and one.name not in given for one in self.links.values())

    @property
    def canonical(self) -> str:
        """The whole state as text, the same for equal states."""
        links = [repr(self.links[name]) for name in sorted(self.links)]
        addresses = sorted(f"{device} {interface}" for device, interface in self.addresses)
        rest = sorted(str(item) for items in (self.routes, self.entries) for item in items)
        sysctls = sorted(f"{key}={value}" for key, value in self.sysctls.items())
        return "\n".join([self.node, *links, *addresses, *rest, *sysctls])


@dataclass(frozen=True)
class Lookup:
    """A packet at a node: ``came_by`` is the device by which it came in, None for one of the node's own."""

    node: str
    src: Address
    dst: Address
    came_by: str | None = None
    tos: int = 0
    mac: str = ""
    """The destination MAC of a frame that the node bridges, or that is in the packet; empty for any other packet."""
    over: str = ""
    """The device that has put the frame into the packet."""


@dataclass(frozen=True)
class Answer:
    """The kernel's answer: a ``refusal`` in its words, or a device and a next hop; neither if it does not say.

    ``unanswered`` is the state of a next hop whose MAC is asked for in vain; ``ports`` are those behind which the
    frame's MAC was learned or configured in its bridge, ``remotes`` those by the device that it is ``over``.
    ``mtu`` is the route's own in bytes, or the path's as it was learned; 0 where only the device limits.
    """

    refusal: str = ""
    device: str | None = None
    next_hop: Address | None = None
    unanswered: str = ""
    ports: tuple[str, ...] = ()
    remotes: tuple[Address, ...] = ()
    mtu: int = 0


def _rules(six: str, *tables: tuple[int, str]) -> frozenset[Entry]:
    words = [f"pref {preference} from all lookup {table}" for preference, table in tables]
    return frozenset(Entry(f"ip{six} rule", None, rule, rule) for rule in words)


DEFAULT_RULES: Mapping[int, frozenset[Entry]] = {
    4: _rules("", (0, "local"), (32766, "main"), (32767, "default")),
    6: _rules(" -6", (0, "local"), (32766, "main")),
}
"""By IP version (fib_default_rules_init in net/ipv4/fib_rules.c, fib6_rules_net_init in net/ipv6/fib6_rules.c)."""


L3MDEV = "pref 1000 from all l3mdev"
VRF_RULES = frozenset(Entry(f"ip{six} rule", None, L3MDEV, L3MDEV) for six in ("", " -6"))
"""Those that come with the first VRF (vrf_add_fib_rules, drivers/net/vrf.c)."""


def declared_state(node: Node, ipv6: bool = False, routing: Routing = DEFAULT_ROUTING) -> NodeState:
    """State of a node once it is built, the routes that its addresses bring included.

    IPv6 link-local addresses are left out, as they are when a node is read: the kernel makes its own.
    IPv6 has such a route for a host's prefix too (addrconf_prefix_route, net/ipv6/addrconf.c), IPv4 has not.
    ``ipv6`` says whether the fabric uses it (``topology.plan.uses_ipv6``).
    """
    own = [(device.name, i) for device in node.devices for i in device.addresses if not is_of_link(i)]
    connected = {
        RouteState(interface.network, None, device)
        for device, interface in own
        if device not in node.vrfs and (interface.version == 6 or interface.network.prefixlen < interface.max_prefixlen)
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
    entries |= VRF_RULES if node.all(Vrf) else set()
    sysctls = dict(_declared_sysctls(node, ipv6, routing))
    return NodeState(node.name, links, frozenset(own), frozenset(connected | explicit), entries, sysctls)


def flood_entries(vxlan: Vxlan) -> Iterator[Entry]:
    """A VXLAN device's forwarding entries."""
    via = f" via {vxlan.dev}" if vxlan.dev else ""
    for mac, remote in vxlan.entries_in_use:
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
    forwards = int(node.is_router)
    for device in node.devices:
        if isinstance(device, Loopback):
            continue
        yield sysctl_of(4, device.name, "forwarding"), str(forwards)
        yield sysctl_of(4, device.name, "rp_filter"), "0"
        yield sysctl_of(6, device.name, "forwarding"), str(forwards if ipv6 else 0)
        yield sysctl_of(6, device.name, "disable_ipv6"), str(int(not ipv6))


def declared_link(node: Node, device: Device) -> LinkState:
    """Declared state of a device; the MTU of a bridge for which none is declared follows its members'."""
    bridge = node.bridge_of(device.name)
    vrf = node.vrfs.get(device.name)
    master = bridge.name if bridge else vrf.name if vrf else None
    mtu = device.mtu if isinstance(device, Bridge) else device_mtu(node, device)
    known = {option.name: option.value for option in device.options() if option.name}
    known |= {"link": device.parent} if device.parent else {}
    settings = parameters(device.kind, known)
    return LinkState(device.name, device.kind, True, device.mac, mtu, master, settings, port=device.port_settings)


ELSEWHERE = "link-netnsid"
"""The parameter of a device that sends by another namespace than the one that it is in (ip-link(8))."""


def parameters(kind: str, known: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """A device's parameters in the words of ip-link(8), by its netlink attributes, ``link`` as a device's name.

    The names are pyroute2's without the kind in front; a parameter at the kernel's default may be missing from both.
    """
    ends = [("remote", known["remote"])] if "remote" in known else []
    found = KINDS[kind].parameters(kind, known) if kind in KINDS else ends
    return tuple(sorted((word, str(value)) for word, value in found))
