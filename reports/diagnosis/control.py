"""Causes in the control plane: sessions that are down, VNIs and prefixes not advertised, route targets. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_network
from itertools import permutations

from reports.diagnosis.adjacency import ospf_causes
from reports.evidence import Cause
from reports.words import counted
from topology.control import BGP_VNIS, ControlPlane, far_end
from topology.frr import ADMIN_DOWN, BFD_DOWN, ESTABLISHED, SHUT_DOWN, Session, typed
from topology.links.base import FLOOD_MAC
from topology.model import Address, Fabric, Node, Port, Vxlan
from topology.packet import Probe
from topology.state import NodeState

TARGETS_NAMED = 2
"""Sets of route targets in one cause: with derived ones every AS has its own."""


def asked(node: str, *commands: str) -> str:
    """Return the command that asks a node's daemons, as typed for a namespace of the node's name."""
    return f"ip netns exec {node} {typed(node, *commands)}"


def control_causes(
    built: Fabric, planes: Mapping[str, ControlPlane], probe: Probe, states: Mapping[str, NodeState]
) -> Iterator[Cause]:
    """Yield the faults that keep a probe between two hosts from its path: in their VNI, in their routers' prefixes, in
    sessions.

    A session that is down is a certain explanation only if its router has no other one.
    """
    yield from ospf_causes(built, planes)
    yield from session_causes(built, planes)
    for near, far in ((probe.source, probe.target), (probe.target, probe.source)):
        ends = [one for one in (behind(built, near), behind(built, far)) if one is not None]
        gone = [cause for end in ends for cause in outside(built, states, end)]
        yield from gone
        if not gone and len(ends) == 2 and ends[0].vni == ends[1].vni and ends[0].node != ends[1].node:
            yield from vni_causes(built, planes, states, *ends)
        elif len(routed := [end for end in (vrf_end(built, near), vrf_end(built, far)) if end is not None]) == 2:
            yield from vni_causes(built, planes, states, *routed) if routed[0].node != routed[1].node else ()
        elif not gone and len(ends) == 2 and ends[0].node != ends[1].node:
            # Asymmetric IRB: the near router bridges in the far host's VNI.
            here = (one for one in built[ends[0].node].all(Vxlan) if one.by_daemon and one.vni == ends[1].vni)
            yield from (cause for one in here for cause in vni_causes(built, planes, states, one, ends[1]))
        if not ends:
            dst = probe.dst if far == probe.target else probe.src
            yield from _prefix_causes(built, planes, built[far], dst)


def adopted_causes(
    live: Fabric, planes: Mapping[str, ControlPlane], probe: Probe, states: Mapping[str, NodeState]
) -> Iterator[Cause]:
    """Yield what is wrong between the VTEPs of a probe's hosts in a fabric of others, of which ``QUESTIONS_OF_OTHERS``
    are answered; where neither advertises VNIs, something else tells them their remotes."""
    for near, far in permutations(vteps_of(live, probe), 2):
        ends = [planes[one.node] for one in (near, far) if one.node in planes and one.is_told]
        if near.node != far.node and near.vni == far.vni and len(ends) == 2 and any(one.advertises for one in ends):
            for cause in vni_causes(live, planes, states, near, far):
                show, fix = (words.replace(f" -N {cause.node} ", " ") for words in (cause.show, cause.fix))
                yield replace(cause, show=show, fix=fix)


def vteps_of(live: Fabric, probe: Probe) -> list[Vxlan]:
    """Return the VXLAN devices behind whose bridges the hosts of a probe are, whoever tells them remotes."""
    found = (behind(live, host, by_daemon=False) for host in (probe.source, probe.target))
    return [one for one in found if one is not None]


def to_ask(live: Fabric, probe: Probe) -> list[str]:
    """Return the nodes of the VNIs that a probe between two VTEPs is in; none where its hosts are behind one."""
    ends = [one for one in vteps_of(live, probe) if one.is_told]
    vnis = {one.vni for one in ends} if len({one.node for one in ends}) == 2 else set()
    return sorted({one.node for one in live.all(Vxlan) if one.vni in vnis})


def behind(built: Fabric, host: str, by_daemon: bool = True) -> Vxlan | None:
    """Return the VXLAN device behind whose bridge a host is, where a daemon finds its remotes."""
    for port in built[host].all(Port):
        node = built[port.peer.node]
        bridge = node.bridge_of(port.peer.interface)
        members = bridge.members if bridge is not None else ()
        found = (one for one in node.all(Vxlan) if (one.by_daemon or not by_daemon) and one.name in members)
        if (vxlan := next(found, None)) is not None:
            return vxlan
    return None


def vrf_end(built: Fabric, host: str) -> Vxlan | None:
    """Return the VXLAN device of the VNI of the VRF that a host's gateway is in; None without one."""
    for port in built[host].all(Port):
        node = built[port.peer.node]
        gateway = node.bridge_of(port.peer.interface) or node[port.peer.interface]
        if node.frr is not None and gateway.name in node.vrfs:
            vni = node.frr.vrf_vnis.get(node.vrfs[gateway.name].name)
            return next((vxlan for vxlan in node.all(Vxlan) if vxlan.vni == vni), None)
    return None


