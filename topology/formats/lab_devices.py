"""Checks of a lab file's devices: links, names, bridges, VLANs, and the settings of a node's interfaces."""

from __future__ import annotations

from collections.abc import Iterator

from topology.errors import Position, Problem
from topology.formats.lab_draft import Draft
from topology.formats.lab_schema import EntrySpec
from topology.formats.lab_values import shown, suggest
from topology.links import FRAME_TUNNELS
from topology.model import NAME_MAX, Bridge, Device, Loopback, Node, Port, Subinterface, Tunnel, Vrf
from topology.refs import PortRef
from topology.roles import ROLES

RESERVED_TABLES = (253, 254, 255)
"""The tables default, main and local (linux/rtnetlink.h)."""
MEMBERS = f"a port, or a {', '.join(tunnel.noun for tunnel in FRAME_TUNNELS)} device"


def check_links(draft: Draft) -> Iterator[Problem]:
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


def check_roles(draft: Draft) -> Iterator[Problem]:
    """A role is a known one, or the node says whether it forwards."""
    for name, said in draft.spec.nodes.items():
        if said.role not in ROLES and said.forwards is None:
            right = f"one of: {', '.join(ROLES)}, or 'forwards: true' or 'false' beside a word of the lab's own"
            yield Problem(draft.at("nodes", name, "role"), f"unknown role {shown(said.role)}", right)
        elif said.role in ROLES and said.forwards is not None:
            what = f"the role {said.role} says itself whether a node forwards"
            yield Problem(draft.at("nodes", name, "forwards"), what, "no 'forwards', or a role of the lab's own")


def check_lengths(draft: Draft, noun: str) -> Iterator[Problem]:
    """Devices' names fit the kernel's IFNAMSIZ, and nodes have names as short."""
    for named in draft.fabric.nodes if noun == "node" else draft.fabric.devices:
        if len(name := named.name) > NAME_MAX:
            what = f"the {noun} name {shown(name)} has {len(name)} characters"
            yield Problem(named.where, what, f"at most {NAME_MAX}")


def check_names(draft: Draft) -> Iterator[Problem]:
    """No two devices of a node have one name."""
    for node in draft.fabric.nodes:
        first: dict[str, Device] = {}
        for device in node.devices:
            other = first.setdefault(device.name, device)
            if type(other) is not type(device):
                earlier, where = sorted((device.where, other.where))
                what = f"{node.name} has two devices named {device.name!r}, the other on line {earlier.line}"
                yield Problem(where, what, "one name for one device")


def check_settings(draft: Draft) -> Iterator[Problem]:
    """Addresses, MTUs and MACs are set on interfaces that exist and can have them, and once."""
    for node in draft.fabric.nodes:
        said = draft.spec.nodes[node.name]
        named = [("addresses", name) for name in said.addresses] + [("mtu", name) for name in said.mtu]
        named += [("mac", name) for name in said.mac] + [("ageing", name) for name in said.ageing]
        for section, name in named:
            if (problem := _setting(draft, node, section, name)) is not None:
                yield Problem(draft.key("nodes", node.name, section, name), *problem)


def _setting(draft: Draft, node: Node, section: str, name: str) -> tuple[str, str] | None:
    said = draft.spec.nodes[node.name]
    if section == "ageing":
        found = name in said.bridges
        return None if found else (f"{node.name} has no bridge {name!r}", suggest(name, said.bridges))
    if not node.has(name):
        right = f"a link that ends at {node.name}:{name}, or {suggest(name, (d.name for d in node.devices))}"
        return f"{node.name} has no interface {name!r}", right
    device = node[name]
    if section == "mac" and isinstance(device, Tunnel) and not device.ethernet:
        return f"{name} is a {device.noun} device and has no MAC", "no MAC here"
    entry = said.section(device.section).get(name) if device.section else None
    if section == "mtu" and isinstance(entry, EntrySpec) and entry.mtu:
        return f"the MTU of {name} is set here and at the device", "one of the two"
    return None


