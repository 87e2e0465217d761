"""The plan of a fabric: ordered operations that build it, and the same as ``ip`` commands. Pure.

An operation is one netlink message or one sysctl, with the pyroute2 call that encodes it, its arguments and its line
in the lab file. Operations of one phase and node travel in one batch; a phase starts when the
kernel has acknowledged all of the one before, because a veth's far end is created from the near end's namespace.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import Any

from topology.errors import Position
from topology.fib import Egress
from topology.frr import Frr
from topology.model import Bridge, Device, Fabric, Interface, Loopback, Node, Port, Route, Routing, Vrf
from topology.promises import NOWHERE
from topology.refs import PortRef

LOOPBACK_INDEX = 1
"""lo comes first in every namespace (LOOPBACK_IFINDEX of include/net/flow.h)."""
DEFAULT_ROUTING = Routing()
FIRST_INDEX = 100
"""The plan chooses interface indexes, above those of lo and the fallback devices, so that a later message of the same
batch can refer to a new device without a lookup."""
RT_SCOPE_LINK = 253
"""The scope of a route without a gateway (linux/rtnetlink.h)."""
IGNORE_LINKDOWN = ".ignore_routes_with_linkdown"
RTNH_F_ONLINK = 4
"""The gateway may be outside the device's subnets (linux/rtnetlink.h)."""


@dataclass(frozen=True)
class NamespaceOf:
    """A placeholder for the file descriptor of a node's namespace, which only the agent has."""

    node: str


@dataclass(frozen=True)
class Operation:
    """A change to a node: ``getattr(batch, api)(verb, **arguments)`` of a pyroute2 batch, or a sysctl."""

    node: str
    api: str
    verb: str
    arguments: Mapping[str, Any]
    command: str
    where: Position = field(default=NOWHERE, compare=False)

    def __str__(self) -> str:
        return self.command

    @property
    def given(self) -> str:
        """The address or the route's prefix that it gives its node; empty for any other."""
        if self.api == "addr":
            return f"{self.arguments['address']}/{self.arguments['prefixlen']}"
        return str(self.arguments["dst"]) if self.api == "route" else ""


@dataclass(frozen=True)
class Room:
    """A fabric's share of a kernel's limits, computed by ``topology/room.py``.

    The numbers of network namespaces, of files that its agent opens, and by IP version of neighbour entries that all
    pairs need at the same time.
    """

    namespaces: int = 0
    files: int = 0
    neighbours: Mapping[int, int] = field(default_factory=dict)


NO_ROOM = Room()


@dataclass(frozen=True)
class Plan:
    """Namespaces to create, sysctls to write and phases of netlink operations.

    Sysctls are written before any link exists, the ``late`` ones after the last phase.
    """

    namespaces: tuple[str, ...]
    sysctls: tuple[Operation, ...]
    phases: tuple[tuple[Operation, ...], ...]
    daemons: Mapping[str, Frr] = field(default_factory=dict)
    """The routing daemons of nodes, which are started once the namespaces are there."""

    def sysctls_to_write(self, late: bool) -> tuple[Operation, ...]:
        """Return the sysctls to write after (``late``) or before the phases.

        A new GRE or Geneve device takes its MTU from the route to its remote, while the carrier of that route's link
        may still be missing. So ``ignore_routes_with_linkdown`` is written last.
        """
        return tuple(op for op in self.sysctls if op.arguments["key"].endswith(IGNORE_LINKDOWN) == late)

    @property
    def operations(self) -> Iterator[Operation]:
        """The netlink operations of all phases, in order."""
        return (op for phase in self.phases for op in phase)

    @property
    def commands(self) -> tuple[str, ...]:
        """The operations as commands, in order.

        They spell out ``name`` and ``dev``, because ip(8) parses a bare device name such as ``br`` as a keyword.
        """
        added = tuple(f"ip netns add {name}" for name in self.namespaces)
        return (
            *added,
            *(f"ip netns exec {n} {one}" for n, frr in self.daemons.items() for one in frr.commands(n, frr.file)),
            *(str(op) for op in self.sysctls_to_write(late=False)),
            *map(str, self.operations),
            *(str(op) for op in self.sysctls_to_write(late=True)),
        )


