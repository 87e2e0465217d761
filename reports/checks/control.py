"""Judge the control plane: sessions, EVPN's routes for every host and VTEP and none more, and what kernels make of it.

Intent says which hosts and VTEPs are in a segment; the lab's wiring says behind which VTEP a host is. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from itertools import permutations
from typing import Any

from reports.checks import Check, Subject
from reports.checks.domains import listed
from reports.checks.seen import SeenTrip
from reports.diagnosis.adjacency import is_other_side, ospf_causes
from reports.diagnosis.control import bfd_causes, next_hop_causes, router_id_causes, session_causes, vni_causes
from reports.evidence import Cause, Finding, Journey
from topology.control import FLOODING, MACS, PREFIXES, ControlPlane, EvpnRoute, Hop
from topology.links.base import FLOOD_MAC
from topology.model import Bridge, Fabric, Vxlan
from topology.promises import Pair, Segment
from topology.state import NodeState, RouteState


def _nodes(lab: Fabric, of_bgp: bool = False) -> list[str]:
    """Return the nodes with FRR, or those of them that speak BGP."""
    nodes = lab.built.nodes if lab.built is not None else ()
    return [node.name for node in nodes if node.frr and (node.frr.speaks_bgp or not of_bgp)]


def _segments(lab: Fabric) -> list[Segment]:
    """Return the segments of a VNI whose VXLAN devices leave their remotes to EVPN."""
    return [segment for segment in lab.segments if lab.built is not None and [*_ends(lab.built, segment)]]


def _ends(built: Fabric, segment: Segment) -> Iterator[Vxlan]:
    """Yield the VTEPs of a segment at Layer 2."""
    found = (vxlan for vxlan in built.all(Vxlan) if vxlan.by_daemon and vxlan.vni == segment.within.vni)
    return (vxlan for vxlan in found if segment.kind == "l2-overlay")


def _vrf_ends(built: Fabric) -> Iterator[tuple[Vxlan, Bridge]]:
    """Yield the VXLAN devices of VRFs, each with its bridge, whose MAC is the router's there."""
    for vxlan in built.all(Vxlan):
        frr, bridge = built[vxlan.node].frr, built[vxlan.node].bridge_of(vxlan.name)
        if frr is not None and bridge is not None and vxlan.vni in frr.vrf_vnis.values():
            yield vxlan, bridge


def _vrf_routers(lab: Fabric) -> list[str]:
    return [*dict.fromkeys(vxlan.node for vxlan, _ in _vrf_ends(lab.built))] if lab.built is not None else []


def _routed_pairs(lab: Fabric) -> list[Pair]:
    """Return the pairs whose packets a VRF's VNI carries."""
    vnis = {vxlan.vni for vxlan, _ in _vrf_ends(lab.built)} if lab.built is not None else set()
    return [pair for pair in lab.pairs if pair.kind == "l3-overlay" and pair.within.vni in vnis]


SUBJECTS = {
    "routed_pair": Subject("no pair over the VNI of a VRF", _routed_pairs),
    "vrf_router": Subject("no VRF with a VNI", _vrf_routers),
    "router": Subject("no node with FRR that speaks BGP", partial(_nodes, of_bgp=True)),
    "evpn_segment": Subject("no segment by EVPN", _segments),
}


@dataclass(frozen=True)
class Spoken:
    """The state of a node's daemons, and that of its kernel."""

    plane: ControlPlane
    state: NodeState


def judge_sessions(lab: Fabric, spoken: Sequence[Spoken], router: str) -> Finding:
    """Return whether every configured session is established, with BFD where it is to have it, whether OSPF has its
    neighbours and BFD likewise, and whether the router has a router ID of its own; a BGP router without any session
    advertises nothing."""
    assert lab.built is not None
    plane, built = next(one.plane for one in spoken if one.plane.node == router), lab.built
    if not plane.sessions:
        return Finding(False, f"{router} - BGP - expected a session with each neighbour of its frr.conf - seen none")
    planes = {one.plane.node: one.plane for one in spoken}
    alike = [c for c in router_id_causes(built, planes.values()) if c.node == router]
    down = [str(one) for one in plane.sessions if not one.is_up]
    wrong = [f"{router} - BGP - expected every session Established - seen {listed(down, '; ')}"] if down else []
    without = [f"{one.bfd} with {one.neighbour}" for one in plane.sessions if one.is_up and not one.has_bfd]
    words = f"{router} - BFD - expected Up beside each established session - seen {listed(without)}"
    wrong += [words] if without else []
    wrong += [f"{router} - BGP - expected {one.declared} - seen {one.live}" for one in alike]
    ospf = [one for one in ospf_causes(built, planes, router) if not is_other_side(one)]
    wrong += [f"{one.node} - OSPF - {one.interface} - expected {one.declared} - seen {one.live}" for one in ospf]
    if not wrong:
        return Finding(True, f"{router} - {len(plane.sessions)} sessions Established")
    causes = (*ospf, *session_causes(built, planes, router), *bfd_causes(built, planes, router), *alike)
    return Finding(False, "; ".join(wrong), causes)


