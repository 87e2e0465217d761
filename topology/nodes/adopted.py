"""Nodes of an adopted fabric: they are found, entered and read; nothing of them is changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from errno import ENOENT, ESRCH
from itertools import product
from typing import TypeAlias

from topology.errors import AgentError, NodeNotFound, NotApplicable
from topology.kernels.agent.namespaces import NETNS_DIR
from topology.kernels.link import Agent
from topology.kernels.netlink import Netlink
from topology.kernels.others import Found, Identity, find_others, identities
from topology.kernels.registry import Kernel
from topology.kernels.rtnl.dumps import NETLINK_ROUTE
from topology.kernels.rtnl.links import LinkEnd, netnsid_request, read_netnsid, tunnel_ports
from topology.model import LOOPBACK, Address, Device, Fabric, Interface, Node, stable_mac
from topology.nodes.entrance import NETNS
from topology.nodes.leaving import Outlets, flood_out, outlets_of, way_out
from topology.nodes.management import management_devices, without
from topology.nodes.match import (
    Addresses,
    find_end,
    match_nodes,
    maybe_joined,
    named_and_right,
    node_names,
    reachable,
    there_is,
)
from topology.packet import Probe
from topology.plan import Operation, Plan
from topology.promises import NO_MANAGEMENT
from topology.refs import PortRef
from topology.state import NodeState

Never: TypeAlias = Sequence[Sequence[int]]
"""The namespaces that are never entered, by device and inode number."""
Joined: TypeAlias = tuple[Identity, LinkEnd, Identity]
"""A namespace, the veth end in it, and the namespace of the other end."""
ONLY_LOOKED_AT = "an adopted fabric is only looked at, never changed"


class Onlooker(Netlink):
    """Reads adopted nodes; any change is refused with NotApplicable."""

    def __init__(self, agent: Agent) -> None:
        super().__init__(agent)
        self.found: Mapping[str, Found] = {}
        self.fabric: Fabric | None = None
        self.tunnel_ports: Mapping[str, frozenset[int]] = {}
        """The UDP ports of the nodes' tunnels, by the kind of link."""
        self.named_ends: Mapping[str, tuple[str, tuple[Address, ...]]] = {}
        """Node and address of each end of a pair, where pairs are all that is declared."""
        self.lost_ends: Mapping[str, str] = {}
        """Why an end of a pair is not there."""
        self.outlets: Outlets = {}
        self.tunnels_elsewhere: Mapping[PortRef, str] = {}
        """The tunnel devices that send by another namespace: its node, blank if it is none."""
        self.cables = 0
        """The number of veth pairs between the nodes."""
        self.management = NO_MANAGEMENT
        self.management_devices: dict[str, frozenset[str]] = {}
        """By node the devices that are no part of the fabric."""
        self.as_seen: dict[str, NodeState] = {}
        """The nodes as last read, management included: each probe is checked against them first."""

    def states(self, nodes: Sequence[str]) -> dict[str, NodeState]:
        """The state of each node, without its management."""
        read = super().states(nodes)
        self.as_seen |= read
        self.management_devices |= {name: management_devices(self.management, state) for name, state in read.items()}
        return {name: without(state, self.management_devices[name]) for name, state in read.items()}

    def build(self, plan: Plan) -> None:
        """Raise NotApplicable."""
        raise NotApplicable(ONLY_LOOKED_AT)

    def apply(self, operations: Iterable[Operation]) -> None:
        """Raise NotApplicable unless there is nothing to do."""
        if list(operations):
            raise NotApplicable(ONLY_LOOKED_AT)

    def joined(
        self, nodes: Mapping[str, Found], fds: Mapping[str, int], ends: Mapping[str, Sequence[LinkEnd]]
    ) -> list[Joined]:
        """The pairs of namespaces that veth pairs and shared devices join, by which end of the first, as their kernel
        numbers them."""
        names = {one.identity: name for name, one in nodes.items()}
        maybe = maybe_joined({nodes[name].identity: known for name, known in ends.items()})
        asked = [(names[identity], netnsid_request(fds[names[other]]), NETLINK_ROUTE) for identity, _, other in maybe]
        numbers = [read_netnsid(answer) for answer in self.relay(asked)]
        return [
            (identity, end, other)
            for (identity, end, other), number in zip(maybe, numbers, strict=True)
            if number is not None and number == end.netnsid
        ]

    def way_out(self, probe: Probe) -> str:
        """Exit of a probe or its answer from the fabric; blank where both stay inside."""
        ways = ((probe.source, probe.dst), (probe.target, probe.src))
        found = (way_out(self.as_seen, self.outlets, node, dst, self.management_devices) for node, dst in ways)
        return next(filter(None, found), "")

    @property
    def link_kinds(self) -> Mapping[PortRef, str]:
        """The kind of every device, as last read."""
        states = self.as_seen.values()
        return {PortRef(state.node, link.name): link.kind for state in states for link in state.links.values()}

    @property
    def has_exits(self) -> bool:
        """True where a device of a node leads out of the fabric."""
        return any((*self.outlets.values(), *self.management_devices.values()))

    def flood_out(self, live: Fabric, sender: PortRef) -> str:
        """Exit by which a device's broadcast frames would leave the fabric as it forwards now; blank if they stay
        inside.
        """
        return flood_out(live, self.as_seen, self.outlets, self.management_devices, sender)

    def check_there(self) -> None:
        """Raise NodeNotFound for the nodes that are not where they were found any more.

        The agent holds what it has entered, so that a namespace whose owner has removed it would still answer.
        """
        paths = [one.path for one in self.found.values()]
        now = identities(self._agent, paths)
        gone = [
            f"{name} - expected {one} still there - seen it gone"
            for (name, one), seen in zip(self.found.items(), now, strict=True)
            if seen != one.identity
        ]
        if gone:
            raise NodeNotFound("\n".join(gone))