def router_id_causes(built: Fabric, planes: Iterable[ControlPlane]) -> Iterator[Cause]:
    """Yield the routers with the router ID of another one: of two that one which does not have it as an address."""
    known = [plane for plane in planes if plane.router_id]
    for plane in known:
        others = [one.node for one in known if one is not plane and one.router_id == plane.router_id]
        owners = {node.name for node in built.nodes if plane.router_id in map(str, node.addresses)}
        if others and (plane.node not in owners or not owners.isdisjoint(others)):
            live, show = f"{plane.router_id}, as {', '.join(others)}", asked(plane.node, "show bgp summary")
            yield Cause("router id", plane.node, None, "a router ID of its own", live, "", show, "daemons")


def outside(built: Fabric, states: Mapping[str, NodeState], vxlan: Vxlan) -> tuple[Cause, ...]:
    """Return that a VXLAN device has left its bridge, or has another VNI: then BGP does not know its own."""
    bridge, state = built[vxlan.node].bridge_of(vxlan.name), states.get(vxlan.node)
    link = state.links.get(vxlan.name) if state is not None else None
    if bridge is None or link is None:
        return ()
    show = f"ip -n {vxlan.node} -d link show dev {vxlan.name}"
    if link.master is None:
        fix = f"ip -n {vxlan.node} link set dev {vxlan.name} master {bridge.name}"
        return (Cause("bridge", vxlan.node, vxlan.name, bridge.name, "in no bridge", fix, show, "daemons"),)
    right, seen = (f"vni {vni}" for vni in (vxlan.vni, dict(link.parameters).get("vni")))
    return () if seen == right else (Cause("vxlan", vxlan.node, vxlan.name, right, seen, "", show, "daemons"),)


def _ended_by_bfd(built: Fabric, planes: Mapping[str, ControlPlane], near: str, session: Session) -> Cause | None:
    """Return the end without BFD of a session that BFD has ended at the other one, whichever end is asked."""
    far = far_end(built, planes, near, session.neighbour)
    ends = [(near, session), *([(far[0].node, far[1])] if far else [])]
    found = (_lacks_bfd(built, planes, node, one) for node, one in ends if one.why == BFD_DOWN)
    return next(filter(None, found), None)


def _lacks_bfd(built: Fabric, planes: Mapping[str, ControlPlane], near: str, session: Session) -> Cause | None:
    """Return that the other end of a session whose BFD is down has none, or has shut it down."""
    far = far_end(built, planes, near, session.neighbour)
    if session.has_bfd or far is None or far[1].bfd not in ("", ADMIN_DOWN) or far[1].why == SHUT_DOWN:
        return None
    return _without_bfd(far, f"BFD, as {near} has", far[1].bfd or "none")


def _without_bfd(end: tuple[ControlPlane, Session], wanted: str, live: str) -> Cause:
    plane, its = end
    show = asked(plane.node, f"show bgp neighbors {its.neighbour}")
    return Cause("bfd", plane.node, its.neighbour, wanted, live, "", show, "daemons")


def bfd_causes(built: Fabric, planes: Mapping[str, ControlPlane], router: str) -> Iterator[Cause]:
    """Yield the established sessions of a router whose BFD is not up: at the other end where that has none."""
    for one in planes[router].sessions:
        if one.is_up and not one.has_bfd:
            show = asked(router, "show bfd peers")
            here = Cause("bfd", router, one.neighbour, "BFD Up", f"BFD {one.bfd}", "", show, "daemons")
            yield _lacks_bfd(built, planes, router, one) or here


def unnoticed_causes(built: Fabric, planes: Mapping[str, ControlPlane], dark: str) -> Iterator[Cause]:
    """Yield the sessions with a node that drops everything, and that end by BGP's hold time alone.

    None where OSPF, which has timers of its own, may lead around the node.
    """
    frr = built[dark].frr
    for one in planes[dark].sessions if dark in planes and frr is not None and "ospfd" not in frr.daemons else ():
        far = far_end(built, planes, dark, one.neighbour)
        if far is not None and not far[1].bfd:
            live = f"none: a silent session ends with its hold time of {far[1].hold_s} s"
            yield _without_bfd(far, f"BFD with {dark}", live)