def routes_of(built: Fabric, segment: Segment) -> tuple[frozenset[EvpnRoute], frozenset[EvpnRoute]]:
    """Return the routes that a VNI needs, and all that it may have.

    Each VTEP takes part; each host's MAC, and any other device's in the same Layer 2 segment, is behind its VTEP. A
    gateway's may be told, too (advertise-svi-ip).
    """
    needed, legal = set[EvpnRoute](), set[EvpnRoute]()
    hosts = {built[host].addresses[built[host].address].ref for host in segment.hosts}
    for vxlan in _ends(built, segment):
        needed.add(EvpnRoute(FLOODING, "", str(vxlan.local)))
        bridge = built[vxlan.node].bridge_of(vxlan.name)
        for device in (bridge, *built.segment(bridge)) if bridge is not None else ():
            route = EvpnRoute(MACS, str(device.mac), str(vxlan.local))
            with_ip = {route._replace(ip=str(interface.ip)) for interface in device.addresses}
            legal |= {route, *with_ip}
            # A VTEP knows the addresses of hosts where it is their router.
            needed |= {route, *(with_ip if bridge and bridge.addresses else ())} if device.ref in hosts else set()
    return frozenset(needed), frozenset(needed | legal)


def judge_prefixes(lab: Fabric, spoken: Sequence[Spoken], router: str) -> Finding:
    """Return whether a router has, for each subnet of the VRFs, a type 5 route to each VTEP with that subnet and to no
    other, and knows in each VRF that both are in, and where that one has subnets, the MAC of the other's bridge.
    """
    assert lab.built is not None
    planes = {one.plane.node: one.plane for one in spoken}
    plane, needed, wrong = planes[router], set[EvpnRoute](), list[str]()
    ends = [*_vrf_ends(lab.built)]
    own = {vxlan.vni for vxlan, _ in ends if vxlan.node == router}
    for vxlan, bridge in ends:
        node = lab.built[vxlan.node]
        members = node.vrfs[bridge.name].members if bridge.name in node.vrfs else ()
        subnets = {interface.network for name in members for interface in node[name].addresses}
        needed |= {EvpnRoute(PREFIXES, "", str(vxlan.local), str(subnet)) for subnet in subnets}
        used = plane.routers.get(vxlan.vni, {}).get(str(vxlan.local))
        known = used is not None or vxlan.node == router or vxlan.vni not in own or not subnets
        if used not in (bridge.mac, None) or not known:
            words = f"expected the router MAC {bridge.mac} of {vxlan.local}, {bridge.ref}'s - seen {used or 'none'}"
            wrong.append(f"{router} - VNI {vxlan.vni} - {words}")
    seen = {route for route in plane.evpn_prefixes if route.ip in {one.ip for one in needed}}
    wrong += _unlike(router, "EVPN", needed, seen)
    if not wrong:
        return Finding(True, f"{router} - {len(needed)} routes to prefixes")
    asked = [vxlan for vxlan, _ in ends if vxlan.node in planes]
    states = {one.plane.node: one.state for one in spoken}
    alike = (pair for pair in permutations(asked, 2) if pair[0].vni == pair[1].vni)
    causes = [cause for near, far in alike for cause in vni_causes(lab.built, planes, states, near, far)]
    return Finding(False, listed(wrong, "; "), tuple(dict.fromkeys(causes)))


def judge_router_macs(lab: Fabric, trips: Sequence[SeenTrip], pair: Pair) -> Finding:
    """Return whether packets are routed twice: inside the VRF's VNI between the routers' MACs, a TTL lowered once, and
    once more on arrival."""
    assert lab.built is not None
    macs = {(str(vxlan.local), vxlan.vni): bridge.mac for vxlan, bridge in _vrf_ends(lab.built)}
    for leg in trips[0].legs:
        if wrong := _unrouted(leg, pair, macs):
            return Finding(False, f"{leg.source} -> {leg.target} - {wrong}", trips[0].causes)
    return Finding(True, f"{pair} - between the MACs of routers")


