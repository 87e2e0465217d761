"""The state of one node of a containerlab file after its exec lines, and its conversion to a lab file's node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from ipaddress import ip_address, ip_interface, ip_network

from topology.errors import Position
from topology.formats.clab_shell import Findings, refusal
from topology.formats.lab_values import shown, suggest
from topology.formats.yaml_positions import Items, Scalar, Table, Tree
from topology.links import SECTIONS
from topology.model import LOOPBACK, Interface, Network
from topology.refs import is_of_link

PORT = "port"
"""The kind of an end of a link; all other kinds are sections of a lab file's node."""
DEVICES = ("links", *SECTIONS)
"""Parts that a refused device spoils."""
MANAGEMENT = "eth0"
"""The interface by which containerlab manages a node; hopcheck's fabrics are closed and have none."""
EVERYWHERE = "0.0.0.0/0"
"""The prefix of IPv4's default route, as ip_network() writes it."""
METRICS: Mapping[int, int] = {4: 0, 6: 1024}
"""Default of a route, by IP version (IP6_RT_PRIO_USER)."""
CONNECTED: Mapping[int, int] = {4: 0, 6: 256}
"""Metric of an address's subnet route (IP6_RT_PRIO_ADDRCONF)."""


@dataclass(eq=False)
class ExecRoute:
    """A route of an exec line; each next hop is the words ``via``, ``dev`` and ``onlink`` with their values.

    ``dropped_at`` is the line at which the kernel does not take it, or drops it.
    """

    where: Position
    prefix: str
    hops: Sequence[Mapping[str, str]]
    metric: int
    dropped_at: Position | None = None

    @cached_property
    def network(self) -> str:
        """The prefix as ip_network() writes it; text that is none as it is."""
        try:
            return str(ip_network({"default": EVERYWHERE}.get(self.prefix, self.prefix), strict=False))
        except ValueError:
            return self.prefix

    @property
    def ways(self) -> Sequence[Mapping[str, str]]:
        """The next hops without the words before the first ``nexthop``."""
        return self.hops[1:] or self.hops

    @property
    def text(self) -> str:
        """The route in a lab file's words."""
        texts = [" ".join(f"{k} {hop[k]}".strip() for k in ("via", "dev", "onlink") if k in hop) for hop in self.hops]
        return " nexthop ".join([f"{self.prefix} {texts[0]}".strip(), *texts[1:]])


@dataclass
class ExecDevice:
    """A device of a node: ``where`` is the link or line that makes it, None where there is none.

    ``early`` is a line that names it before it is made, ``touched`` one that sets it up or down, ``down`` the line that
    left it down; ``is_lost`` is true where its making was refused. ``floods`` are the destinations of an all-zeros
    entry of a VXLAN device's forwarding database, ``entries`` the others by MAC.
    """

    where: Position | None = None
    kind: str = PORT
    settings: dict[str, Scalar] = field(default_factory=dict)
    is_lost: bool = False
    early: Position | None = None
    touched: Position | None = None
    down: Position | None = None
    addresses: dict[str, Scalar] = field(default_factory=dict)
    mtu: Scalar | None = None
    mac: Scalar | None = None
    ageing: Scalar | None = None
    entries: dict[str, Scalar] = field(default_factory=dict)
    floods: list[Scalar] = field(default_factory=list)
    members: dict[str, Scalar] = field(default_factory=dict)
    master: str = ""

    @property
    def interfaces(self) -> list[Interface]:
        """Its addresses with prefix lengths; text that is none is left to the lab's checks."""
        return [found for text in self.addresses if (found := _interface(text)) is not None]

    def tree(self, where: Position) -> Tree:
        """A bridge or tunnel as the lab file writes it; several remotes are a list."""
        if self.kind == "bridges":
            return Items(where, list(self.members.values()))
        settings: dict[str, Tree] = dict(self.settings)
        first = [self.settings["remote"]] if "remote" in self.settings else []
        remotes: dict[str, Scalar] = {}
        for one in (*first, *self.floods):
            remotes.setdefault(_normal(one.text), one)
        if remotes:
            settings.pop("remote", None)
            several = _items(remotes.values())
            settings |= {"remotes": several} if len(remotes) > 1 else {"remote": several.items[0]}
        return _table(where, settings | ({"entries": _table(where, self.entries)} if self.entries else {}))