def check_bridges(draft: Draft) -> Iterator[Problem]:
    """Members of bridges exist, are Ethernet devices without addresses, and belong to one bridge."""
    for node in draft.fabric.nodes:
        said = draft.spec.nodes[node.name]
        owners: dict[str, str] = {}
        for bridge, members in said.bridges.items():
            for index, name in members.items():
                if (problem := _member(node, name, owners.get(name))) is not None:
                    yield Problem(draft.at("nodes", node.name, "bridges", bridge, index), *problem)
                owners.setdefault(name, bridge)
        for name in filter(owners.get, said.addresses):
            what = f"{name} has an address but is a member of {owners[name]}, which takes its frames"
            where = draft.key("nodes", node.name, "addresses", name)
            yield Problem(where, what, f"the address on {owners[name]}")


def _member(node: Node, name: str, owner: str | None) -> tuple[str, str] | None:
    if owner is not None:
        return f"{name!r} is a member of {owner} already", "each device in one bridge, once"
    if not node.has(name):
        others = (device.name for device in node.devices if device.ethernet and not isinstance(device, Bridge))
        return f"the bridge member {name!r} is no device of {node.name}", suggest(name, others)
    device = node[name]
    if isinstance(device, Bridge | Vrf):
        return f"the bridge member {name!r} is itself a {device.noun}", MEMBERS
    if not device.ethernet:
        what = f"a {device.noun} device, which carries no Ethernet frames"
        return f"the bridge member {name!r} is {what}", MEMBERS
    return None


def check_vrfs(draft: Draft) -> Iterator[Problem]:
    """A VRF is in a node whose daemon routes in it, has a table of its own, and members that are in nothing else."""
    for node in draft.fabric.nodes:
        tables: dict[int, str] = dict.fromkeys(RESERVED_TABLES, "the kernel")
        owners: dict[str, str] = {}
        for vrf in node.all(Vrf):
            if node.frr is None:
                what = f"{vrf.name} is a VRF, and no daemon routes in {node.name}"
                yield Problem(
                    vrf.where, what, "frr: PATH in the node, or no VRF: declared routes are of the main table"
                )
            if (owner := tables.setdefault(vrf.table, vrf.name)) != vrf.name:
                yield Problem(draft.of(vrf, "table"), f"the table {vrf.table} is that of {owner}", "one of its own")
            for index, name in enumerate(vrf.members):
                owner = bridge.name if (bridge := node.bridge_of(name)) else owners.setdefault(name, vrf.name)
                if not node.has(name) or isinstance(node[name], Vrf | Loopback):
                    right = suggest(name, (one.name for one in node.devices if not isinstance(one, Vrf | Loopback)))
                    what = f"the VRF's member {name!r} is no device of {node.name} that can be in one"
                    yield Problem(draft.of(vrf, "members", index), what, right)
                elif owner != vrf.name:
                    what = f"{name!r} is a member of {owner} already"
                    yield Problem(draft.of(vrf, "members", index), what, "each device in one bridge or VRF")


def check_vlans(draft: Draft) -> Iterator[Problem]:
    """A VLAN is on a port in no bridge, once, and the peer port, or a port beyond its bridge, has the VLAN too."""
    for device in draft.fabric.all(Subinterface):
        if (problem := _vlan(draft, draft.fabric[device.node], device)) is not None:
            key, what, right = problem
            yield Problem(draft.of(device, key), what, right)


def _vlan(draft: Draft, node: Node, device: Subinterface) -> tuple[str, str, str] | None:
    """Return the key, its fault and the right value."""
    port = node[device.link] if node.has(device.link) else None
    if not isinstance(port, Port):
        right = suggest(device.link, (found.name for found in node.all(Port)))
        return "dev", f"{device.link!r} is no port of {node.name}", right
    first, bridge = node.subinterface(device.link, device.vid), node.bridge_of(device.link)
    if first is not None and first is not device:
        what = f"{device.link} has the VLAN {device.vid} already, on line {first.where.line} (EEXIST)"
        return "id", what, "another VLAN"
    if bridge is not None:
        what = f"{device.link} is a member of {bridge.name}, which would take some of its frames, and has VLANs"
        return "dev", what, f"{device.name} in the bridge instead of it"
    if not draft.fabric.far_ends(device):
        there = draft.fabric[port.peer.node]
        known = ", ".join(str(found.vid) for found in there.subinterfaces(port.peer.interface)[:8]) or "none"
        beyond = ", nor beyond the bridge there" if there.bridge_of(port.peer.interface) else ""
        what = f"no device takes the VLAN {device.vid} of {port.ref} at {port.peer}{beyond}"
        return "id", what, f"a VLAN of both ends (there: {known})"
    return None