@dataclass(frozen=True)
class Visit:
    """Addresses, links and veth pairs of the namespaces that were visited, by their identities."""

    addresses: Addresses
    ends: Mapping[Identity, Sequence[LinkEnd]]
    joined: Sequence[Joined]


class AdoptedRuntime:
    """Finds each node by its name or its addresses, among those the kernel runs."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel, self._agent = kernel, kernel.agent
        self._management = NO_MANAGEMENT

    def bring_up(self, fabric: Fabric) -> Onlooker:
        """Take what is there: the declared nodes, or without any those of the pairs and what they are joined to."""
        others = self._kernel.others()
        self._management = fabric.management
        found, no_engine = find_others(self._kernel)
        never = [list(known) for known in others.never]
        try:
            choose = self._declared if fabric.nodes else self._discovered
            chosen, visit = choose(fabric, found, never)
        except NodeNotFound as error:
            raise NodeNotFound(f"{error}\nno containers: {no_engine}" if no_engine else str(error)) from None
        self._adopt(chosen, never)
        onlooker = Onlooker(self._agent)
        onlooker.found, onlooker.management = chosen, fabric.management
        here = {name: f"{NETNS} {name}" for name in chosen}
        onlooker.entrances = {name: one.entrance for name, one in chosen.items() if one.entrance != here[name]}
        ends = {name: visit.ends[one.identity] for name, one in chosen.items()}
        states = onlooker.states(list(chosen))
        names = {one.identity: name for name, one in chosen.items()}
        joined = {(names[one], end.index) for one, end, other in visit.joined if one in names and other in names}
        veths = {(name, end.index) for name, known in ends.items() for end in known if end.peer is not None}
        onlooker.outlets, onlooker.cables = outlets_of(ends, joined, states), len(joined & veths) // 2
        onlooker.tunnel_ports = tunnel_ports(ends)
        below = {(one, end.name): names.get(other, "") for one, end, other in visit.joined}
        onlooker.tunnels_elsewhere = {
            PortRef(name, end.name): below.get((chosen[name].identity, end.name), "")
            for name, known in ends.items()
            for end in known
            if end.sends_elsewhere
        }
        onlooker.fabric = with_live_macs(fabric, states) if fabric.nodes else described(fabric, states)
        if not fabric.nodes:
            onlooker.named_ends, onlooker.lost_ends = named_ends(onlooker.fabric, chosen, onlooker.outlets)
        return onlooker

    def _declared(self, fabric: Fabric, found: Sequence[Found], never: Never) -> tuple[dict[str, Found], Visit]:
        """Visit namespaces of the right names first, all others only where names do not suffice."""
        names = {node.name for node in fabric.nodes}
        candidates = [one for one in found if names & {*one.names, one.process}]
        visit = self._visit(candidates, never)
        if not named_and_right(fabric.nodes, candidates, visit.addresses):
            visit = self._visit(found, never)
        chosen = match_nodes(fabric.nodes, found, visit.addresses)
        gone = [
            f"{name} - expected {one} - seen it gone" for name, one in chosen.items() if one.identity not in visit.ends
        ]
        if gone:
            raise NodeNotFound("\n".join(gone))
        return chosen, visit

    def _discovered(self, fabric: Fabric, found: Sequence[Found], never: Never) -> tuple[dict[str, Found], Visit]:
        """The nodes of the pairs, or all that have a name, and all that veth pairs join to them."""
        visit = self._visit(found, never)
        wired = [one for one in found if any(end.name != "lo" and end.up for end in visit.ends.get(one.identity, ()))]
        named = node_names(wired)
        ends, lost = found_ends(fabric, named, visit.addresses)
        if lost and not ends:
            raise NodeNotFound(next(iter(lost.values())))
        starts = [named[node].identity for node, _ in ends.values()]
        pairs = [(identity, other) for identity, _, other in visit.joined]
        kept = reachable(starts or [one.identity for one in wired if one.names], pairs)
        if not kept:
            raise NodeNotFound(f"nothing to adopt - expected namespaces with links - {there_is(found)}")
        return {name: one for name, one in named.items() if one.identity in kept}, visit

    def _adopt(self, chosen: Mapping[str, Found], never: Never) -> None:
        """Give each the name of its node, and see that it is the one that was found: numbers of processes return."""
        new = {name: one.path for name, one in chosen.items() if one.path != f"{NETNS_DIR}/{name}"}
        self._agent.call("netns_adopt", paths=new, never=never)
        now = identities(self._agent, [f"{NETNS_DIR}/{name}" for name in chosen])
        for (name, one), seen in zip(chosen.items(), now, strict=True):
            if seen != one.identity:
                raise NodeNotFound(f"{name} - expected {one} - seen another in its place")

    def _visit(self, found: Sequence[Found], never: Never) -> Visit:
        """Name all that may be entered for as long as it takes to visit; what ends meanwhile is left out."""
        visited: dict[str, Found] = {}
        fds: dict[str, int] = {}
        onlooker = Onlooker(self._agent)
        try:
            for number, one in enumerate(one for one in found if not one.forbidden):
                name = f"hopcheck-{number}"
                try:
                    reply = self._agent.call("netns_adopt", paths={name: one.path}, never=never)
                except AgentError as error:
                    if error.errno not in (ENOENT, ESRCH):
                        raise
                else:
                    visited[name], fds[name] = one, int(reply.get("fds", dict)[name])
            states, ends = onlooker.states(list(visited)), onlooker.ends(list(visited))
            joined = onlooker.joined(visited, fds, ends)
        finally:
            self._agent.call("netns_del", names=list(visited))
        by_identity = {name: one.identity for name, one in visited.items()}
        addresses = {by_identity[n]: frozenset(i.ip for _, i in state.addresses) for n, state in states.items()}
        aside = {by_identity[n]: management_devices(self._management, state) for n, state in states.items()}
        return Visit(addresses, {by_identity[n]: known for n, known in ends.items()}, unmanaged(joined, aside))


def unmanaged(joined: Sequence[Joined], management: Mapping[Identity, Collection[str]]) -> list[Joined]:
    """The joined namespaces without veth pairs of which an end is management."""
    cut = {(identity, end.index) for identity, end, _ in joined if end.name in management[identity]}
    return [
        one for one in joined if (one[0], one[1].index) not in cut and (one[2], one[1].peer or one[1].below) not in cut
    ]


def with_live_macs(fabric: Fabric, states: Mapping[str, NodeState]) -> Fabric:
    """The declaration with the MACs that are there, where the lab states none: the kernel may have chosen."""
    nodes = []
    for node in fabric.nodes:
        live = states[node.name].links
        devices = tuple(
            replace(device, mac=live[device.name].mac)
            if device.name in live and device.mac == stable_mac(fabric.name, node.name, device.name)
            else device
            for device in node.devices
        )
        nodes.append(replace(node, devices=devices))
    return replace(fabric, nodes=tuple(nodes))


def described(fabric: Fabric, states: Mapping[str, NodeState]) -> Fabric:
    """A fabric of which only pairs are declared, with its nodes as they are: devices in the kernel's order."""
    nodes = tuple(Node(name=name, role="switch", devices=tuple(_devices(state))) for name, state in states.items())
    return replace(fabric, nodes=nodes)