@dataclass
class ExecNode:
    """A node while its exec lines are read.

    ``is_managed`` is true where containerlab gives it a management interface, ``has_managed_default`` while the default
    route of that interface is still there. ``forwarding`` are its sysctls, by IP version, ``routing`` what
    others set about the choice among next hops, ``without_ipv6`` where they disable IPv6, by device, ``all`` and
    ``default``.
    """

    name: str
    where: Position
    findings: Findings
    is_managed: bool = True
    has_managed_default: bool = True
    devices: dict[str, ExecDevice] = field(default_factory=dict)
    routes: dict[str, list[ExecRoute]] = field(default_factory=dict)
    forwarding: dict[int, tuple[bool, Position]] = field(default_factory=dict)
    routing: dict[str, tuple[str, Position]] = field(default_factory=dict)
    without_ipv6: dict[str, Position] = field(default_factory=dict)

    def device(self, name: str, where: Position | None = None) -> ExecDevice:
        """A device by its name; ``where`` is the line that names it, remembered where it is not there yet."""
        found = self.devices.setdefault(name, ExecDevice())
        if where is not None and found.where is None and not found.is_lost and name != LOOPBACK:
            found.early = found.early or where
        return found

    def made(self, name: str) -> str | None:
        """The kind of a device that is there."""
        found = self.devices.get(name)
        return found.kind if found is not None and found.where is not None else None

    def is_lost(self, name: str) -> bool:
        """Return whether the making of a device was refused."""
        return name in self.devices and self.devices[name].is_lost

    def make(self, name: str, kind: str, where: Position, settings: dict[str, Scalar] | None = None) -> ExecDevice:
        """Make a device, down as the kernel makes it."""
        if self.made(name):
            raise refusal(where, f"there is a device {shown(name)} already", "another name for this one")
        made = self.device(name)
        made.where, made.kind, made.down, made.settings = where, kind, where, settings or {}
        return made

    def enslave(self, name: str, bridge: str, where: Position) -> None:
        """Put a device into a bridge, and out of the one it was in."""
        if self.is_lost(bridge):
            return
        if self.made(bridge) != "bridges":
            what = f"the master {shown(bridge)} is no bridge of this node"
            raise refusal(where, what, "a bridge that a line before makes")
        member = self.device(name, where)
        self.release(name)
        member.master = bridge
        self.devices[bridge].members[name] = Scalar(where, name)

    def release(self, name: str) -> None:
        """Take a device out of its bridge."""
        member = self.device(name)
        if member.master:
            self.devices[member.master].members.pop(name, None)
            member.master = ""

    def set_down(self, name: str, where: Position) -> None:
        """Set a device down: the kernel drops its routes, and its IPv6 addresses (addrconf_ifdown, addrconf.c)."""
        device = self.device(name)
        for text in [text for text in device.addresses if ":" in text and device.down is None]:
            del device.addresses[text]
            self.findings.note(where, f"the kernel drops {text} of {name} with this line", "it is dropped here too")
        device.down = where
        self.drop_unborne(self.every_route, where)

    def remove_route(self, wanted: ExecRoute, metric: int | None) -> bool:
        """Remove the routes of least metric that a deletion's prefix, next hops and metric match; False for none."""
        there = self.routes.get(wanted.network, [])
        found = [route for route in there if metric in (None, route.metric) and self._matches(route, wanted)]
        least = min((route.metric for route in found), default=0)
        self.routes[wanted.network] = [route for route in there if route not in found or route.metric != least]
        return bool(found)

    def _matches(self, route: ExecRoute, wanted: ExecRoute) -> bool:
        """Return whether a route has the next hops that a deletion states (fib_nh_match, net/ipv4/fib_semantics.c)."""
        hops = zip(route.ways, wanted.ways, strict=False)
        return len(wanted.ways) in (1, len(route.ways)) and all(
            ("via" not in said or _normal(said["via"]) == _normal(hop.get("via", "")))
            and ("dev" not in said or self._goes_by(said["dev"], hop))
            for hop, said in hops
        )

    def _goes_by(self, name: str, hop: Mapping[str, str]) -> bool:
        """Return whether a next hop uses a device, which the kernel finds by the gateway where none is given."""
        try:
            gateway = ip_address(hop.get("via", ""))
        except ValueError:
            return hop.get("dev") == name
        nets = (interface.network for interface in self.device(name).interfaces)
        return hop["dev"] == name if "dev" in hop else any(gateway in net for net in nets)

    def drop_unborne(self, routes: Iterable[ExecRoute], where: Position) -> None:
        """Remember which routes the kernel does not take, or drops, at a line: their way is not there now."""
        up, subnets = self._up()
        for route in routes:
            if route.dropped_at is None and not _is_borne(route, up, subnets):
                route.dropped_at = where

    def _up(self) -> tuple[set[str], list[Network]]:
        """The devices that are up, and their subnets; those that were refused count as up."""
        known = {name for name, device in self.devices.items() if device.where is not None or name == LOOPBACK}
        up = {LOOPBACK, *known} - {name for name in known if self.devices[name].down is not None}
        subnets = [near.network for name in up & known for near in self.devices[name].interfaces]
        return up | {name for name, device in self.devices.items() if device.is_lost}, subnets

    @property
    def interfaces(self) -> list[Interface]:
        """Its addresses with their prefix lengths."""
        return [interface for device in self.devices.values() for interface in device.interfaces]

    @property
    def every_route(self) -> list[ExecRoute]:
        """Its routes, also those that packets never take."""
        return [route for routes in self.routes.values() for route in routes]

    @property
    def taken(self) -> list[ExecRoute]:
        """The routes that packets take: to each prefix those of least metric, and none that a subnet of the node is
        before."""
        near = {str(interface.network) for interface in self.interfaces}
        least = {network: min(route.metric for route in routes) for network, routes in self.routes.items() if routes}
        return [
            route
            for network, metric in least.items()
            for route in self.routes[network]
            if route.metric == metric and not (network in near and metric > CONNECTED[6 if ":" in network else 4])
        ]

    def far_end(self, device: str) -> str:
        """The address at which the packets of a tunnel without frames arrive; empty for any other device."""
        link = SECTIONS.get(self.made(device) or "")
        remote = self.devices[device].settings.get("remote") if link is not None and not link.ethernet else None
        return remote.text if remote is not None else ""

    def finish(self) -> None:
        """Refuse errors visible only over all lines, and note the routes that are never taken."""
        for name, device in self.devices.items():
            self._check_device(name, device)
        up, subnets = self._up()
        for route in self.every_route:
            if route.dropped_at is not None and _is_borne(route, up, subnets):
                self._refuse_dropped(route, route.dropped_at)
        for route in {*self.every_route} - {*self.taken}:
            what = f"the route {shown(route.text)} of metric {route.metric} is left out"
            self.findings.note(route.where, what, "one to the same prefix with a smaller metric is always up here")
        six = {name for name, device in self.devices.items() if any(":" in text for text in device.addresses)}
        for name, where in self.without_ipv6.items():
            whole = "node" if name in ("all", "default") else "device"
            if name in six or (six and whole == "node"):
                what = f"IPv6 is switched off on a {whole} with an IPv6 address"
                self.findings.refuse(where, what, "disable_ipv6=0")

    def _check_device(self, name: str, device: ExecDevice) -> None:
        refuse = self.findings.refuse
        if device.early is not None and device.where is not None:
            what = f"{name} is made only later, on line {device.where.line}"
            refuse(device.early, what, "this line after the one that makes it")
        is_there = device.where is not None or name == LOOPBACK
        has_more = device.addresses or device.mtu or device.mac or device.master or device.is_lost
        if device.touched is not None and not is_there and not has_more:
            known = {one for one, other in self.devices.items() if other.where is not None or other.is_lost}
            refuse(device.touched, f"{self.name} has no device {shown(name)}", suggest(name, known))
        if device.down is not None and is_there:
            refuse(device.down, f"{name} is left down, and carries nothing", f"ip link set {name} up")

    def _refuse_dropped(self, route: ExecRoute, where: Position) -> None:
        """Refuse a route that has a way only at the end of the file."""
        if where == route.where:
            what = f"the route {shown(route.text)} comes before its device is up with an address beside the gateway"
            self.findings.refuse(where, what, "the lines that see to that in front of this one")
        else:
            what = f"the kernel drops the route {shown(route.text)}, line {route.where.line}, with this line"
            self.findings.refuse(where, what, "the line that makes the route after this one")

    def tree(self, role: Mapping[str, Scalar]) -> Table:
        """The node as the lab file writes it, each part at the place that declares it."""
        devices = self.devices
        parts: dict[str, Tree] = {
            **role,
            "addresses": _table(
                self.where, {name: _items(d.addresses.values()) for name, d in devices.items() if d.addresses}
            ),
            "routes": Items(self.where, [Scalar(route.where, route.text) for route in self.taken]),
        }
        for key in ("mtu", "mac", "ageing"):
            parts[key] = _table(self.where, {n: getattr(d, key) for n, d in devices.items() if getattr(d, key)})
        for kind in SECTIONS:
            made = {n: d.tree(d.where) for n, d in devices.items() if d.kind == kind and d.where is not None}
            parts[kind] = _table(self.where, made)
        return _table(self.where, parts)


def _is_borne(route: ExecRoute, up: set[str], subnets: Sequence[Network]) -> bool:
    """Return whether a device that is up leads to each next hop of a route (fib_check_nh, ip6_route_check_nh)."""
    return all(_is_way(hop, up, subnets) for hop in route.hops)


def _is_way(hop: Mapping[str, str], up: set[str], subnets: Sequence[Network]) -> bool:
    if "dev" in hop and hop["dev"] not in up:
        return False
    try:
        gateway = ip_address(hop["via"]) if "via" in hop and "onlink" not in hop else None
    except ValueError:
        return True
    return gateway is None or is_of_link(gateway) or any(gateway in net for net in subnets)


def _items(texts: Iterable[Scalar]) -> Items:
    found: list[Tree] = [*texts]
    return Items(found[0].where, found)


def _table(where: Position, entries: Mapping[str, Tree]) -> Table:
    return Table(where, {key: (value.where, value) for key, value in entries.items()})


@lru_cache(maxsize=1 << 16)
def _interface(text: str) -> Interface | None:
    try:
        return ip_interface(text)
    except ValueError:
        return None


def _normal(text: str) -> str:
    """An IP address as Python writes it; other text as it is."""
    try:
        return str(ip_address(text))
    except ValueError:
        return text
