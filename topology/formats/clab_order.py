"""The order of a containerlab node's exec lines, which a lab file does not have.

The kernel takes no route whose way is not there yet, and drops those of a device that is set down or loses its last
address: such lines are refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from ipaddress import ip_address

from topology.errors import Position
from topology.formats.clab_machine import Machine, interfaces_of
from topology.formats.lab_checks import MAX_PROBLEMS
from topology.formats.lab_values import shown
from topology.formats.yaml_positions import Scalar
from topology.model import LOOPBACK, Network


def strand(machine: Machine, routes: Iterable[Scalar], where: Position) -> None:
    """Remember which of these routes the kernel does not take, or drops, at this line: their way is not there now."""
    for route in routes:
        if len(machine.stranded) < MAX_PROBLEMS and not _is_borne(machine, route.text):
            machine.stranded.setdefault(route, where)


def strand_all(machine: Machine, where: Position) -> None:
    """The same for every route of the node, where a line takes an address or a device away."""
    strand(machine, [route for routes in machine.offered.values() for route in routes], where)


def set_down(machine: Machine, name: str, where: Position) -> None:
    """Set a device down: the kernel drops its routes, and its IPv6 addresses (addrconf_ifdown, net/ipv6/addrconf.c)."""
    texts = machine.addresses.get(name, {}) if name not in machine.down else {}
    for text in [text for text in texts if ":" in text]:
        del texts[text]
        machine.findings.note(where, f"the kernel drops {text} of {name} with this line", "it is dropped here too")
    machine.down[name] = where
    strand_all(machine, where)


def check_routes(machine: Machine) -> None:
    """Refuse the routes that have a way only at the end of the file; what never has one the lab's checks refuse."""
    kept = {route for routes in machine.offered.values() for route in routes}
    for route, where in machine.stranded.items():
        if route not in kept or not _is_borne(machine, route.text):
            continue
        if where == route.where:
            what = f"the route {shown(route.text)} comes before its device is up with an address beside the gateway"
            machine.findings.refuse(where, what, "the lines that see to that in front of this one")
        else:
            what = f"the kernel drops the route {shown(route.text)}, line {route.where.line}, with this line"
            machine.findings.refuse(where, what, "the line that makes the route behind this one")


def _is_borne(machine: Machine, route: str) -> bool:
    """Whether a device that is up leads to each next hop of a route (fib_check_nh, ip6_route_check_nh)."""
    up = {*machine.ports, *machine.made, LOOPBACK} - {*machine.down}
    subnets = [near.network for name in up for near in interfaces_of(machine.addresses.get(name, ()))]
    ways = (way.split() for way in route.partition(" ")[2].split("nexthop "))
    return all(_is_way(way, up | machine.lost, subnets) for way in ways)


def _is_way(words: Sequence[str], up: Collection[str], subnets: Iterable[Network]) -> bool:
    """Whether a next hop's device is up, and its gateway in one of the subnets that are there."""
    said = dict(zip(words, [*words[1:], ""], strict=False))
    if "dev" in said and said["dev"] not in up:
        return False
    try:
        gateway = ip_address(said["via"]) if "via" in said and "onlink" not in said else None
    except ValueError:
        return True
    return gateway is None or gateway.is_link_local or any(gateway in net for net in subnets)
