"""One node of a containerlab file while its exec lines are read: what they have made, in the lab file's words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_interface, ip_network
from typing import Literal, TypeAlias

from topology.errors import Position
from topology.formats.clab_findings import Findings, refusal
from topology.formats.lab_values import shown
from topology.formats.yaml_positions import Items, Scalar, Table, Tree
from topology.model import LOOPBACK, Interface

Kind: TypeAlias = Literal["bridges", "vlan", "vxlan", "geneve", "gre"]

MANAGEMENT = "eth0"
"""The interface by which containerlab manages a node; hopcheck's fabrics are closed and have none."""
DEVICES = ("links", "bridges", "vlan", "vxlan", "geneve", "gre")
"""What a device that is refused spoils."""


EVERYWHERE = "0.0.0.0/0"
"""The prefix of IPv4's default route, as ip_network() writes it."""
METRICS: Mapping[int, int] = {4: 0, 6: 1024}
"""Of a route of which nothing else is said, by IP version (IP6_RT_PRIO_USER)."""
CONNECTED: Mapping[int, int] = {4: 0, 6: 256}
"""Of the route to the subnet of an address (IP6_RT_PRIO_ADDRCONF)."""


def said(where: Position, text: str) -> Scalar:
    """A text of the lab file, at the place that says it."""
    return Scalar(where, text)


def number(where: Position, text: str) -> Scalar:
    """A number of the lab file, or what stands where one belongs."""
    return Scalar(where, text, bare=True)


@dataclass
class Made:
    """A bridge or tunnel: what it is, where it was made, its settings, and several remotes or a bridge's members."""

    kind: Kind
    where: Position
    settings: dict[str, Scalar] = field(default_factory=dict)
    remotes: list[Scalar] = field(default_factory=list)
    members: dict[str, Scalar] = field(default_factory=dict)


