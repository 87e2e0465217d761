"""Changes of a node's live state, and the reference lab with some."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network

from tests.self.builders import reference
from tests.self.dataplane.test_endings import Change, both, link, said
from topology.dataplane.live import live_fabric
from topology.model import Fabric
from topology.state import NodeState, RouteState, declared_state


def port(name: str, *settings: tuple[str, str]) -> Change:
    """Give a bridge's port other settings."""
    return link(name, port=settings)


def shown(tool: str, device: str, words: str) -> Change:
    """Add an entry of a device."""
    return lambda state: replace(state, entries=state.entries | {said(tool, device, words)})


def addressed(device: str, *addresses: str) -> Change:
    """Give a device other addresses, without the routes that they bring."""

    def change(state: NodeState) -> NodeState:
        kept = {(name, one) for name, one in state.addresses if name != device}
        return replace(state, addresses=frozenset(kept | {(device, ip_interface(one)) for one in addresses}))

    return change


def routed(*words: str) -> Change:
    """Give a node other routes to some prefixes, as ``PREFIX via ADDRESS dev DEVICE``; no device, no route."""
    parts = [
        dict(zip(("to", *line.split()[1::2]), (line.split()[0], *line.split()[2::2]), strict=True)) for line in words
    ]
    new = {
        RouteState(
            ip_network(one["to"]),
            ip_address(one["via"]) if "via" in one else None,
            one["dev"],
            encap=one.get("encap", ""),
        )
        for one in parts
        if "dev" in one
    }
    gone = {ip_network(one["to"]) for one in parts}
    return lambda state: replace(state, routes=frozenset({r for r in state.routes if r.prefix not in gone} | new))


def bare(state: NodeState) -> NodeState:
    """Take all devices from a node."""
    return replace(state, links={}, addresses=frozenset(), routes=frozenset(), entries=frozenset())


def gone(device: str) -> Change:
    """Take a device away, with its addresses and routes."""
    return lambda state: replace(
        routed_by(device)(state), links={name: link for name, link in state.links.items() if name != device}
    )


def routed_by(device: str) -> Change:
    """Take the addresses and routes of a device."""

    def change(state: NodeState) -> NodeState:
        kept = frozenset(one for one in state.addresses if one[0] != device)
        return replace(state, addresses=kept, routes=frozenset(one for one in state.routes if one.dev != device))

    return change


def moved(port: str, bridge: str, new: str) -> Change:
    """Give a port another bridge, which is like its own."""

    def change(state: NodeState) -> NodeState:
        made = {**state.links, new: replace(state.links[bridge], name=new)}
        return link(port, master=new)(replace(state, links=made))

    return change


def filtering(*vlans: tuple[str, str]) -> Change:
    """Have a bridge filter, its ports in these VLANs."""
    entries = [shown("bridge vlan", name, f"dev {name} vid {words}") for name, words in vlans]
    return both(sifting("bridge1"), *entries)


def sifting(bridge: str, *ports: str) -> Change:
    """Have a bridge filter, some ports in VLAN 1."""
    entries = [shown("bridge vlan", name, f"dev {name} vid 1 pvid untagged") for name in ports]
    return both(link(bridge, parameters={"vlan_filtering": "on"}), *entries)


def changed(changes: Mapping[str, Change]) -> Fabric:
    """The reference lab's live state with some nodes changed."""
    lab = reference()
    states = {node.name: declared_state(node, False, lab.routing) for node in lab.nodes}
    states |= {name: change(states[name]) for name, change in changes.items()}
    links = [link for link in lab.links if all(end.interface in states[end.node].links for end in link.ends)]
    return live_fabric("live", states, links)
