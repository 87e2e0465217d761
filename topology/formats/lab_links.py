"""Checks of a lab file's devices: links, names, bridges, and what a node says about its interfaces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from topology.errors import Position, Problem
from topology.formats.lab_draft import Draft
from topology.formats.lab_values import shown, suggest
from topology.model import NAME_MAX, Bridge, Device, Gre, Node
from topology.refs import PortRef


def check_ends(draft: Draft) -> Iterator[Problem]:
    """Every link ends at declared nodes, and every port at one link."""
    nodes = draft.spec.nodes
    first: dict[PortRef, Position] = {}
    for index, link in draft.spec.links.items():
        for end, ref in link.endpoints.items():
            where = draft.at("links", index, "endpoints", end)
            if ref.node not in nodes:
                yield Problem(where, f"unknown node {ref.node!r}", suggest(ref.node, nodes))
            elif ref in first:
                what = f"{ref} is an end of two links, first on line {first[ref].line}"
                yield Problem(where, what, "an interface of its own for each end of each link")
            first.setdefault(ref, where)


def check_node_lengths(draft: Draft) -> Iterator[Problem]:
    """Nodes have names as short as devices; a longer one is still a name to whatever does not look for nodes."""
    for node in draft.fabric.nodes:
        yield from _too_long("node", node.name, node.where)


def check_device_lengths(draft: Draft) -> Iterator[Problem]:
    """Devices' names fit the kernel's IFNAMSIZ; a longer one is still a device to whatever does not look for names."""
    for device in draft.fabric.devices:
        yield from _too_long("device", device.name, device.where)


def _too_long(noun: str, name: str, where: Position) -> Iterator[Problem]:
    if len(name) > NAME_MAX:
        yield Problem(where, f"the {noun} name {shown(name)} has {len(name)} characters", f"at most {NAME_MAX}")


def check_names(draft: Draft) -> Iterator[Problem]:
    """No two devices of a node have one name."""
    for node in draft.fabric.nodes:
        first: dict[str, Device] = {}
        for device in node.devices:
            other = first.setdefault(device.name, device)
            if type(other) is not type(device):
                where, earlier = max(device.where, other.where), min(device.where, other.where)
                what = f"{node.name} has two devices named {device.name!r}, the other on line {earlier.line}"
                yield Problem(where, what, "one name for one device")


def ambiguous(draft: Draft) -> frozenset[PortRef]:
    """The interfaces that two links or two devices claim: what their segment is, nobody can say."""
    claims = Counter(device.ref for device in draft.fabric.devices)
    return frozenset(ref for ref, count in claims.items() if count > 1)


def check_settings(draft: Draft) -> Iterator[Problem]:
    """Addresses, MTUs and MACs are set on interfaces that exist and can have them, and once."""
    for node in draft.fabric.nodes:
        said = draft.spec.nodes[node.name]
        for section, table in (("addresses", said.addresses), ("mtu", said.mtu), ("mac", said.mac)):
            for name in table:
                where = draft.key("nodes", node.name, section, name)
                if not node.has(name):
                    yield Problem(where, f"{node.name} has no interface {name!r}", _instead(node, name))
                elif section == "mac" and isinstance(node[name], Gre):
                    yield Problem(where, f"{name} is a GRE device and has no MAC", "no MAC here")
        for name in said.ageing:
            if not node.has(name) or not isinstance(node[name], Bridge):
                where = draft.key("nodes", node.name, "ageing", name)
                yield Problem(where, f"{node.name} has no bridge {name!r}", suggest(name, said.bridges))
        for name in said.mtu:
            if any(name in kind and kind[name].mtu for kind in (said.vlan, said.vxlan, said.geneve, said.gre)):
                where = draft.key("nodes", node.name, "mtu", name)
                yield Problem(where, f"the MTU of {name} is set here and at the device", "one of the two")


def _instead(node: Node, name: str) -> str:
    return f"a link that ends at {node.name}:{name}, or {suggest(name, (d.name for d in node.devices))}"


def check_bridges(draft: Draft) -> Iterator[Problem]:
    """Members of bridges exist, are Ethernet devices without addresses, and belong to one bridge."""
    for node in draft.fabric.nodes:
        owners: dict[str, str] = {}
        for bridge, members in draft.spec.nodes[node.name].bridges.items():
            for index, name in members.items():
                where = draft.at("nodes", node.name, "bridges", bridge, index)
                if name in owners:
                    what = f"{name!r} is a member of {owners[name]} already"
                    yield Problem(where, what, "each device in one bridge, once")
                else:
                    yield from _member_problems(node, name, where)
                owners.setdefault(name, bridge)
        yield from _addressed_members(draft, node, owners)


def _member_problems(node: Node, name: str, where: Position) -> Iterator[Problem]:
    if not node.has(name):
        others = (device.name for device in node.devices if not isinstance(device, Bridge | Gre))
        yield Problem(where, f"the bridge member {name!r} is no device of {node.name}", suggest(name, others))
    elif isinstance(node[name], Gre):
        what = f"the bridge member {name!r} is a GRE device, which carries no Ethernet frames"
        yield Problem(where, what, "a port, a VXLAN or a Geneve device")
    elif isinstance(node[name], Bridge):
        yield Problem(where, f"the bridge member {name!r} is itself a bridge", "a port, a VXLAN or a Geneve device")


def _addressed_members(draft: Draft, node: Node, owners: dict[str, str]) -> Iterator[Problem]:
    for name in draft.spec.nodes[node.name].addresses:
        if name in owners:
            where = draft.key("nodes", node.name, "addresses", name)
            what = f"{name} has an address but is a member of {owners[name]}, which takes its frames"
            yield Problem(where, what, f"the address on {owners[name]}")