def make_plan(fabric: Fabric) -> Plan:
    """Return the operations that build a fabric."""
    index = _indexes(fabric)
    links = tuple(_veth(fabric, device, index) for device in fabric.all(Port) if device.ref < device.peer)
    rest = tuple(op for node in fabric.nodes for op in _node(node, {d.name: index[d.ref] for d in node.devices}))
    ipv6 = uses_ipv6(fabric)
    sysctls = tuple(op for node in fabric.nodes for op in _sysctls(node, ipv6, fabric.routing))
    daemons = {node.name: node.frr for node in fabric.nodes if node.frr}
    return Plan(tuple(node.name for node in fabric.nodes), sysctls, (links, rest), daemons)


def _indexes(fabric: Fabric) -> dict[PortRef, int]:
    """Return the interface index of each device."""
    index = {device.ref: n for node in fabric.nodes for n, device in enumerate(node.devices, FIRST_INDEX)}
    return index | {device.ref: LOOPBACK_INDEX for device in fabric.all(Loopback)}


def remade(plan: Plan, fabric: Fabric, device: Device) -> Iterator[Operation]:
    """Yield the operations of a fabric's plan that make a device, with all that is on it or made on it, and with a
    cable's other end."""
    gone, index = {device.ref, *((device.peer,) if isinstance(device, Port) else ())}, _indexes(fabric)
    for one in (virtual for node in fabric.nodes for virtual in _virtual_devices(node)):
        gone |= {one.ref} if PortRef(one.node, one.made_on or "") in gone else set()
    again = {(ref.node, index[ref]) for ref in gone}
    yield from (op for op in plan.operations if not again.isdisjoint(_touched(op)))


def _touched(operation: Operation) -> Iterator[tuple[str, int]]:
    """Yield the devices that an operation is about, by node and index."""
    said = operation.arguments
    for part in (said, *said.get("multipath", ())):
        yield from ((operation.node, part[key]) for key in ("index", "ifindex", "master", "oif") if key in part)
    if "peer" in said:
        yield said["peer"]["net_ns_fd"].node, said["peer"]["index"]


def uses_ipv6(fabric: Fabric) -> bool:
    """Return whether any device of a fabric has an IPv6 address, or a daemon may use one; otherwise the build disables
    IPv6 everywhere."""
    addresses = (interface for device in fabric.devices for interface in device.addresses)
    return fabric.has_daemons or any(interface.version == 6 for interface in addresses)


def written_sysctls(node: Node, ipv6: bool, routing: Routing = DEFAULT_ROUTING) -> dict[str, int]:
    """Return the sysctls that a new namespace inherits from the machine and that change forwarding, with our values.

    The ``net.bridge`` keys exist only where br_netfilter is loaded.
    """
    forwards = int(node.is_router)
    return {
        "net.ipv4.ip_forward": forwards,
        "net.ipv4.conf.all.rp_filter": 0,
        "net.ipv4.conf.default.rp_filter": 0,
        "net.ipv4.conf.all.ignore_routes_with_linkdown": int(routing.ignore_linkdown),
        "net.ipv4.conf.default.ignore_routes_with_linkdown": int(routing.ignore_linkdown),
        "net.ipv4.fib_multipath_hash_policy": routing.hash_policy,
        "net.ipv6.conf.all.ignore_routes_with_linkdown": int(routing.ignore_linkdown),
        "net.ipv6.conf.default.ignore_routes_with_linkdown": int(routing.ignore_linkdown),
        "net.ipv6.fib_multipath_hash_policy": routing.hash_policy,
        "net.ipv4.icmp_ratelimit": 0,
        "net.ipv6.icmp.ratelimit": 0,
        "net.ipv6.conf.all.disable_ipv6": int(not ipv6),
        "net.ipv6.conf.default.disable_ipv6": int(not ipv6),
        "net.ipv6.conf.all.forwarding": forwards if ipv6 else 0,
        # A router asks for neighbours from its link-local address, which must not first wait for its own probes.
        "net.ipv6.conf.all.accept_dad": 0,
        "net.ipv6.conf.default.accept_dad": 0,
        "net.bridge.bridge-nf-call-iptables": 0,
        "net.bridge.bridge-nf-call-ip6tables": 0,
        "net.bridge.bridge-nf-call-arptables": 0,
    }


