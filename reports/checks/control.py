"""Judge the control plane: sessions, EVPN's routes for every host and VTEP and none more, and what kernels make of it.

Intent says which hosts and VTEPs are in a segment; the lab's wiring says behind which VTEP a host is. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import permutations

from reports.checks import Check, Subject
from reports.checks.domains import listed
from reports.diagnosis.control import session_causes, vni_causes
from reports.evidence import Finding
from topology.control import FLOODING, MACS, ControlPlane, EvpnRoute, Hop
from topology.links.base import FLOOD_MAC
from topology.model import Fabric, Vxlan
from topology.promises import Segment
from topology.state import NodeState


def _nodes(lab: Fabric, of_bgp: bool = False) -> list[str]:
    """Return the nodes with FRR, or those of them that speak BGP."""
    nodes = lab.built.nodes if lab.built is not None else ()
    return [node.name for node in nodes if node.frr and (node.frr.speaks_bgp or not of_bgp)]


def _segments(lab: Fabric) -> list[Segment]:
    """Return the segments of a VNI whose VXLAN devices leave their remotes to EVPN."""
    return [segment for segment in lab.segments if lab.built is not None and [*_ends(lab.built, segment)]]


def _ends(built: Fabric, segment: Segment) -> Iterator[Vxlan]:
    return (vxlan for vxlan in built.all(Vxlan) if vxlan.by_daemon and vxlan.vni == segment.within.vni)


SUBJECTS = {
    "router": Subject("no node with FRR that speaks BGP", partial(_nodes, of_bgp=True)),
    "evpn_segment": Subject("no segment by EVPN", _segments),
}


@dataclass(frozen=True)
class Spoken:
    """What a node's daemons believe, and the state of its kernel beside it."""

    plane: ControlPlane
    state: NodeState


def judge_sessions(_: Fabric, spoken: Sequence[Spoken], router: str) -> Finding:
    """Return whether every configured session is established; a router of BGP's without any says nothing to anybody."""
    if not spoken[0].plane.sessions:
        return Finding(False, f"{router} - BGP - expected a session with each neighbour of its frr.conf - seen none")
    down = [str(one) for one in spoken[0].plane.sessions if not one.is_up]
    words = f"{router} - BGP - expected every session Established - seen {listed(down, '; ')}"
    if not down:
        return Finding(True, f"{router} - {len(spoken[0].plane.sessions)} sessions Established")
    return Finding(False, words, tuple(session_causes([spoken[0].plane])))


def routes_of(built: Fabric, segment: Segment) -> tuple[frozenset[EvpnRoute], frozenset[EvpnRoute]]:
    """Return the routes that a VNI needs, and all that it may have.

    Each VTEP takes part; each host's MAC, and any other device's in the same Layer 2 segment, is behind its VTEP.
    """
    needed, legal = set[EvpnRoute](), set[EvpnRoute]()
    hosts = {built[host].addresses[built[host].address].ref for host in segment.hosts}
    for vxlan in _ends(built, segment):
        needed.add(EvpnRoute(FLOODING, "", str(vxlan.local)))
        bridge = built[vxlan.node].bridge_of(vxlan.name)
        for device in built.segment(bridge) if bridge is not None else ():
            route = EvpnRoute(MACS, str(device.mac), str(vxlan.local))
            legal.add(route)
            needed |= {route} if device.ref in hosts else set()
    return frozenset(needed), frozenset(needed | legal)


def judge_evpn(lab: Fabric, spoken: Sequence[Spoken], segment: Segment) -> Finding:
    """Return whether each VTEP of a segment has the routes that are needed, and none that may not be."""
    assert lab.built is not None
    needed, legal = routes_of(lab.built, segment)
    ends, vni = [*_ends(lab.built, segment)], segment.within.vni or 0
    planes = {one.plane.node: one.plane for one in spoken}
    wrong = list[str]()
    for end in ends:
        seen = planes[end.node].evpn.get(vni, frozenset())
        wrong += _unlike(f"{end.node} - VNI {vni}", "EVPN", needed, seen - (legal - needed))
    if not wrong:
        return Finding(True, f"{segment} - {len(needed)} routes at each VTEP")
    causes = [cause for near, far in permutations(ends, 2) for cause in vni_causes(planes, near, far)]
    return Finding(False, listed(wrong, "; "), tuple(dict.fromkeys(causes)))


def _unlike(where: str, what: str, wanted: Iterable[object], seen: Iterable[object]) -> Iterator[str]:
    """Yield what is missing, and what is too much."""
    right, there = {*map(str, wanted)}, {*map(str, seen)}
    yield from (f"{where} - {what} - expected {one} - seen nothing of it" for one in sorted(right - there))
    yield from (f"{where} - {what} - expected nothing more - seen {one}" for one in sorted(there - right))


def judge_forwarded(lab: Fabric, spoken: Sequence[Spoken], router: str) -> Finding:
    """Return whether the kernel forwards as BGP says: by its IPv4 routes, and to its VTEPs."""
    ((plane, state),) = ((one.plane, one.state) for one in spoken)
    own = (one for one in state.routes if one.owner == "bgp" and one.prefix.version == 4)
    routes = {Hop(str(one.prefix), str(one.via), str(one.dev)) for one in own}
    wrong = [*_unlike(router, "kernel's routes", map(_hop, plane.installed), map(_hop, routes))]
    assert lab.built is not None
    for vxlan in (vxlan for vxlan in lab.built[router].all(Vxlan) if vxlan.by_daemon):
        far = [route for route in plane.evpn.get(vxlan.vni, ()) if route.vtep != str(vxlan.local)]
        wanted = {f"{route.mac or FLOOD_MAC} dst {route.vtep}" for route in far}
        words = (one.words.split() for one in state.entries if one.tool == "bridge fdb" and one.device == vxlan.name)
        seen = {f"{one[0]} dst {one[one.index('dst') + 1]}" for one in words if "dst" in one}
        wrong += _unlike(f"{router}:{vxlan.name}", "kernel's entries", wanted, seen)
    return Finding(not wrong, listed(wrong, "; ") if wrong else f"{router} - {len(routes)} routes as BGP says")


def _hop(hop: Hop) -> str:
    prefix = "default" if hop.prefix.endswith("/0") else hop.prefix
    return f"{prefix} via {hop.via} dev {hop.dev}"


OF_OURS = "daemons of an adopted fabric are not asked"
SESSIONS = Check("daemons", lambda _, router: [router], judge_sessions, ("router",), sends="", of_ours=OF_OURS)
EVPN = Check("daemons", lambda lab, _: _nodes(lab), judge_evpn, ("evpn_segment",), sends="", of_ours=OF_OURS)
FORWARDED = Check("daemons", lambda _, router: [router], judge_forwarded, ("router",), sends="", of_ours=OF_OURS)