def _devices(state: NodeState) -> Iterator[Device]:
    for name in (*state.links, LOOPBACK):
        known = state.links.get(name)
        addresses = sorted((i for device, i in state.addresses if device == name), key=lambda i: (i.version, i))
        if known is not None or addresses:
            mac, mtu = (known.mac, known.mtu) if known else (None, None)
            yield Device(node=state.node, name=name, mac=mac, mtu=mtu, addresses=tuple(addresses))


def found_ends(
    fabric: Fabric, named: Mapping[str, Found], addresses: Addresses
) -> tuple[dict[str, tuple[str, Address | None]], dict[str, str]]:
    """The node, and the address where one was named, for each end of a pair, and why others are not there."""
    found, lost = dict[str, tuple[str, Address | None]](), dict[str, str]()
    for said in dict.fromkeys(end for pair in fabric.pairs for end in pair.hosts):
        try:
            found[said] = find_end(said, named, addresses)
        except NodeNotFound as error:
            lost[said] = str(error)
    return found, lost


def named_ends(
    fabric: Fabric, chosen: Mapping[str, Found], outlets: Outlets
) -> tuple[dict[str, tuple[str, tuple[Address, ...]]], dict[str, str]]:
    """The node and the address for each named end of a pair, and why others are not there.

    Of a name it is the node's ``inner_address``; others that it may stand for as well come behind.
    """
    known = {one.identity: frozenset(fabric[name].addresses) for name, one in chosen.items()}
    ends, lost = found_ends(fabric, chosen, known)
    out = {}
    for said, (node, address) in ends.items():
        if address is None and not fabric[node].addresses:
            lost[said] = f"{said} - expected an address to send from - seen none"
            continue
        inside = (inner_address(fabric[node], outlets), *(one.ip for one in _inside(fabric[node], outlets)))
        out[said] = (node, (address,) if address else inside)
    return out, lost


def inner_address(node: Node, outlets: Outlets) -> Address:
    """The node's first address inside the fabric.

    One on a network of an engine or another way out is only taken where there is no other, as where networks of an
    engine are the fabric's own links.
    """
    return next((one.ip for one in _inside(node, outlets)), node.address)


def of_one_version(some: Sequence[Address], others: Sequence[Address]) -> tuple[Address, Address]:
    """The first two addresses of one IP version; the first of each where there are none."""
    alike = ((one, other) for one, other in product(some, others) if one.version == other.version)
    return next(alike, (some[0], others[0]))


def nearest_addresses(one: Node, other: Node, outlets: Outlets) -> tuple[Address, Address]:
    """The first addresses of two nodes in a network that both have inside the fabric, else the first of each."""
    both = product(_inside(one, outlets), _inside(other, outlets))
    shared = ((a.ip, b.ip) for a, b in both if a.network == b.network and a.ip != b.ip)
    return next(shared, (inner_address(one, outlets), inner_address(other, outlets)))


def _inside(node: Node, outlets: Outlets) -> list[Interface]:
    away = outlets.get(node.name, ())
    return [one for device in node.devices if device.name not in away for one in device.addresses]