def _sysctls(node: Node, ipv6: bool, routing: Routing) -> Iterator[Operation]:
    """Yield the sysctls of a node; ``sysctl -e`` ignores keys that the kernel lacks."""
    for key, value in written_sysctls(node, ipv6, routing).items():
        command = f"ip netns exec {node.name} sysctl -eqw {key}={value}"
        yield Operation(node.name, "sysctl", "write", {"key": key, "value": str(value)}, command, node.where)


def _veth(fabric: Fabric, port: Port, index: Mapping[Any, int]) -> Operation:
    peer = fabric[port.peer.node][port.peer.interface]
    arguments: dict[str, Any] = {"kind": "veth", **_own(port, index[port.ref])}
    arguments["peer"] = {**_own(peer, index[peer.ref]), "net_ns_fd": NamespaceOf(peer.node)}
    near, far = (f"{d.name}{_words(address=d.mac, mtu=d.mtu)}" for d in (port, peer))
    command = f"ip -n {port.node} link add name {near} type veth peer name {far} netns {peer.node}"
    return Operation(port.node, "link", "add", arguments, command, port.where)


def _own(device: Device, index: int) -> dict[str, Any]:
    known = {"ifname": device.name, "index": index, "address": device.mac, "mtu": device.mtu}
    return {key: value for key, value in known.items() if value is not None}


def _words(**options: object) -> str:
    return "".join(f" {name} {value}" for name, value in options.items() if value is not None)


def _node(node: Node, index: Mapping[str, int]) -> Iterator[Operation]:
    """Yield the second phase of a node, ordered by dependency."""

    def op(api: str, verb: str, arguments: Mapping[str, Any], words: str, where: Position) -> Operation:
        return Operation(node.name, api, verb, arguments, f"ip -n {node.name} {words}", where)

    loopback = {"index": LOOPBACK_INDEX, "state": "up"}
    yield op("link", "set", loopback, "link set dev lo up", node.where)
    for lo in node.all(Loopback):
        yield from _addresses(op, lo, LOOPBACK_INDEX)
    for device in node.devices:
        if isinstance(device, Port) and device.name not in node.vrfs:
            yield from _address_and_up(op, device, index[device.name])
    for device in _virtual_devices(node):
        options = _words(address=device.mac, mtu=device.mtu, link=device.parent)
        words = " ".join([device.kind, *(option.words for option in device.options() if option.words)])
        arguments = _arguments(device, index)
        yield op("link", "add", arguments, f"link add name {device.name}{options} type {words}", device.where)
        if device.name not in node.vrfs:
            yield from _address_and_up(op, device, index[device.name])
        yield from _entries(device, index)
    yield from _joined(op, node, index)
    for route in node.routes:
        words = f"{'-6 ' if route.prefix.version == 6 else ''}route add {route}"
        yield op("route", "add", _route(route, node, index), words, route.where)


def _virtual_devices(node: Node) -> list[Device]:
    """Return all devices but ports, each after the one that it is made on."""
    virtual = {device.name: device for device in node.devices if not isinstance(device, Port | Loopback)}
    ordered: dict[str, Device] = {}
    for device in virtual.values():
        below: list[Device] = [device]
        while (under := virtual.get(below[-1].made_on or "")) is not None and under not in below:
            below.append(under)
        ordered |= {found.name: found for found in reversed(below) if found.name not in ordered}
    return list(ordered.values())


def _address_and_up(op: Any, device: Device, index: int) -> Iterator[Operation]:
    yield from _addresses(op, device, index)
    yield op("link", "set", {"index": index, "state": "up"}, f"link set dev {device.name} up", device.where)


def _addresses(op: Any, device: Device, index: int) -> Iterator[Operation]:
    for interface in device.addresses:
        words = f"addr add {interface} dev {device.name}{' nodad' if interface.version == 6 else ''}"
        yield op("addr", "add", address_arguments(interface, index), words, device.where)


