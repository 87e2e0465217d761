"""Causes in OSPF: adjacencies that are not there, and BFD sessions beside them that are down. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from itertools import chain

from reports.evidence import Cause
from topology.control import ControlPlane
from topology.frr import BFD_SHUT_DOWN, BFD_UP, BfdPeer, typed
from topology.model import Fabric, Node, Port
from topology.refs import PortRef

INTERFACE = re.compile(r"^interface (\S+)((?:\n[ \t].*)*)", re.MULTILINE)
AREA, PASSIVE = re.compile(r"^\s+ip ospf area ", re.MULTILINE), re.compile(r"^\s+ip ospf passive", re.MULTILINE)
NETWORK = re.compile(r"^ network (\S+) area ", re.MULTILINE)
NOT_ON = re.compile(r"^ passive-interface (\S+)", re.MULTILINE)
WITHOUT = "none"
THERE = ("Full", "2-Way")
"""States of a neighbour for good: 2-Way of two routers on a shared link of which neither is the designated one (RFC
2328, section 10.4)."""


def ports_of(node: Node) -> set[str]:
    """Return the ports by which a node speaks OSPF, as its configuration says."""
    if node.frr is None or "ospfd" not in node.frr.daemons:
        return set()
    blocks = dict(INTERFACE.findall(node.frr.config))
    ports = [port for port in node.all(Port) if port.name not in node.vrfs]
    networks = [ip_network(one, strict=False) for one in NETWORK.findall(node.frr.config)]
    passive = {*NOT_ON.findall(node.frr.config), *(name for name, lines in blocks.items() if PASSIVE.search(lines))}
    asked = {name for name, lines in blocks.items() if AREA.search(lines)}
    asked |= {one.name for one in ports for its in one.addresses for network in networks if its.ip in network}
    return {one.name for one in ports} & asked - passive if "default" not in passive else set()


def ospf_causes(built: Fabric, planes: Mapping[str, ControlPlane]) -> Iterator[Cause]:
    """Yield the ends of links between routers that speak OSPF over them and are no neighbours, and the ends without BFD
    or with BFD down.

    Such an end explains surely if its router has no other neighbour; those come first.
    """
    speaks = {node.name: ports_of(node) for node in built.nodes if node.name in planes}
    found = list(chain(*(_of_link(planes, speaks, *ends) for ends in _ends(built, speaks))))
    yield from sorted(found, key=lambda cause: not cause.sure)


def is_other_side(cause: Cause) -> bool:
    """Return whether a cause is of a port that speaks no OSPF, which may be meant, unlike the other end's."""
    return (cause.kind, cause.live) == ("adjacency", WITHOUT)


def _ends(built: Fabric, speaks: Mapping[str, set[str]]) -> Iterator[tuple[PortRef, PortRef]]:
    """Yield the ends of links over which OSPF is spoken between two routers with ospfd, both ways."""
    for link in built.links:
        over_it = [end for end in link.ends if end.interface in speaks.get(end.node, ())]
        if over_it and all(speaks.get(end.node) for end in link.ends):
            yield link.ends
            yield link.ends[::-1]


def _of_link(
    planes: Mapping[str, ControlPlane], speaks: Mapping[str, set[str]], here: PortRef, there: PortRef
) -> Iterator[Cause]:
    """Yield what is wrong at one end."""
    plane, other = planes[here.node], planes[there.node]
    state = plane.adjacencies.get(here.interface, "no neighbour")
    alone = not any(one.startswith(THERE) for one in plane.adjacencies.values())
    if here.interface not in speaks[here.node]:
        show = f"show ip ospf interface {here.interface}"
        yield _cause("adjacency", here, f"OSPF, as {there} has", WITHOUT, show, alone)
    elif there.interface in speaks[there.node] and not state.startswith(THERE):
        words = _down(plane, here) and f": {_down(plane, here)}"
        yield _cause("adjacency", here, f"Full with {there}", f"{state}{words}", "show ip ospf neighbor", alone)
    mine, theirs = _peer(plane, here), _peer(other, there)
    if theirs is None or theirs.status in (BFD_UP, BFD_SHUT_DOWN):
        return
    if mine is None or mine.status == BFD_SHUT_DOWN:
        live = WITHOUT if mine is None else "shut down"
        yield _cause("bfd", here, f"BFD, as {there.node} has", live, "show bfd peers", alone)
    elif mine.status != BFD_UP:
        yield _cause("bfd", here, "BFD up", str(mine), "show bfd peers", alone)


def _down(plane: ControlPlane, at: PortRef) -> str:
    peer = _peer(plane, at)
    return "" if peer is None or peer.status == BFD_UP else str(peer)


def _peer(plane: ControlPlane, at: PortRef) -> BfdPeer | None:
    return next((one for one in plane.bfd if one.interface == at.interface), None)


def _cause(kind: str, at: PortRef, wanted: str, live: str, command: str, sure: bool) -> Cause:
    show = f"ip netns exec {at.node} {typed(at.node, command)}"
    return Cause(kind, at.node, at.interface, wanted, live, "", show, "daemons", sure=sure)
