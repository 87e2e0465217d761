"""The routers of a drawn lab: how they are linked and addressed, and by which ways each sends what."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_interface
from itertools import count, pairwise
from typing import Any, TypeAlias

from tests.self.drawn.file import Shared

Network: TypeAlias = IPv4Network | IPv6Network
_WORDS = """
up down dev type via master mtu name link peer local remote id dst src table metric proto scope nexthop address
broadcast label vlan vxlan gre geneve bridge veth key ttl tos on off netns vf group nomaster set add del show list root
handle parent permanent self any none inherit static dynamic no yes weight onlink pref lladdr arp multicast promisc
index alias vrf dport dstport learning fdb help monitor exec get flush to from iif oif 10 0x1 a.b UP x-1
"""
KEYWORDS = tuple(_WORDS.split())
"""What ip(8), bridge(8) and tc(8) read as words of their own, and other names that the kernel takes."""
MTUS = (1280, 1400, 1450, 1500, 1600, 4000, 9000, 9216, 9500)
ROUTER_ROLES = {
    "both": ("leaf", "spine"),
    "leaf": ("leaf", "leaf"),
    "spine": ("spine", "spine"),
    "none": ("switch",) * 2,
}
"""By which routers a file has: the role of those that things hang on, and of those in transit."""
_EVERY = ("wire", "chain", "star", "leaf-spine", "ring")
SHAPES = {"both": (*_EVERY, "leaf-spine", "leaf-spine"), "leaf": _EVERY, "spine": _EVERY, "none": ("wire", "star")}


class Underlay:
    """The routers of one lab: how they are linked, and which way each sends what."""

    def __init__(self, shared: Shared, number: int) -> None:
        self.shared, self.random, self.number = shared, shared.random, number
        self.version = self.random.choice((4, 4, 6))
        self.mtus = self.random.choices(MTUS, k=self.random.choice((1, 1, 3)))
        self.ecmp = self.random.random() < 0.6
        self.shape = self.random.choice(SHAPES[shared.roles])
        self.steps: dict[str, dict[str, list[tuple[str, str]]]] = {}
        self.ends: list[str] = []
        self._subnets, self._loopbacks = count(1), count(1)
        self._here: list[str] = []
        self._taken: dict[str, set[str]] = {}
        getattr(self, "_" + self.shape.replace("-", "_"))()
        shared.parts |= {f"shape {self.shape}", f"underlay IPv{self.version}", f"routers {shared.roles}"}

    @property
    def size(self) -> int:
        """Number of nodes in the lab."""
        return len(self._here)

    def node(self, role: str) -> str:
        """A new node; customers and switches as well as routers."""
        free = [word for word in KEYWORDS if word not in self.shared.nodes]
        made = f"{role[:2]}{next(self.shared.numbers)}"
        name = self.random.choice(free) if free and self.random.random() < 0.3 else made
        self.shared.nodes[name] = {
            key: {} for key in ("role", "addresses", "mtu", "mac", "bridges", "vlan", "vxlan", "geneve", "gre")
        } | {"role": role, "routes": []}
        self._here.append(name)
        return name

    def device(self, node: str) -> str:
        """A name that no device of the node has, nor will have."""
        taken = self._taken.setdefault(node, set())
        free = [word for word in KEYWORDS if word not in taken]
        drawn = self.random.choice(free) if free and self.random.random() < 0.5 else f"e{len(taken)}"
        taken.add(drawn)
        return drawn

    def link(self, a: str, b: str, mtu: int = 1500) -> tuple[str, str]:
        """A new link; its two ports."""
        ports = self.device(a), self.device(b)
        entry: dict[str, Any] = {"endpoints": [f"{a}:{ports[0]}", f"{b}:{ports[1]}"]}
        self.shared.links.append(entry | ({"mtu": mtu} if mtu != 1500 else {}))
        if self.random.random() < 0.1:  # the far end's alone
            self.shared.nodes[b]["mtu"][ports[1]] = self.random.choice((mtu, *self.mtus))
        if self.random.random() < 0.2:
            self.shared.nodes[a]["mac"][ports[0]] = f"02:00:00:00:{self.number:02x}:{next(self.shared.numbers):02x}"
        return ports

    def subnet(self, version: int, narrow: bool = False) -> Network:
        """An unused subnet; with ``narrow`` one for two routers."""
        number = next(self._subnets)
        if version == 6:
            return IPv6Network(
                f"fd00:{self.number:x}:{number:x}::/{self.random.choice((64, 126, 127)) if narrow else 64}"
            )
        return IPv4Network(f"10.{self.number}.{number}.0/{self.random.choice((24, 29, 30, 31)) if narrow else 24}")

    def give(self, node: str, device: str, subnet: Network, host: int) -> str:
        """Give a device its address, in the network the host-th; the address."""
        first = 0 if subnet.prefixlen in (31, 127) else 1
        address = str(subnet[first + host])
        self.shared.nodes[node]["addresses"].setdefault(device, []).append(f"{address}/{subnet.prefixlen}")
        return address

    def route(self, node: str, prefix: str, *hops: str) -> None:
        """Give a node a route, of several next hops where there are more than one."""
        words = " ".join(f"nexthop {hop}" for hop in hops) if len(hops) > 1 else hops[0]
        self.shared.nodes[node]["routes"].append(f"{prefix} {words}")

    def loopback(self, node: str) -> str:
        """An address of a node that is on no link, and that all routers know."""
        host = next(self._loopbacks)
        address = f"10.{self.number}.255.{host}/32" if self.version == 4 else f"fd00:{self.number:x}:ff::{host:x}/128"
        device = "lo"
        if self.random.random() < 0.3:
            device = self.device(node)
            self.shared.nodes[node]["bridges"][device] = []
        self.shared.nodes[node]["addresses"].setdefault(device, []).append(address)
        self.announce(address, node)
        return address.partition("/")[0]

    def announce(self, prefix: str, owner: str) -> None:
        """Give every other router a route to a prefix behind the owner by one shortest way, or with ECMP by all."""
        away = self._distances(owner)
        for router in [router for router in self.steps if router != owner]:
            nearer = [hop for far, hops in self.steps[router].items() if away[far] < away[router] for hop in hops]
            if not self._on_link(router, prefix):
                hops = nearer if self.ecmp else [self.random.choice(nearer)]
                self.route(router, prefix, *(self._hop(*hop) for hop in hops))

    def _on_link(self, router: str, prefix: str) -> bool:
        said = (address for known in self.shared.nodes[router]["addresses"].values() for address in known)
        return any(ip_interface(prefix).ip in ip_interface(address).network for address in said)

    def _hop(self, device: str, via: str) -> str:
        return f"via {via} dev {device}" if self.random.random() < 0.3 else f"via {via}"

    def _distances(self, owner: str) -> Mapping[str, int]:
        found, waiting = {owner: 0}, [owner]
        for here in waiting:
            new = [far for far in self.steps[here] if far not in found]
            found |= dict.fromkeys(new, found[here] + 1)
            waiting += new
        return found

    def along(self, a: str, b: str) -> tuple[str, str]:
        """The addresses at both ends of one shortest way, each with a route of its own to the other by that way."""
        away, way = self._distances(b), [a]
        while way[-1] != b:
            way.append(self.random.choice([far for far in self.steps[way[-1]] if away[far] < away[way[-1]]]))
        to_b, to_a = self.steps[way[-2]][b][0][1], self.steps[way[1]][a][0][1]
        for one, target in ((way, to_b), (way[::-1], to_a)):
            for here, far in list(pairwise(one))[:-1]:
                prefix = f"{target}/{32 if self.version == 4 else 128}"
                if not any(route.startswith(f"{prefix} ") for route in self.shared.nodes[here]["routes"]):
                    self.route(here, prefix, self._hop(*self.steps[here][far][0]))
        return to_a, to_b

    def join(self, a: str, b: str) -> None:
        """Link two routers, each with an address there."""
        ports, subnet = self.link(a, b, self.random.choice(self.mtus)), self.subnet(self.version, narrow=True)
        addresses = [
            self.give(node, port, subnet, host) for host, (node, port) in enumerate(zip((a, b), ports, strict=True))
        ]
        for number, (near, far) in enumerate(((a, b), (b, a))):
            self.steps.setdefault(near, {}).setdefault(far, []).append((ports[number], addresses[1 - number]))

    def _routers(self, number: int, transit: int = 0) -> tuple[list[str], list[str]]:
        outer, inner = ROUTER_ROLES[self.shared.roles]
        self.ends = [self.node(outer) for _ in range(number)]
        return self.ends, [self.node(inner) for _ in range(transit)]

    def _wire(self) -> None:
        (a, b), _ = self._routers(2)
        for _ in range(self.random.choice((1, 1, 2))):
            self.join(a, b)

    def _chain(self) -> None:
        (a, b), between = self._routers(2, self.random.randint(1, 2))
        line = [a, *between, b]
        for near, far in pairwise(line):
            self.join(near, far)

    def _leaf_spine(self) -> None:
        ends, transit = self._routers(self.random.randint(2, 3), self.random.choice((1, 2, 2)))
        for end in ends:
            for far in transit:
                self.join(end, far)

    def _ring(self) -> None:
        ends, transit = self._routers(self.random.randint(2, 3), self.random.randint(1, 2))
        line = [ends[0], *transit[:1], *ends[1:], *transit[1:]]
        for near, far in zip(line, [*line[1:], line[0]], strict=True):
            self.join(near, far)

    def _star(self) -> None:
        """All on one switch, in one subnet."""
        ends, _ = self._routers(self.random.randint(2, 3))
        switch, subnet, mtu = self.node("switch"), self.subnet(self.version), self.random.choice(self.mtus)
        members = self.shared.nodes[switch]["bridges"][self.device(switch)] = []
        at: dict[str, tuple[str, str]] = {}
        for host, end in enumerate(ends):
            near, far = self.link(end, switch, mtu)
            members.append(far)
            at[end] = (near, self.give(end, near, subnet, host))
        for end in ends:
            self.steps[end] = {far: [(at[end][0], at[far][1])] for far in ends if far != end}
