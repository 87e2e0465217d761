"""Where declared and live state of a node differ, most fundamental first, each with the command that mends it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from reports.evidence import Cause
from topology.state import LinkState, NodeState, RouteState

MISSING = "missing"
T = TypeVar("T")


def differences(declared: NodeState, live: NodeState) -> tuple[Cause, ...]:
    """Every difference of one node: links, then tunnel parameters, then addresses, then routes."""
    return (*_links(declared, live), *_addresses(declared, live), *_routes(declared, live))


def find_cause(
    declared: Mapping[str, NodeState], live: Mapping[str, NodeState], suspects: Sequence[str]
) -> Cause | None:
    """The first difference at the first suspect that has one; nodes that nobody suspects come last."""
    for node in dict.fromkeys([*suspects, *declared]):
        if node in declared and node in live:
            for cause in differences(declared[node], live[node]):
                return cause
    return None


def _links(declared: NodeState, live: NodeState) -> Iterator[Cause]:
    node = declared.node
    for name, wanted in declared.links.items():
        seen = live.links.get(name)
        if seen is None:
            yield Cause("link", node, name, f"a {wanted.kind}", MISSING, f"ip -n {node} link add name {name} …")
            continue
        yield from _link(node, wanted, seen)
    for name in sorted(live.links.keys() - declared.links.keys()):
        seen = live.links[name]
        yield Cause("link", node, name, "nothing", f"a {seen.kind}", f"ip -n {node} link del dev {name}")


def _link(node: str, wanted: LinkState, seen: LinkState) -> Iterator[Cause]:
    name, ip = wanted.name, f"ip -n {node} link set dev {wanted.name}"
    if wanted.kind != seen.kind:
        yield Cause(
            "link",
            node,
            name,
            wanted.kind,
            seen.kind,
            f"ip -n {node} link del dev {name}; add it as {wanted.kind}",
        )
    if wanted.up != seen.up:
        yield Cause("link", node, name, _up(wanted.up), _up(seen.up), f"{ip} {_up(wanted.up)}")
    if wanted.master != seen.master:
        mend = f"{ip} master {wanted.master}" if wanted.master else f"{ip} nomaster"
        yield Cause("bridge", node, name, wanted.master or "no bridge", seen.master or "no bridge", mend)
    yield from _parameters(node, wanted, seen)
    if wanted.mtu is not None and wanted.mtu != seen.mtu:
        yield Cause("mtu", node, name, str(wanted.mtu), str(seen.mtu), f"{ip} mtu {wanted.mtu}")
    if wanted.mac is not None and wanted.mac != seen.mac:
        yield Cause("mac", node, name, wanted.mac, str(seen.mac), f"{ip} address {wanted.mac}")


def _parameters(node: str, wanted: LinkState, seen: LinkState) -> Iterator[Cause]:
    live = dict(seen.parameters)
    for key, value in wanted.parameters:
        if live.get(key) != value:
            mend = f"ip -n {node} link del dev {wanted.name}; add it with {key} {value}"
            yield Cause(wanted.kind, node, wanted.name, f"{key} {value}", f"{key} {live.get(key, MISSING)}", mend)


def _addresses(declared: NodeState, live: NodeState) -> Iterator[Cause]:
    node = declared.node
    for device, interface in _in_order(declared.addresses - live.addresses):
        mend = f"ip -n {node} addr add {interface} dev {device}"
        yield Cause("address", node, device, str(interface), MISSING, mend)
    for device, interface in _in_order(live.addresses - declared.addresses):
        mend = f"ip -n {node} addr del {interface} dev {device}"
        yield Cause("address", node, device, "nothing", str(interface), mend)


def _routes(declared: NodeState, live: NodeState) -> Iterator[Cause]:
    node = declared.node
    extra = _in_order(live.routes - declared.routes)
    for route in _in_order(declared.routes - live.routes):
        instead = next((other for other in extra if other.prefix == route.prefix), None)
        if instead is not None:
            extra.remove(instead)
        mend = f"{_ip(node, route)} route replace {route.whole or route}"
        yield Cause("route", node, route.dev, str(route), str(instead or MISSING), mend)
    for route in extra:
        yield Cause("route", node, route.dev, "nothing", str(route), f"{_ip(node, route)} route del {route}")


def _ip(node: str, route: RouteState) -> str:
    """The command up to its object: ``default`` alone does not say which version is meant."""
    return f"ip -n {node}{' -6' if route.prefix.version == 6 else ''}"


def _in_order(items: Iterable[T]) -> list[T]:
    return sorted(items, key=str)


def _up(is_up: bool) -> str:
    return "up" if is_up else "down"