def _unrouted(leg: Journey, pair: Pair, macs: Mapping[tuple[str, int], str | None]) -> str:
    """Return where a path is not that of a packet that is routed twice; empty if it is."""
    sent = leg.sightings[0].ttl if leg.sightings else None
    inside = [(seen, found) for seen in leg.sightings if (found := _inside(seen.headers.chain)) is not None]
    for seen, (outer, vni, ether) in inside:
        between, lowered = ((str(outer[end]), vni) for end in ("src", "dst")), None if sent is None else sent - 1
        wanted, there = (*map(macs.get, between), lowered), (ether["src"], ether["dst"], seen.ttl)
        if vni != pair.within.vni:
            return f"{seen.place} - expected VNI {pair.within.vni} - seen VNI {vni}"
        if there != wanted:
            words = " - seen ".join("{} > {} with TTL {}".format(*one) for one in (wanted, there))
            return f"{seen.place} - expected the routers' MACs {words}"
    if not leg.arrived or sent is None or leg.sightings[-1].ttl != sent - 2:
        last = leg.sightings[-1].ttl if leg.sightings else None
        return f"expected to arrive with its TTL lowered twice from {sent} - seen TTL {last}"
    return "" if inside else f"expected inside {pair.within} - seen in no VXLAN"


def _inside(chain: Sequence[tuple[str, Mapping[str, Any]]]) -> tuple[Mapping[str, Any], int, Mapping[str, Any]] | None:
    """The outer IP header, the VNI and the inner frame's header of a packet in VXLAN."""
    names = [name for name, _ in chain]
    at = names.index("vxlan") if "vxlan" in names[2:-1] else 0
    return (chain[at - 2][1], int(chain[at][1]["vni"]), chain[at + 1][1]) if at else None


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
    states, both = {one.plane.node: one.state for one in spoken}, permutations(ends, 2)
    causes = [cause for near, far in both for cause in vni_causes(lab.built, planes, states, near, far)]
    return Finding(False, listed(wrong, "; "), tuple(dict.fromkeys(causes)))


def _unlike(where: str, what: str, wanted: Iterable[object], seen: Iterable[object]) -> Iterator[str]:
    """Yield what is missing, and what is too much."""
    right, there = {*map(str, wanted)}, {*map(str, seen)}
    yield from (f"{where} - {what} - expected {one} - seen none" for one in sorted(right - there))
    yield from (f"{where} - {what} - expected nothing more - seen {one}" for one in sorted(there - right))


def judge_forwarded(lab: Fabric, spoken: Sequence[Spoken], router: str) -> Finding:
    """Return whether the kernel forwards as BGP says: by its IPv4 routes, and to its VTEPs."""
    ((plane, state),) = ((one.plane, one.state) for one in spoken)
    in_vrfs = (one.read for one in state.entries if one.tool == "ip route" and one.owner == "bgp")
    own = (one for one in (*state.routes, *in_vrfs) if isinstance(one, RouteState) and one.owner == "bgp")
    routes = {Hop(one.prefix, one.via, one.dev) for one in own if one.prefix.version == 4}
    wrong = [*_unlike(router, "kernel's routes", plane.installed, routes)]
    assert lab.built is not None
    causes = list[Cause]()
    for vxlan in (vxlan for vxlan in lab.built[router].all(Vxlan) if vxlan.by_daemon):
        causes += next_hop_causes(lab.built, plane, vxlan.vni)
        far = [route for route in plane.evpn.get(vxlan.vni, ()) if route.vtep != str(vxlan.local)]
        known = [(route.mac or FLOOD_MAC, route.vtep) for route in far]
        known += [(mac, vtep) for vtep, mac in plane.routers.get(vxlan.vni, {}).items()]
        entries = (one.read for one in state.entries if one.tool == "bridge fdb" and one.device == vxlan.name)
        wanted = {f"{mac} dst {vtep and ip_address(vtep)}" for mac, vtep in known}
        seen = {f"{one[0]} dst {one[1]}" for one in entries if isinstance(one, tuple)}
        wrong += _unlike(f"{router}:{vxlan.name}", "kernel's entries", wanted, seen)
    if not wrong:
        return Finding(True, f"{router} - {len(routes)} routes as BGP says")
    return Finding(False, listed(wrong, "; "), tuple(dict.fromkeys(causes)))


OF_OURS = "daemons of an adopted fabric are not asked"
SESSIONS = Check(
    "daemons", lambda lab, _: _nodes(lab, of_bgp=True), judge_sessions, ("router",), sends="", of_ours=OF_OURS
)
EVPN = Check("daemons", lambda lab, _: _nodes(lab), judge_evpn, ("evpn_segment",), sends="", of_ours=OF_OURS)
PREFIX_ROUTES = Check("daemons", lambda lab, _: _nodes(lab), judge_prefixes, ("vrf_router",), sends="", of_ours=OF_OURS)
ROUTER_MACS = Check("pairs", lambda _, pair: [pair], judge_router_macs, ("routed_pair",), sends="")
FORWARDED = Check("daemons", lambda _, router: [router], judge_forwarded, ("router",), sends="", of_ours=OF_OURS)
