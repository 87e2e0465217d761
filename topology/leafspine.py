"""Makes a leaf/spine fabric of any size: ``leafspine-8x4x3`` has 8 leaves, 4 spines and 3 customers at each leaf. Pure.

Every leaf is linked to every spine, and is a VTEP. Customers come in twos: an Ethernet segment of its own, one VNI,
joins a customer of a leaf with one of the next leaf, round the ring of leaves. An odd last customer is routed by its
leaf, without encapsulation; or, with ``-gre``, through GRE tunnels round the same ring.

Routes are static. Everything for leaf i goes by spine ((i - 1) mod S) + 1, and leaves' addresses are grouped by that
spine, so that a leaf needs one route per spine and a spine one per leaf: all there is grows with the number of links.

=========================================  ====================================  ==================================
what                                       where                                 bound
=========================================  ====================================  ==================================
leaf d (from 0) of those behind spine j    10.j.d.0/24                           255 spines, 256 leaves behind each
its VTEP and tunnel end                    10.j.d.1/32
its routed customer, and the gateway       10.j.d.130/25, 10.j.d.129/25
link n (from 0), leaf by leaf: spine, leaf 172.16.0.0 + 2n, + 1, each /31        2^19 links (172.16.0.0/12)
segment n (from 1): leaf i's, the next's   100.64.0.0 + 4n + 1, + 2, each /30    2^20 segments (100.64.0.0/10)
=========================================  ====================================  ==================================

The ranges do not overlap, and within one each number has a place of its own, so no two addresses or prefixes are the
same. A letter tells a leaf's customers apart, hence 26 of them; so there are at most 848 640 segments, and no name has
more than 14 characters.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

from topology.errors import Misuse, Position
from topology.model import Bridge, Device, Fabric, Gre, Link, Node, Port, Route, Vxlan, stable_mac
from topology.promises import Kind, Pair
from topology.refs import PortRef

PREFIX = "leafspine"
FORM = f"{PREFIX}-LEAVESxSPINES[xCUSTOMERS][-gre]"
NAME = re.compile(rf"{PREFIX}-([0-9]{{1,6}})x([0-9]{{1,6}})(?:x([0-9]{{1,6}}))?(-gre)?")
CUSTOMERS = 3
"""Customers at each leaf where the name does not say: two on segments, one routed."""
LINKS, SEGMENTS = IPv4Address("172.16.0.0"), IPv4Address("100.64.0.0")
EVERYWHERE = IPv4Network("0.0.0.0/0")
SPINES_MAX, LEAVES_BEHIND_SPINE, LINKS_MAX, LETTERS = 255, 256, 1 << 19, string.ascii_lowercase
LOOP = "loop"
"""The bridge without members that carries a leaf's VTEP address."""
SEGMENT_MTU = 1450
"""An Ethernet link's 1500 without the 50 bytes of inner Ethernet, VXLAN, UDP and IPv4 headers (RFC 7348, section 5)."""