def address_arguments(interface: Interface, index: int) -> dict[str, Any]:
    """Return pyroute2's arguments for an address; IPv6 without duplicate address detection, so it is usable at once."""
    arguments: dict[str, Any] = {
        "index": index,
        "address": str(interface.ip),
        "prefixlen": interface.network.prefixlen,
    }
    if isinstance(interface.ip, IPv6Address):
        arguments["flags"] = 0x02
    return arguments


def _arguments(device: Device, index: Mapping[str, int]) -> dict[str, Any]:
    """Return pyroute2's arguments for a device of a kind other than veth."""
    prefix = device.prefix or device.kind
    known = {f"{prefix}_{option.name}": option.value for option in device.options() if option.name}
    if f"{prefix}_link" in known:
        known[f"{prefix}_link"] = index[known[f"{prefix}_link"]]
    if device.parent:
        known["link"] = index[device.parent]
    return {"kind": device.kind, **known, **_own(device, index[device.name])}


def _entries(device: Device, index: Mapping[str, int]) -> Iterator[Operation]:
    """Yield the forwarding entries that a device starts with."""
    link = {"nda_ifindex": index[device.made_on]} if device.made_on else {}
    for mac, remote in device.entries_at_start():
        arguments = {"ifindex": index[device.name], "lladdr": mac, "dst": str(remote), **link}
        words = f"fdb append {mac} dev {device.name} dst {remote}{_words(via=device.made_on)}"
        yield Operation(device.node, "fdb", "append", arguments, f"bridge -n {device.node} {words}", device.where)


def _joined(op: Any, node: Node, index: Mapping[str, int]) -> Iterator[Operation]:
    """Yield what puts devices into bridges, then what puts devices into VRFs."""
    for bridge in node.all(Bridge):
        yield from _members(op, node, bridge, index)
        if bridge.mtu is not None and bridge.members:
            # A bridge takes the least MTU of its members each time one joins (br_mtu_auto_adjust).
            again = {"index": index[bridge.name], "mtu": bridge.mtu}
            yield op("link", "set", again, f"link set dev {bridge.name} mtu {bridge.mtu}", bridge.where)
    for vrf in node.all(Vrf):
        yield from _members(op, node, vrf, index)
        # zebra forgets the subnets of a bridge that enters a VRF later.
        for member in vrf.members:
            yield from _address_and_up(op, node[member], index[member])


def _members(op: Any, node: Node, master: Bridge | Vrf, index: Mapping[str, int]) -> Iterator[Operation]:
    """Yield what puts its members into a bridge or VRF, and sets them as its ports."""
    for member in master.members:
        enslave = {"index": index[member], "master": index[master.name]}
        yield op("link", "set", enslave, f"link set dev {member} master {master.name}", master.where)
        if settings := node[member].port_settings:
            words = " ".join(word for setting in settings for word in setting)
            arguments = {"index": index[member], **{name: int(value == "on") for name, value in settings}}
            command = f"bridge -n {node.name} link set dev {member} {words}"
            yield Operation(node.name, "brport", "set", arguments, command, master.where)


def _route(route: Route, node: Node, index: Mapping[str, int]) -> dict[str, Any]:
    arguments: dict[str, Any] = {"dst": str(route.prefix), "family": 2 if route.prefix.version == 4 else 10}
    onlink = {(hop.dev, hop.via) for hop in route.next_hops if hop.onlink}
    hops = [_next_hop(egress, index, (egress.dev, egress.via) in onlink) for egress in node.egresses(route)]
    if len(hops) > 1:
        return {**arguments, "multipath": hops}
    scope = {"scope": RT_SCOPE_LINK} if route.via is None else {}
    return {**arguments, **scope, **hops[0]} if hops else {**arguments, **scope}


def _next_hop(egress: Egress, index: Mapping[str, int], onlink: bool) -> dict[str, Any]:
    gateway = {"gateway": str(egress.via)} if egress.via is not None else {}
    return {**gateway, "oif": index[egress.dev], **({"flags": RTNH_F_ONLINK} if onlink else {})}
