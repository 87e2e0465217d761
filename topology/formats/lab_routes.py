"""Checks of routes, and of the ends of pairs and spreads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from topology.errors import Position, Problem
from topology.formats.lab_draft import Draft
from topology.formats.lab_schema import PairSpec, SpreadSpec
from topology.formats.lab_values import suggest
from topology.model import Network, NextHop, Node, Route
from topology.refs import is_of_link


def check_prefixes(draft: Draft) -> Iterator[Problem]:
    """A node has one route to a prefix, and none to a subnet that it is on: the kernel answers EEXIST."""
    for node in draft.fabric.nodes:
        taken: dict[Network, str] = {}
        for device in node.devices:
            for interface in device.addresses:
                taken.setdefault(interface.network, f"is the subnet of {device.name}")
        for route in node.routes:
            if route.prefix in taken:
                what = f"the prefix of '{route}' {taken[route.prefix]} already"
                yield Problem(route.where, what, "one route to each prefix")
            taken.setdefault(route.prefix, f"has a route on line {route.where.line}")


def check_next_hops(draft: Draft) -> Iterator[Problem]:
    """A gateway is on a subnet of the node, and on the device that the route names."""
    for node in draft.fabric.nodes:
        for route in node.routes:
            for hop in route.next_hops:
                yield from _next_hop(node, route, hop)


def _next_hop(node: Node, route: Route, hop: NextHop) -> Iterator[Problem]:
    via, dev = hop.via, hop.dev
    if dev is not None and not node.has(dev):
        right = suggest(dev, (device.name for device in node.devices))
        yield Problem(route.where, f"the route's dev {dev!r} is no device of {node.name}", right)
        return
    if via is None or hop.onlink or (is_of_link(via) and dev is not None):
        return
    subnets = [(i.network, device.name) for device in node.devices for i in device.addresses]
    ways = [name for subnet, name in subnets if via.version == subnet.version and via in subnet]
    if via in node.addresses:
        yield Problem(route.where, f"the gateway {via} is {node.name} itself", "a neighbour's address")
    elif not ways:
        near = ", ".join(sorted({str(subnet) for subnet, _ in subnets})[:8]) or "none, for it has no address"
        what = f"the gateway {via} is on no subnet of {node.name}"
        yield Problem(route.where, what, f"an address in one of its subnets: {near}")
    elif dev is not None and dev not in ways:
        what = f"the gateway {via} is reached by {ways[0]}, not by {dev}"
        yield Problem(route.where, what, f"dev {ways[0]}")


def _between(draft: Draft, section: str) -> Mapping[int, PairSpec] | Mapping[int, SpreadSpec]:
    return draft.spec.pairs if section == "pairs" else draft.spec.spreads


def check_ends(draft: Draft, section: str) -> Iterator[Problem]:
    """Each entry of ``pairs`` or ``spreads`` is between two declared nodes; a pair is promised once."""
    names = [node.name for node in draft.fabric.nodes]
    known, first = set(names), dict[tuple[str, str], Position]()
    for index, said in _between(draft, section).items():
        for end, name in (("source", said.source), ("target", said.target)):
            if name not in known:
                yield Problem(draft.at(section, index, end), f"unknown node {name!r}", suggest(name, names))
        if said.source == said.target:
            yield Problem(draft.at(section, index, "target"), f"{said.source} is paired with itself", "two nodes")
        where = draft.at(section, index)
        earlier = first.setdefault((said.source, said.target), where)
        if earlier is not where and section == "pairs":
            what = f"the pair {said.source}, {said.target} is already on line {earlier.line}"
            yield Problem(where, what, "each pair once, with one kind")


def check_addresses(draft: Draft, section: str) -> Iterator[Problem]:
    """Both nodes of each entry of ``pairs`` or ``spreads`` have an address to send from and to."""
    silent = {node.name for node in draft.fabric.nodes if not node.addresses}
    for index, said in _between(draft, section).items():
        for end, name in (("source", said.source), ("target", said.target)):
            if name in silent:
                what = f"{name} has no address, so nothing can be sent to or from it"
                yield Problem(draft.at(section, index, end), what, f"an entry in {name}'s addresses")
