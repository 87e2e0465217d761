"""Checks of routes, and of the names in pairs."""

from __future__ import annotations

from collections.abc import Iterator

from topology.errors import Position, Problem
from topology.formats.lab_draft import Draft
from topology.formats.lab_values import suggest
from topology.model import Network, NextHop, Node, Route


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
                yield Problem(route.where, what, "one way to each prefix")
            taken.setdefault(route.prefix, f"has a route on line {route.where.line}")


def check_next_hops(draft: Draft) -> Iterator[Problem]:
    """A gateway is on a subnet of the node, and on the device that the route names."""
    for node in draft.fabric.nodes:
        for route, hop in [(one, hop) for one in node.routes for hop in one.next_hops]:
            if hop.dev is not None and not node.has(hop.dev):
                right = suggest(hop.dev, (device.name for device in node.devices))
                yield Problem(route.where, f"the route's dev {hop.dev!r} is no device of {node.name}", right)
            elif hop.via is not None:
                yield from _gateway(node, route, hop)


def _gateway(node: Node, route: Route, hop: NextHop) -> Iterator[Problem]:
    via = hop.via
    if via is None or hop.onlink or (via.version == 6 and via.is_link_local and hop.dev is not None):
        return
    if via in node.addresses:
        yield Problem(route.where, f"the gateway {via} is {node.name} itself", "a neighbour's address")
        return
    subnets = [(i.network, device.name) for device in node.devices for i in device.addresses]
    ways = [name for subnet, name in subnets if via.version == subnet.version and via in subnet]
    if not ways:
        what = f"the gateway {via} is on no subnet of {node.name}"
        near = ", ".join(sorted({str(subnet) for subnet, _ in subnets})[:8]) or "none, for it has no address"
        yield Problem(route.where, what, f"an address in one of its subnets: {near}")
    elif hop.dev is not None and hop.dev not in ways:
        what = f"the gateway {via} is reached by {ways[0]}, not by {hop.dev}"
        yield Problem(route.where, what, f"dev {ways[0]}")


def check_pair_names(draft: Draft) -> Iterator[Problem]:
    """A pair is two declared nodes, and is promised once."""
    first: dict[tuple[str, str], Position] = {}
    for index, pair in draft.spec.pairs.items():
        for end, name in (("source", pair.source), ("target", pair.target)):
            if name not in draft.spec.nodes:
                where = draft.at("pairs", index, end)
                yield Problem(where, f"unknown node {name!r}", suggest(name, draft.spec.nodes))
        if pair.source == pair.target:
            where = draft.at("pairs", index, "target")
            yield Problem(where, f"{pair.source} is paired with itself", "two nodes")
        where = draft.at("pairs", index)
        earlier = first.setdefault((pair.source, pair.target), where)
        if earlier is not where:
            what = f"the pair {pair.source}, {pair.target} stands on line {earlier.line} already"
            yield Problem(where, what, "each pair once, with one kind")


def check_spreads(draft: Draft) -> Iterator[Problem]:
    """A spread is between two declared nodes that have addresses."""
    for index, spread in draft.spec.spreads.items():
        for end, name in (("source", spread.source), ("target", spread.target)):
            where = draft.at("spreads", index, end)
            if name not in draft.spec.nodes:
                yield Problem(where, f"unknown node {name!r}", suggest(name, draft.spec.nodes))
            elif not draft.fabric[name].addresses:
                yield Problem(where, f"{name} has no address", f"an entry in {name}'s addresses")
        if spread.source == spread.target:
            where = draft.at("spreads", index, "target")
            yield Problem(where, f"{spread.source} is spread towards itself", "two nodes")


def check_pair_addresses(draft: Draft) -> Iterator[Problem]:
    """Both nodes of a pair have an address to send from and to."""
    for index, pair in draft.spec.pairs.items():
        for end, name in (("source", pair.source), ("target", pair.target)):
            if name in draft.spec.nodes and not draft.fabric[name].addresses:
                what = f"{name} has no address, so nothing can be sent to or from it"
                yield Problem(draft.at("pairs", index, end), what, f"an entry in {name}'s addresses")