def session_causes(built: Fabric, planes: Mapping[str, ControlPlane], router: str = "") -> Iterator[Cause]:
    """Yield the sessions that are down, of all routers or of one: first those of routers without any other, and those
    for which FRR says more than that it waits. One that BFD has ended is its other end's where that has no BFD."""
    alone = [(any(one.is_up for one in plane.sessions), plane) for plane in planes.values()]
    down = [(has_other, one.waits, plane, one) for has_other, plane in alone for one in plane.sessions if not one.is_up]
    for has_other, _, plane, one in sorted(down, key=lambda entry: entry[:2]):
        if router not in ("", plane.node):
            continue
        vrf = "" if one.vrf == "default" else f"vrf {one.vrf} "
        show = asked(plane.node, f"show bgp {vrf}neighbors {one.neighbour}")
        live = f"{one.state}{one.why and f': {one.why}'}"
        here = Cause("session", plane.node, one.neighbour, ESTABLISHED, live, "", show, "daemons")
        yield replace(_ended_by_bfd(built, planes, plane.node, one) or here, sure=not has_other)


def vni_causes(
    built: Fabric, planes: Mapping[str, ControlPlane], states: Mapping[str, NodeState], near: Vxlan, far: Vxlan
) -> Iterator[Cause]:
    """Yield why the near VTEP does not know the far one in their VNI."""
    vni, here, there = near.vni, planes[near.node], planes[far.node]
    show = asked(here.node, BGP_VNIS.removesuffix(" json"))
    vrf = next((name for name, its in _vrf_vnis(built, near.node).items() if its == vni), "")
    if gone := outside(built, states, near):
        yield from gone
    elif here.lacks_evpn:
        summary = asked(here.node, "show bgp l2vpn evpn summary")
        live = "not with any neighbour"
        yield Cause("address family", here.node, None, "l2vpn evpn activated", live, "", summary, "daemons")
    elif not here.advertises:
        # FRR lists a VNI of its configuration, with a route target of its own, nevertheless.
        lines = ("configure terminal", f"router bgp {here.number}", "address-family l2vpn evpn", "advertise-all-vni")
        fix = asked(here.node, *lines) if here.number else ""
        yield Cause("vni", here.node, None, "advertise-all-vni", "VNIs not advertised", fix, show, "daemons")
    elif vrf and not (vni in here.vnis and here.vnis[vni].of_vrf):
        live = "no VRF's" if vni in here.vnis else "not known to BGP"
        fix = asked(here.node, "configure terminal", f"vrf {vrf}", f"vni {vni}")
        yield Cause("vni", here.node, near.name, f"VNI {vni} of VRF {vrf}", live, fix, show, "daemons")
    elif vni not in here.vnis:
        known = f"{', '.join(map(str, sorted(here.vnis))) or 'no VNI'} known to BGP"
        yield Cause("vni", here.node, near.name, f"VNI {vni} known to BGP", known, "", show, "daemons")
    elif vni in there.vnis and not here.imports(vni, there):
        yield _target_cause(vni, (near, here), (far, there), planes.values())
    elif changed := [*next_hop_causes(built, here, vni)]:
        yield from changed
    elif not vrf:
        yield from _flood_causes(built, planes, near, far, states.get(here.node))


def _flood_causes(
    built: Fabric, planes: Mapping[str, ControlPlane], vxlan: Vxlan, other: Vxlan, state: NodeState | None
) -> Iterator[Cause]:
    """Yield why a VXLAN device sends no frames for all to another VTEP: BGP has no route of type 3 to it, or zebra has
    not made the kernel's entry of that route.

    Without any route to the VTEP the underlay may explain it, where a session is down, OSPF lacks something or no route
    leads there, or the far end, as where it does not speak EVPN; without those of the VNI, its own among them, nothing
    is known.
    """
    here, there, vni, address = planes[vxlan.node], planes[other.node], vxlan.vni, other.local
    if vni not in here.evpn:
        return
    settled = all(one.is_up for plane in (here, there) for one in plane.sessions)
    settled = settled and not there.lacks_evpn and _reaches(state, address) and not any(ospf_causes(built, planes))
    if not here.floods_to(vni, str(address)):
        if str(address) in here.next_hops(vni) or (settled and there.advertises and vni in there.vnis):
            live = f"not there, so {vxlan.name} is told no remote: lost on its way, or left out by a route-map"
            show = asked(here.node, f"show bgp l2vpn evpn route vni {vni} type multicast")
            yield Cause("evpn route", here.node, vxlan.name, f"type 3 to {address}", live, "", show, "daemons")
    elif settled and state is not None and (FLOOD_MAC, address) not in _entries(state, vxlan.name):
        # The kernel was read before the daemons were asked: what has just changed is not sure.
        wanted, show = f"{FLOOD_MAC} dst {address}, as BGP says", asked(here.node, f"show evpn vni {vni}")
        live = "no entry: zebra has told it no such remote"
        yield Cause("fdb", here.node, vxlan.name, wanted, live, "", show, "daemons", sure=False)


