"""Nodes of the reference lab as declared, and changed in one thing."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network

from tests.self.builders import reference
from topology.state import Entry, LinkState, NodeState, RouteState, declared_state

SWITCH, LEAF = declared_state(reference()["con_ns1"]), declared_state(reference()["lc1"])
SPINE = declared_state(reference()["sc2"])


def links(state: NodeState, name: str, **changes: object) -> NodeState:
    """A node's state with one link changed."""
    return replace(state, links={**state.links, name: replace(state.links[name], **changes)})  # type: ignore[arg-type]


def parameter(state: NodeState, name: str, **changes: str) -> NodeState:
    """A node's state with a tunnel's parameters changed."""
    merged = {**dict(state.links[name].parameters), **changes}
    return links(state, name, parameters=tuple(sorted(merged.items())))


def without(state: NodeState, name: str) -> NodeState:
    return replace(state, links={key: link for key, link in state.links.items() if key != name})


def with_link(state: NodeState, link: LinkState) -> NodeState:
    return replace(state, links={**state.links, link.name: link})


def address(state: NodeState, *, gone: str = "", come: str = "", device: str = "lc1_sc2") -> NodeState:
    kept = {(name, interface) for name, interface in state.addresses if str(interface) != gone}
    return replace(state, addresses=frozenset(kept | ({(device, ip_interface(come))} if come else set())))


def route(prefix: str, via: str | None, dev: str | None) -> RouteState:
    return RouteState(ip_network(prefix), ip_address(via) if via else None, dev)


def routes(state: NodeState, *, gone: str = "", come: RouteState | None = None) -> NodeState:
    kept = {known for known in state.routes if str(known) != gone}
    return replace(state, routes=frozenset(kept | ({come} if come else set())))


def entry(state: NodeState, *, gone: str = "", come: Entry | None = None) -> NodeState:
    kept = {known for known in state.entries if known.words != gone}
    return replace(state, entries=frozenset(kept | ({come} if come else set())))


def sysctl(state: NodeState, **changes: str) -> NodeState:
    """A node's state with sysctls changed, their dots written as ``__``."""
    return replace(state, sysctls={**state.sysctls, **{key.replace("__", "."): v for key, v in changes.items()}})