@dataclass
class Machine:
    """A node.

    ``forwarding`` is what its sysctls say, for each IP version, ``routing`` what others say about the choice among
    next hops, ``without_ipv6`` where they switch IPv6 off, by device, ``all`` and ``default``; ``is_managed`` tells
    whether containerlab gives it a management interface, ``has_managed_default`` whether the default route that comes
    with it is still there; ``offered`` are its routes by prefix and metric, ``stranded`` those whose way was not there
    when a line spoke, with that line; ``early`` are devices that a line speaks of before they are there, ``touched``
    those that one sets up or down, ``lost`` those whose making was refused.
    """

    name: str
    where: Position
    findings: Findings
    is_managed: bool = True
    has_managed_default: bool = True
    ports: dict[str, Position] = field(default_factory=dict)
    made: dict[str, Made] = field(default_factory=dict)
    addresses: dict[str, dict[str, Scalar]] = field(default_factory=dict)
    mtu: dict[str, Scalar] = field(default_factory=dict)
    mac: dict[str, Scalar] = field(default_factory=dict)
    ageing: dict[str, Scalar] = field(default_factory=dict)
    entries: dict[str, dict[str, Scalar]] = field(default_factory=dict)
    masters: dict[str, Made] = field(default_factory=dict)
    offered: dict[tuple[str, int], list[Scalar]] = field(default_factory=dict)
    stranded: dict[Scalar, Position] = field(default_factory=dict)
    floods: dict[str, list[Scalar]] = field(default_factory=dict)
    down: dict[str, Position] = field(default_factory=dict)
    forwarding: dict[int, tuple[bool, Position]] = field(default_factory=dict)
    routing: dict[str, tuple[str, Position]] = field(default_factory=dict)
    without_ipv6: dict[str, Position] = field(default_factory=dict)
    early: dict[str, Position] = field(default_factory=dict)
    touched: dict[str, Position] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)

    def mention(self, device: str, where: Position) -> None:
        """Remember who speaks of a device before it is there."""
        if not any(device in known for known in (self.ports, self.made, self.lost, (LOOPBACK,))):
            self.early.setdefault(device, where)

    def make(self, name: str, made: Made) -> None:
        """A new device, down as the kernel makes it."""
        if name in self.ports or name in self.made:
            raise refusal(made.where, f"there is a device {shown(name)} already", "another name for this one")
        self.made[name] = made
        self.down[name] = made.where

    def enslave(self, member: str, bridge: str, where: Position) -> None:
        """Put a device into a bridge, and out of the one it was in."""
        master = self.made.get(bridge)
        if bridge in self.lost:
            return
        if master is None or master.kind != "bridges":
            what = f"the master {shown(bridge)} is no bridge of this node"
            raise refusal(where, what, "a bridge that a line before makes")
        self.mention(member, where)
        self.release(member)
        master.members[member] = said(where, member)
        self.masters[member] = master

    def release(self, member: str) -> None:
        """Take a device out of its bridge."""
        if member in self.masters:
            self.masters.pop(member).members.pop(member, None)

    def add_route(self, prefix: str, text: str, where: Position, metric: int, replaces: bool) -> Scalar:
        """A route in the lab file's words; one that ``replaces`` drops those to its prefix of its metric."""
        key = network_of(prefix), metric
        if replaces:
            self.offered.pop(key, None)
        route = said(where, text)
        self.offered.setdefault(key, []).append(route)
        return route

    def remove_route(self, prefix: str) -> bool:
        """Drop the routes to a prefix of the least metric; whether there was one."""
        found = sorted(key for key in self.offered if key[0] == network_of(prefix))
        return bool(found) and self.offered.pop(found[0]) is not None

    @property
    def routes(self) -> dict[str, list[Scalar]]:
        """The routes that packets take, by prefix: those of the least metric, and none to a subnet that the node is on
        whose metric is larger than the subnet's own."""
        least = dict(sorted(self.offered, reverse=True))
        near = {str(interface.network) for interface in self.interfaces}
        return {
            key[0]: routes
            for key, routes in self.offered.items()
            if least[key[0]] == key[1] and not (key[0] in near and key[1] > CONNECTED[6 if ":" in key[0] else 4])
        }

    @property
    def interfaces(self) -> list[Interface]:
        """Its addresses with their prefix lengths, those that are none left out."""
        return [interface for texts in self.addresses.values() for interface in interfaces_of(texts)]

    def far_end(self, device: str) -> str:
        """The address at which a GRE device's packets arrive; empty for any other device."""
        made = self.made.get(device)
        remote = made.settings.get("remote") if made is not None and made.kind == "gre" else None
        return remote.text if remote is not None else ""

    def tree(self, role: Scalar) -> Table:
        """The node as the lab file would write it, each part at the place that declares it."""
        lists = {name: _items(texts.values()) for name, texts in self.addresses.items() if texts}
        parts: dict[str, Tree] = {
            "role": role,
            "addresses": _table(self.where, lists),
            "mtu": _table(self.where, self.mtu),
            "mac": _table(self.where, self.mac),
            "ageing": _table(self.where, self.ageing),
            "routes": Items(self.where, [route for routes in self.routes.values() for route in routes]),
        }
        for kind in ("bridges", "vlan", "vxlan", "geneve", "gre"):
            parts[kind] = Table(
                self.where,
                {
                    name: (m.where, _device(m, self.entries.get(name, {})))
                    for name, m in self.made.items()
                    if m.kind == kind
                },
            )
        return _table(self.where, parts)


def _device(made: Made, entries: Mapping[str, Scalar]) -> Tree:
    if made.kind == "bridges":
        return Items(made.where, list(made.members.values()))
    settings: dict[str, Tree] = {**made.settings, **({"remotes": _items(made.remotes)} if made.remotes else {})}
    settings |= {"entries": _table(made.where, entries)} if entries else {}
    return _table(made.where, settings)


def _items(texts: Iterable[Scalar]) -> Items:
    found: list[Tree] = [*texts]
    return Items(found[0].where, found)


def _table(where: Position, entries: Mapping[str, Tree]) -> Table:
    return Table(where, {key: (value.where, value) for key, value in entries.items()})


def interfaces_of(texts: Iterable[str]) -> Iterator[Interface]:
    """The addresses with prefix lengths among texts."""
    for text in texts:
        try:
            yield ip_interface(text)
        except ValueError:
            continue


def network_of(prefix: str) -> str:
    """A prefix as ip_network() writes it; text that is none as it is."""
    try:
        return str(ip_network({"default": EVERYWHERE}.get(prefix, prefix), strict=False))
    except ValueError:
        return prefix