def _reaches(state: NodeState | None, address: Address) -> bool:
    return state is None or any(one.prefix.prefixlen and address in one.prefix for one in state.routes)


def _entries(state: NodeState, device: str) -> set[object]:
    return {one.read for one in state.entries if one.tool == "bridge fdb" and one.device == device}


def _vrf_vnis(built: Fabric, node: str) -> Mapping[str, int]:
    frr = built[node].frr
    return frr.vrf_vnis if frr is not None else {}


def next_hop_causes(built: Fabric, here: ControlPlane, vni: int) -> Iterator[Cause]:
    """Yield the routers that have put themselves in the place of a VNI's VTEPs, alike for every VNI and VTEP."""
    ends = {str(one.local) for one in built.all(Vxlan) if one.vni == vni}
    for strange in sorted(here.next_hops(vni) - ends):
        for node in (node for node in built.nodes if node.frr and strange in map(str, node.addresses)):
            show = asked(node.name, "show running-config bgpd")
            wanted, live = "EVPN's next hops, which are VTEPs, unchanged", f"its own, {strange}"
            yield Cause("next hop", node.name, None, wanted, live, "", show, "daemons")


def _target_cause(
    vni: int, near: tuple[Vxlan, ControlPlane], far: tuple[Vxlan, ControlPlane], planes: Iterable[ControlPlane]
) -> Cause:
    """Return the end that has another route target than the derived one, the importing one where both have; that one's
    cause is the same for all VTEPs whose targets it does not import."""
    (mine, here), (theirs, there) = near, far
    if here.derived(vni) in here.vnis[vni].imports:
        live, at = f"exports {_listed(there.vnis[vni].exports)}", theirs
        right = f"export of {there.derived(vni)}"
    else:
        exporters = defaultdict[str, list[str]](list)
        for plane in (one for one in planes if one is not here and vni in one.vnis and not here.imports(vni, one)):
            exporters[_listed(plane.vnis[vni].exports)].append(plane.node)
        words = [f"{targets}, exported by {', '.join(nodes)}" for targets, nodes in exporters.items()]
        more = [f"those of {counted(len(words) - TARGETS_NAMED, 'other VTEP')}"] if words[TARGETS_NAMED:] else []
        live, at = f"imports {_listed(here.vnis[vni].imports)}", mine
        right = f"import of {', and of '.join([*words[:TARGETS_NAMED], *more])}"
    show = asked(at.node, BGP_VNIS.removesuffix(" json"))
    return Cause("route target", at.node, at.name, right, live, "", show, "daemons")


def _listed(targets: Iterable[str]) -> str:
    return ", ".join(sorted(targets)) or "none"


def _prefix_causes(built: Fabric, planes: Mapping[str, ControlPlane], host: Node, address: Address) -> Iterator[Cause]:
    """Yield the router of a host that speaks BGP and does not have the host's subnet in it, or a VRF's in EVPN."""
    for port in host.all(Port):
        node, plane = built[port.peer.node], planes.get(port.peer.node)
        if plane is None or not plane.number or not node.has(port.peer.interface):
            continue
        own = (interface.network for interface in node[port.peer.interface].addresses)
        subnet = next((network for network in own if address in network and network.version == 4), None)
        in_vrf, known, what = vrf_end(built, host.name), plane.prefixes, f"ipv4 unicast {subnet}"
        if in_vrf is not None:
            known = frozenset(one.ip for one in plane.evpn_prefixes if one.vtep == str(in_vrf.local))
            what = "l2vpn evpn route type prefix"
        elif port.peer.interface in node.vrfs:
            continue
        if subnet is not None and not any(subnet.subnet_of(ip_network(one)) for one in known):  # type: ignore[arg-type]
            show, wanted = asked(plane.node, f"show bgp {what}"), f"{subnet} in {'EVPN' if in_vrf else 'BGP'}"
            yield Cause("advertisement", plane.node, port.peer.interface, wanted, "not there", "", show, "daemons")