def leafspine(name: str) -> Fabric:
    """The fabric of a name such as ``leafspine-8x4``; Misuse names a wrong shape, or one that fits."""
    found = NAME.fullmatch(name)
    if found is None:
        raise Misuse(f"{name}: not a shape; {FORM}, such as {PREFIX}-8x4 or {PREFIX}-8x4x2")
    leaves, spines = int(found[1]), int(found[2])
    customers = CUSTOMERS if found[3] is None else int(found[3])
    fits = min(LEAVES_BEHIND_SPINE * spines, LINKS_MAX // max(spines, 1))
    bounds = (
        ("spines", spines, 1, SPINES_MAX),
        (f"leaves with {spines} spines", leaves, 2, fits),
        ("customers at a leaf", customers, 0, len(LETTERS)),
    )
    for what, number, least, most in bounds:
        if not least <= number <= most:
            raise Misuse(f"{name}: {number} {what}; from {least} to {most}, which the address plan has room for")
    return _Shape(name, leaves, spines, customers, gre=bool(found[4])).fabric()


@dataclass(frozen=True)
class _End:
    """One end of a segment: at a leaf, for a customer (its letter there); ``other`` is the leaf of the other end."""

    leaf: int
    other: int
    letter: str
    segment: int
    second: bool

    @property
    def address(self) -> IPv4Interface:
        """The customer's address on the segment."""
        return IPv4Interface((SEGMENTS + 4 * self.segment + 1 + self.second, 30))


@dataclass(frozen=True)
class _Shape:
    """A fabric's numbers, and all that follows from them; leaves and spines count from 1."""

    name: str
    leaves: int
    spines: int
    customers: int
    gre: bool

    def fabric(self) -> Fabric:
        """The whole fabric."""
        spines = [self.spine(j) for j in range(1, self.spines + 1)]
        leaves = [self.leaf(i) for i in self.ring]
        customers = [customer for i in self.ring for customer in self.customers_of(i)]
        return Fabric(
            name=self.name,
            title=f"{self.leaves} leaves, {self.spines} spines, {self.customers} customers at each leaf",
            nodes=(*spines, *leaves, *customers),
            links=tuple(Link(port.ref, port.peer, where=self.where) for leaf in leaves for port in leaf.all(Port)),
            pairs=tuple(Pair(source, target, kind, where=self.where) for source, target, kind in self.promises()),
            file=self.name,
        )

    def spine(self, j: int) -> Node:
        """A spine: a link and a route to each leaf."""
        node = f"s{j}"
        ports = [self.port(node, f"l{i}", self.link(i, j)) for i in self.ring]
        routes = [self.route(self.block(i), f"{node}_l{i}", self.link(i, j).ip + 1) for i in self.ring]
        return self.node(node, "spine", ports, routes)

    def leaf(self, i: int) -> Node:
        """A leaf: a link to each spine and a route to the leaves behind it, its customers and its tunnels."""
        node, links = f"l{i}", [self.link(i, j) for j in range(1, self.spines + 1)]
        ports = [self.port(node, f"s{j}", IPv4Interface((link.ip + 1, 31))) for j, link in enumerate(links, 1)]
        ports += [self.port(node, f"c{i}{end.letter}", mtu=SEGMENT_MTU) for end in self.ends(i)]
        ports += [self.port(node, f"c{i}{letter}", self.gateway(i)) for letter in self.routed]
        loop = self.bridge(node, LOOP, (), (IPv4Interface((self.vtep(i), 32)),))
        tunnels: list[Device] = [device for end in self.ends(i) for device in self.segment_end(end)]
        routes = [
            self.route(IPv4Network(f"10.{j}.0.0/16"), f"{node}_s{j}", link.ip)
            for j, link in enumerate(links[: self.leaves], 1)
        ]
        for edge, other in self.gre_tunnels(i):
            local, remote = self.vtep(i), self.vtep(other)
            name = f"gre{edge}"
            tunnels.append(Gre(node=node, name=name, key=edge, local=local, remote=remote, where=self.where))
            routes.append(self.route(self.gateway(other).network, name))
        return self.node(node, "leaf", (*ports, loop, *tunnels), routes)

    def customers_of(self, i: int) -> Iterator[Node]:
        """The customers at a leaf."""
        for end in self.ends(i):
            name = f"c{i}{end.letter}"
            yield self.node(name, "customer", (self.port(name, f"l{i}", end.address, SEGMENT_MTU),), ())
        for letter in self.routed:
            name, gateway = f"c{i}{letter}", self.gateway(i)
            port = self.port(name, f"l{i}", IPv4Interface((gateway.ip + 1, 25)))
            yield self.node(name, "customer", (port,), (self.route(EVERYWHERE, port.name, gateway.ip),))

    def promises(self) -> Iterator[tuple[str, str, Kind]]:
        """The ends of every segment; the routed customers round the ring and, without GRE, each with the first."""
        for first in (end for i in self.ring for end in self.ends(i) if not end.second):
            second = next(end for end in self.ends(first.other) if end.second and end.segment == first.segment)
            yield f"c{first.leaf}{first.letter}", f"c{second.leaf}{second.letter}", "l2-overlay"
        for letter in self.routed:
            for i in self.edges:
                yield f"c{i}{letter}", f"c{self.next(i)}{letter}", "l3-overlay" if self.gre else "routed"
            for i in range(3, 0 if self.gre else self.leaves):
                yield f"c{i}{letter}", f"c1{letter}", "routed"

    @property
    def where(self) -> Position:
        """The place that messages name: a generated fabric has no lines."""
        return Position(self.name)

    @property
    def ring(self) -> range:
        """The leaves."""
        return range(1, self.leaves + 1)

    @property
    def routed(self) -> str:
        """The letter of the customer that each leaf routes; empty where there is none."""
        return LETTERS[self.customers - 1] if self.customers % 2 else ""

    @property
    def edges(self) -> range:
        """The leaves that have a next one round the ring; two leaves are neighbours once."""
        return self.ring if self.leaves > 2 else range(1, 2)

    def next(self, i: int) -> int:
        """The next leaf round the ring."""
        return i % self.leaves + 1

    def before(self, i: int) -> int:
        """The leaf before it."""
        return (i - 2) % self.leaves + 1

    def ends(self, i: int) -> Iterator[_End]:
        """The ends of segments at a leaf: of those that start there, and of those that start at the leaf before."""
        for first in range(0, self.customers - 1, 2):
            ring, before = first // 2 * self.leaves, self.before(i)
            yield _End(i, self.next(i), LETTERS[first], ring + i, second=False)
            yield _End(i, before, LETTERS[first + 1], ring + before, second=True)

    def gre_tunnels(self, i: int) -> Iterator[tuple[int, int]]:
        """The GRE tunnels of a leaf: each has the number of the leaf where it starts, and a far leaf."""
        for start in (self.before(i), i) if self.gre and self.routed else ():
            if start in self.edges:
                yield start, self.next(i) if start == i else start

    def segment_end(self, end: _End) -> tuple[Bridge, Vxlan]:
        """The bridge of a customer's port and the VXLAN tunnel of its segment."""
        node, vxlan = f"l{end.leaf}", f"vx{end.segment}"
        bridge = self.bridge(node, f"br{end.segment}", (f"{node}_c{end.leaf}{end.letter}", vxlan))
        local, remote = self.vtep(end.leaf), self.vtep(end.other)
        return bridge, Vxlan(**self.named(node, vxlan), mtu=SEGMENT_MTU, vni=end.segment, local=local, remote=remote)

    def block(self, i: int) -> IPv4Network:
        """A leaf's addresses."""
        behind, spine = divmod(i - 1, self.spines)
        return IPv4Network(f"10.{spine + 1}.{behind}.0/24")

    def vtep(self, i: int) -> IPv4Address:
        """Address of a leaf's VTEP."""
        return self.block(i)[1]

    def gateway(self, i: int) -> IPv4Interface:
        """A leaf's address towards its routed customer."""
        return IPv4Interface((self.block(i)[129], 25))

    def link(self, i: int, j: int) -> IPv4Interface:
        """The spine's address on the link of a leaf and a spine; the leaf's is one higher."""
        return IPv4Interface((LINKS + 2 * ((i - 1) * self.spines + j - 1), 31))

    def node(self, name: str, role: str, devices: Iterable[Device], routes: Iterable[Route]) -> Node:
        """A node."""
        return Node(name=name, role=role, devices=tuple(devices), routes=tuple(routes), where=self.where)

    def route(self, prefix: IPv4Network, dev: str, via: IPv4Address | None = None) -> Route:
        """A route."""
        return Route(prefix=prefix, via=via, dev=dev, where=self.where)

    def port(self, node: str, far: str, address: IPv4Interface | None = None, mtu: int | None = None) -> Port:
        """A node's end of its link to another node; the interface's name contains both nodes' names."""
        addresses = (address,) if address else ()
        peer = PortRef(far, f"{far}_{node}")
        return Port(**self.named(node, f"{node}_{far}"), mtu=mtu, addresses=addresses, peer=peer)

    def bridge(self, node: str, name: str, members: Iterable[str], addresses: Iterable[IPv4Interface] = ()) -> Bridge:
        """A bridge."""
        return Bridge(**self.named(node, name), members=tuple(members), addresses=tuple(addresses))

    def named(self, node: str, name: str) -> dict[str, Any]:
        """Fields of a device with a MAC."""
        return {"node": node, "name": name, "mac": stable_mac(self.name, node, name), "where": self.where}
