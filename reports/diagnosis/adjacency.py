"""Causes in OSPF: adjacencies that are not there, and BFD sessions beside them that are down. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from itertools import chain

from reports.evidence import Cause
from topology.control import ControlPlane
from topology.frr import BFD_SHUT_DOWN, BFD_UP, INTERFACE, BfdPeer, typed
from topology.model import Fabric, Node, Port
from topology.refs import PortRef

AREA, PASSIVE = re.compile(r"^\s+ip ospf area ", re.MULTILINE), re.compile(r"^\s+ip ospf passive", re.MULTILINE)
NETWORK = re.compile(r"^ network (\S+) area ", re.MULTILINE)
NOT_ON = re.compile(r"^ passive-interface (\S+)", re.MULTILINE)
ON, ACTIVE = (
    re.compile(r"^ no passive-interface (\S+)", re.MULTILINE),
    re.compile(r"^\s+no ip ospf passive", re.MULTILINE),
)
WITHOUT = "none"
THERE = ("Full", "2-Way")
"""States of a neighbour for good: 2-Way of two routers on a shared link of which neither is the designated one (RFC
2328, section 10.4)."""


def ports_of(node: Node) -> Mapping[str, bool]:
    """Return the ports by which a node speaks OSPF, as its configuration says, and whether with BFD beside it."""
    if node.frr is None or "ospfd" not in node.frr.daemons:
        return {}
    blocks = dict(INTERFACE.findall(node.frr.config))
    ports = [port for port in node.all(Port) if port.name not in node.vrfs]
    networks = [ip_network(one, strict=False) for one in NETWORK.findall(node.frr.config)]
    passive = {*NOT_ON.findall(node.frr.config), *(name for name, lines in blocks.items() if PASSIVE.search(lines))}
    asked = {name for name, lines in blocks.items() if AREA.search(lines)}
    asked |= {one.name for one in ports for its in one.addresses for network in networks if its.ip in network}
    active = {*ON.findall(node.frr.config), *(name for name, lines in blocks.items() if ACTIVE.search(lines))}
    quiet = asked if "default" in passive else passive
    found = {one.name for one in ports} & (asked - (quiet - active))
    return {name: node.frr.has_ospf_bfd(name) for name in sorted(found)}


def ospf_causes(built: Fabric, planes: Mapping[str, ControlPlane], router: str = "") -> Iterator[Cause]:
    """Yield what is wrong at links of all routers, or of one, over which OSPF is spoken: ends without a neighbour, and
    ends without BFD, for lack of which the other end's neighbour may have gone.

    An end without a neighbour explains surely if its router has no other one; such causes come first.
    """
    links = Links({node.name: ports_of(node) for node in built.nodes if node.name in planes}, planes)
    ends = ((link.ends, link.ends[::-1]) for link in built.links if router in ("", *(end.node for end in link.ends)))
    found = [cause for way in chain(*ends) if links.carry(*way) for cause in links.wrong_at(*way)]
    yield from sorted(found, key=lambda cause: not cause.sure)


def is_other_side(cause: Cause) -> bool:
    """Return whether a cause is of a port that speaks no OSPF, which may be meant, unlike the other end's."""
    return (cause.kind, cause.live) == ("adjacency", WITHOUT)


@dataclass(frozen=True)
class Links:
    """The ports by which routers speak OSPF, with BFD or without, and what their daemons say."""

    speaks: Mapping[str, Mapping[str, bool]]
    planes: Mapping[str, ControlPlane]

    def carry(self, *ends: PortRef) -> bool:
        """Return whether OSPF is spoken from an end at least, by two routers that speak it."""
        return all(self.speaks.get(end.node) for end in ends) and any(e.interface in self.speaks[e.node] for e in ends)

    def wrong_at(self, here: PortRef, there: PortRef) -> Iterator[Cause]:
        """Yield what is wrong at one end."""
        states = self.planes[here.node].adjacencies
        alone = not any(state.startswith(THERE) for state in states.values())
        if here.interface not in self.speaks[here.node]:
            command = f"show ip ospf interface {here.interface}"
            yield _cause("adjacency", here, f"OSPF, as {there} has", WITHOUT, command, False)
        elif there.interface not in self.speaks[there.node] or self._lacks_bfd(there, here):
            return
        elif not self._is_neighbour(here):
            live = states.get(here.interface, "no neighbour")
            yield _cause("adjacency", here, f"Full with {there}", live, "show ip ospf neighbor", alone)
        elif self._lacks_bfd(here, there):
            live = "shut down" if self._peer(here) else WITHOUT
            sure = not self._is_neighbour(there)
            yield _cause("bfd", here, f"BFD, as {there.node} has", live, "show bfd peers", sure)
        elif (mine := self._peer(here)) is not None and mine.status not in (BFD_UP, BFD_SHUT_DOWN):
            yield _cause("bfd", here, "BFD up", str(mine), "show bfd peers", False)

    def _is_neighbour(self, at: PortRef) -> bool:
        return self.planes[at.node].adjacencies.get(at.interface, "").startswith(THERE)

    def _peer(self, at: PortRef) -> BfdPeer | None:
        return next((one for one in self.planes[at.node].bfd if one.interface == at.interface), None)

    def _lacks_bfd(self, here: PortRef, there: PortRef) -> bool:
        """Return whether an end has a neighbour and no BFD, which the other end has, or is to have once it has a
        neighbour again."""
        mine, theirs = self._peer(here), self._peer(there)
        wanted = self.speaks[there.node].get(there.interface) if theirs is None else theirs.status == "down"
        return self._is_neighbour(here) and bool(wanted) and (mine is None or mine.status == BFD_SHUT_DOWN)


def _cause(kind: str, at: PortRef, wanted: str, live: str, command: str, sure: bool) -> Cause:
    show = f"ip netns exec {at.node} {typed(at.node, command)}"
    return Cause(kind, at.node, at.interface, wanted, live, "", show, "daemons", sure=sure)
