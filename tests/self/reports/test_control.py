"""The control plane is judged, and its causes are found, from answers of FRR 8.4.4 recorded under each fault."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from ipaddress import ip_address, ip_network
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reports.checks.control import (
    SUBJECTS,
    Spoken,
    judge_evpn,
    judge_forwarded,
    judge_prefixes,
    judge_router_macs,
    judge_sessions,
)
from reports.diagnosis.control import control_causes, session_causes, unnoticed_causes
from topology.control import BgpVni, ControlPlane, EvpnRoute, Hop, control_plane
from topology.formats.lab import load_lab
from topology.frr import SHUT_DOWN, Frr, Session
from topology.links.base import FLOOD_MAC
from topology.model import Fabric
from topology.packet import Probe
from topology.state import Entry, LinkState, NodeState, RouteState

FILE = Path(__file__).parents[1] / "data" / "frr-faults.json"
L2, L3, IRB, BFD = "evpn-l2", "bgp-unnumbered", "evpn-l3vni", "bgp-unnumbered-bfd"
HOSTS = {L2: ("blue1", "blue2"), L3: ("h1", "h3"), IRB: ("blue1", "pink2")}


@cache
def recorded() -> Mapping[str, Any]:
    """Answers by lab, fault and node."""
    found: Mapping[str, Any] = json.loads(FILE.read_text())
    return found


@cache
def judged(lab: str) -> Fabric:
    """What a lab's verdicts are measured against."""
    return load_lab(lab).judged


def planes(lab: str, fault: str) -> dict[str, ControlPlane]:
    """All nodes' control planes under a fault."""
    return {node: control_plane(node, answers) for node, answers in recorded()[lab][fault].items()}


def state_of(plane: ControlPlane) -> NodeState:
    """The state of a kernel that does what its daemons say."""
    routes = (RouteState(*hop, owner="bgp") for hop in plane.installed)
    entries = (
        Entry("bridge fdb", f"vni{vni}", str(route), "", read=(route.mac or FLOOD_MAC, ip_address(route.vtep)))
        for vni, table in plane.evpn.items()
        for route in table
        if route.vtep != plane.vnis[vni].vtep
    )
    return NodeState(plane.node, {}, frozenset(), frozenset(routes), frozenset(entries))


def spoken(lab: str, fault: str) -> list[Spoken]:
    """What an instrument would have read."""
    return [Spoken(plane, state_of(plane)) for plane in planes(lab, fault).values()]


CAUSES = [
    (L2, "healthy", []),
    (L2, "evpn-not-advertised", [("leaf1", None, "vni", "VNIs not advertised")]),
    (L2, "evpn-import-wrong", [("leaf1", "vni10100", "route target", "imports 64999:1")]),
    (L2, "evpn-export-wrong", [("leaf1", "vni10100", "route target", "exports 64999:1")]),
    (L2, "bgp-shutdown", [("leaf1", name, "session", "shut down by its configuration") for name in ("swp1", "swp2")]),
    (
        L2,
        "bgp-as-wrong",
        [("leaf1", "swp2", "session", "Bad Peer AS (AS 64999 expected)"), ("leaf1", "swp1", "session", "Waiting")],
    ),
    (L2, "bgp-maximum-prefix", [("leaf1", name, "session", "Maximum Number") for name in ("swp1", "swp2")]),
    (IRB, "healthy", []),
    (L3, "healthy", []),
    (L3, "bgp-shutdown", [("leaf1", name, "session", "shut down by its configuration") for name in ("swp1", "swp2")]),
    (L3, "bgp-not-redistributed", [("leaf1", "to-h1", "advertisement", "not there")]),
]


@pytest.mark.parametrize(("lab", "fault", "wanted"), CAUSES)
def test_fault_is_the_first_sure_cause(lab: str, fault: str, wanted: list[tuple[str, str | None, str, str]]) -> None:
    """What surely keeps two hosts apart is named at its node, with FRR's words, and nothing of a healthy fabric is."""
    built = load_lab(lab)
    source, target = HOSTS[lab]
    probe = Probe(source, target, built[source].address, built[target].address)
    found = [cause for cause in control_causes(built, planes(lab, fault), probe, {}) if cause.sure]
    assert [(one.node, one.interface, one.kind) for one in found] == [name[:3] for name in wanted]
    assert all(words in one.live for one, (*_, words) in zip(found, wanted, strict=True))
    assert all(one.show.startswith(f"ip netns exec {one.node} vtysh") for one in found)


def test_router_without_bgp_lacks_no_prefix_there() -> None:
    """Its routes are another daemon's, so that a subnet which is not in BGP explains nothing."""
    built, known = load_lab(L3), planes(L3, "bgp-not-redistributed")
    probe = Probe("h1", "h3", built["h1"].address, built["h3"].address)
    assert [cause.kind for cause in control_causes(built, known, probe, {})] == ["advertisement"]
    assert [*control_causes(built, known | {"leaf1": ControlPlane("leaf1")}, probe, {})] == []


@pytest.mark.parametrize(("vrf", "words"), [("default", "show bgp neighbors"), ("red", "show bgp vrf red neighbors")])
def test_session_is_shown_in_its_vrf(vrf: str, words: str) -> None:
    """FRR looks for a neighbour in the default VRF, unless another one is named."""
    plane = ControlPlane("leaf1", sessions=(Session(vrf, "swp1", "Idle"),))
    (cause,) = session_causes(load_lab(L3), {"leaf1": plane})
    assert cause.show == f"ip netns exec leaf1 vtysh -N leaf1 -c '{words} swp1'"


@pytest.mark.parametrize(
    ("fault", "wanted"),
    [
        ("healthy", ""),
        ("evpn-not-advertised", "leaf1 - VNI 10100 - EVPN - expected type 2"),
        ("evpn-import-wrong", "leaf1 - VNI 10100 - EVPN - expected type 3 to 10.0.0.12 - seen none"),
        ("evpn-export-wrong", "leaf2 - VNI 10100 - EVPN - expected type 3 to 10.0.0.11 - seen none"),
        ("bgp-shutdown", "leaf2 - VNI 10100 - EVPN - expected type 3 to 10.0.0.11 - seen none"),
    ],
)
def test_each_vtep_must_have_each_route(fault: str, wanted: str) -> None:
    """A route for every host and VTEP is there in a healthy fabric alone; what lacks is named."""
    lab = judged(L2)
    blue = next(iter(SUBJECTS["evpn_segment"].of(lab)))
    finding = judge_evpn(lab, spoken(L2, fault), blue)
    assert bool(finding) is not bool(wanted)
    assert wanted in finding.message
    if fault.startswith("evpn"):
        assert {cause.node for cause in finding.causes} == {"leaf1"}


def test_flooding_route_that_lacks_alone_is_the_cause() -> None:
    """MACs are imported, so targets and sessions are right: a policy keeps the route of type 3 from the leaf."""
    lab, (first, *others) = judged(L2), sorted(spoken(L2, "healthy"), key=lambda one: one.plane.node != "leaf1")
    blue = next(iter(SUBJECTS["evpn_segment"].of(lab)))
    left = {vni: frozenset(one for one in table if one.kind != 3) for vni, table in first.plane.evpn.items()}
    (cause,) = judge_evpn(lab, [replace(first, plane=replace(first.plane, evpn=left)), *others], blue).causes
    assert (cause.node, cause.interface, cause.kind) == ("leaf1", "vni10100", "evpn route")
    assert cause.declared == "type 3 to 10.0.0.12"


def test_a_route_too_much_is_named() -> None:
    """A MAC that is no host's, or behind another VTEP, is more than is promised."""
    lab, (first, *others) = judged(L2), spoken(L2, "healthy")
    blue = next(iter(SUBJECTS["evpn_segment"].of(lab)))
    leaf = next(one for one in (first, *others) if one.plane.node == "leaf1")
    strange = EvpnRoute(2, "02:00:00:00:00:99", "10.0.0.11")
    more = {10100: leaf.plane.evpn[10100] | {strange}}
    changed = [replace(leaf, plane=replace(leaf.plane, evpn={**leaf.plane.evpn, **more}))]
    finding = judge_evpn(lab, changed + [one for one in (first, *others) if one is not leaf], blue)
    assert not finding
    assert "expected nothing more - seen type 2 02:00:00:00:00:99" in finding.message
    assert lab.built is not None
    gateway = EvpnRoute(2, str(lab.built["leaf1"]["br10100"].mac), "10.0.0.11")
    told = {10100: leaf.plane.evpn[10100] | {gateway}}
    changed = [replace(leaf, plane=replace(leaf.plane, evpn={**leaf.plane.evpn, **told}))]
    assert judge_evpn(lab, changed + [one for one in (first, *others) if one is not leaf], blue)


@pytest.mark.parametrize(("lab", "fault", "holds"), [(L2, "healthy", True), (L3, "bgp-shutdown", False)])
def test_every_session_must_be_up(lab: str, fault: str, holds: bool) -> None:
    """A session that is not established fails the router, and says why."""
    finding = judge_sessions(judged(lab), [one for one in spoken(lab, fault) if one.plane.node == "leaf1"], "leaf1")
    assert bool(finding) is holds
    assert holds or {cause.kind for cause in finding.causes} == {"session"}


@pytest.mark.parametrize("established", [True, False])
@pytest.mark.parametrize(
    ("fault", "router", "wanted"),
    [
        ("healthy", "spine1", []),
        ("bfd-one-sided", "spine1", [("leaf1", "swp1", "none")]),
        ("bfd-one-sided", "leaf1", []),
        ("bfd-shutdown", "spine1", [("leaf1", "swp1", "Admin Down")]),
        ("bfd-shutdown", "leaf1", [("leaf1", "swp1", "BFD Admin Down"), ("leaf1", "swp2", "BFD Admin Down")]),
    ],
)
def test_bfd_that_one_end_lacks_is_named_there(
    fault: str, router: str, wanted: list[tuple[str, str, str]], established: bool
) -> None:
    """A session whose BFD is down fails; the end that has none, or has shut it down, is to blame, also where BFD has
    just ended the session."""
    said = {one.plane.node: one for one in spoken(BFD, fault)}
    if not established:
        plane = said["spine1"].plane
        idle = [one if one.has_bfd else replace(one, state="Active", why="BFD is down") for one in plane.sessions]
        said["spine1"] = replace(said["spine1"], plane=replace(plane, sessions=tuple(idle)))
    finding = judge_sessions(judged(BFD), [*said.values()], router)
    assert bool(finding) is not bool(wanted)
    assert not (established and wanted) or finding.message.startswith(f"{router} - BFD - expected Up beside")
    assert [(cause.node, cause.interface, cause.live) for cause in finding.causes] == wanted


def test_end_without_bfd_is_named_by_both_ends() -> None:
    """Also where it says of a session that the other end's BFD has ended only that it was refused."""
    said, port = planes(BFD, "bfd-one-sided"), "swp1"
    for node, why in (("spine1", "BFD is down"), ("leaf1", "refused by the neighbour: Cease/BFD Down")):
        ended = [replace(one, state="Idle", why=why) if one.neighbour == port else one for one in said[node].sessions]
        said[node] = replace(said[node], sessions=tuple(ended))
    found = [one for router in ("spine1", "leaf1") for one in session_causes(load_lab(BFD), said, router)]
    assert [(one.node, one.kind, one.interface, one.live) for one in found] == [("leaf1", "bfd", "swp1", "none")] * 2


def test_session_that_bfd_did_not_end_keeps_its_own_reason() -> None:
    """Where the other end has no BFD either, or has shut the session down."""
    for why in ("refused by the neighbour: OPEN Message Error/Bad Peer AS", SHUT_DOWN):
        said = planes(BFD, "bfd-one-sided")
        idle = [one if one.has_bfd else replace(one, state="Idle", why=why) for one in said["spine1"].sessions]
        known = said | {"spine1": replace(said["spine1"], sessions=tuple(idle))}
        (cause,) = session_causes(load_lab(BFD), known, "spine1")
        assert (cause.node, cause.kind, cause.live) == ("spine1", "session", f"Idle: {why}")


@pytest.mark.parametrize(("fault", "dark", "count"), [("healthy", "spine1", 0), ("bfd-one-sided", "spine1", 1)])
def test_neighbour_without_bfd_waits_for_the_hold_time(fault: str, dark: str, count: int) -> None:
    """That is why a node which drops everything and keeps its links up is given up late; BFD tells at once."""
    found = [*unnoticed_causes(load_lab(BFD), planes(BFD, fault), dark)]
    assert [(one.node, one.interface, one.live) for one in found] == [
        ("leaf1", "swp1", "none: a silent session ends with its hold time of 60 s")
    ] * count
    assert [*unnoticed_causes(load_lab(L3), {}, dark)] == []
    by_ospf = {"spine1": ControlPlane("spine1", sessions=(Session("default", "10.0.0.11", "Established"),))}
    leaf = {"leaf1": ControlPlane("leaf1", sessions=(Session("default", "10.0.0.1", "Established"),))}
    assert [*unnoticed_causes(load_lab("evpn-ospf"), by_ospf | leaf, "spine1")] == []


def test_router_of_bgp_without_any_session_fails() -> None:
    """Its neighbours were taken from it, or it never had one; a router without BGP is not judged."""
    lab, (leaf, *_) = judged(L3), spoken(L3, "healthy")
    finding = judge_sessions(lab, [replace(leaf, plane=replace(leaf.plane, sessions=()))], leaf.plane.node)
    assert not finding
    assert "expected a session with each neighbour of its frr.conf - seen none" in finding.message
    assert lab.built is not None
    without = replace(lab.built["leaf1"], frr=Frr("router ospf\n", ("ospfd",)))
    nodes = tuple(without if node.name == "leaf1" else node for node in lab.built.nodes)
    left = SUBJECTS["router"].of(replace(lab, built=replace(lab.built, nodes=nodes)))
    assert [*left] == ["spine1", "spine2", "leaf2"]


@pytest.mark.parametrize("lab", [L2, L3])
def test_kernel_must_do_what_bgp_says(lab: str) -> None:
    """A route or an entry that the kernel lacks, or has of a daemon's beside BGP's choice, is named."""
    fabric = judged(lab)
    leaf = next(one for one in spoken(lab, "healthy") if one.plane.node == "leaf1")
    assert judge_forwarded(fabric, [leaf], "leaf1")
    (gone, *routes), entries = leaf.state.routes, leaf.state.entries
    lacking = replace(leaf, state=replace(leaf.state, routes=frozenset(routes)))
    assert f"expected {gone.prefix} via {gone.via}" in judge_forwarded(fabric, [lacking], "leaf1").message
    elsewhere = frozenset({*entries, Entry("ip route", gone.dev, f"{gone} table 7", "", owner="bgp", read=gone)})
    assert judge_forwarded(fabric, [replace(lacking, state=replace(lacking.state, entries=elsewhere))], "leaf1")
    hole = replace(gone, via=None, dev=None, kind="blackhole")
    installed = leaf.plane.installed | {Hop(hole.prefix, None, None)}
    of_both = replace(leaf.state, routes=leaf.state.routes | {hole})
    assert judge_forwarded(
        fabric, [replace(leaf, plane=replace(leaf.plane, installed=installed), state=of_both)], "leaf1"
    )
    strange = replace(gone, prefix=ip_network("9.9.9.0/24"))
    more = replace(leaf, state=replace(leaf.state, routes=leaf.state.routes | {strange}))
    assert "expected nothing more - seen 9.9.9.0/24" in judge_forwarded(fabric, [more], "leaf1").message
    if entries:
        (lost, *kept) = entries
        stale = replace(lost, read=(FLOOD_MAC, ip_address("10.0.0.99")))
        wrong = replace(leaf, state=replace(leaf.state, entries=frozenset((stale, *kept))))
        assert "seen" in (said := judge_forwarded(fabric, [wrong], "leaf1").message)
        assert "dst 10.0.0.99" in said


def test_asymmetric_irb_is_followed_into_the_vni_of_the_other_host() -> None:
    """A leaf that does not advertise its VNIs is named for a pair that it routes into another VNI."""
    built, leaves = load_lab("evpn-ospf"), {name: ControlPlane(name, 65000) for name in ("leaf1", "leaf2")}
    leaves = {name: replace(one, advertises=name == "leaf2") for name, one in leaves.items()}
    known = BgpVni("10.0.0.12", frozenset(), frozenset())
    leaves["leaf1"] = replace(leaves["leaf1"], vnis={10200: known})  # it has a route target in frr.conf
    leaves["leaf2"] = replace(leaves["leaf2"], vnis={10100: known, 10200: known})
    probe = Probe("blue1", "pink2", built["blue1"].address, built["pink2"].address)
    (cause,) = {one for one in control_causes(built, leaves, probe, {}) if one.kind == "vni"}
    assert (cause.node, cause.declared) == ("leaf1", "advertise-all-vni")


def test_next_hop_of_a_spine_is_one_cause_for_all_vnis() -> None:
    """A kernel that does not follow BGP to a spine has the spine as its cause, once."""
    fabric, leaf = judged(L2), next(one for one in spoken(L2, "healthy") if one.plane.node == "leaf1")
    moved = {
        vni: frozenset(one._replace(vtep="10.0.0.1") if one.vtep == "10.0.0.12" else one for one in routes)
        for vni, routes in leaf.plane.evpn.items()
    }
    finding = judge_forwarded(fabric, [replace(leaf, plane=replace(leaf.plane, evpn=moved))], "leaf1")
    assert not finding
    assert [(one.node, one.kind, one.live) for one in finding.causes] == [("spine1", "next hop", "its own, 10.0.0.1")]


def test_what_is_no_answer_is_read_as_nothing() -> None:
    """Words and strange values in place of answers leave a control plane without any claim."""
    assert control_plane("r", [None, 3, "x", {}, [{}]]) == ControlPlane("r")


def test_vtep_that_routes_has_the_addresses_of_hosts() -> None:
    """Where a VTEP is the router of a segment, a type 2 route without a host's address does not do."""
    lab, both = judged(IRB), [one for one in spoken(IRB, "healthy") if one.plane.node.startswith("leaf")]
    (blue, _) = SUBJECTS["evpn_segment"].of(lab)
    assert judge_evpn(lab, both, blue)
    bare = {10100: frozenset(route for route in both[0].plane.evpn[10100] if not (route.kind == 2 and route.ip))}
    lacking = [replace(both[0], plane=replace(both[0].plane, evpn=bare)), *both[1:]]
    assert "172.16.1.2 to 10.0.0.12 - seen none" in judge_evpn(lab, lacking, blue).message


@pytest.mark.parametrize("what", ["", "lacks", "other VTEP", "other MAC", "no MAC", "no next hops"])
def test_each_subnet_of_a_vrf_must_have_its_routes(what: str) -> None:
    """A type 5 route is there for every subnet and VTEP, and no other; the router's MAC is that of its bridge."""
    lab, leaf = judged(IRB), next(one for one in spoken(IRB, "healthy") if one.plane.node == "leaf1")
    plane, green = leaf.plane, EvpnRoute(5, "", "10.0.0.12", "172.17.2.0/24")
    changed, words = {
        "": (plane, ""),
        "lacks": (replace(plane, evpn_prefixes=plane.evpn_prefixes - {green}), f"expected {green}"),
        "other VTEP": (
            replace(plane, evpn_prefixes=plane.evpn_prefixes | {green._replace(vtep="10.0.0.99")}),
            "nothing more - seen type 5 172.17.2.0/24 to 10.0.0.99",
        ),
        "other MAC": (replace(plane, routers={60000: {"10.0.0.12": "02:00:00:00:00:99"}}), "leaf2:br60000's - seen 02"),
        "no MAC": (replace(plane, routers={**plane.routers, 60000: {}}), "leaf2:br60000's - seen none"),
        "no next hops": (replace(plane, routers={}), "leaf2:br50000's - seen none"),
    }[what]
    finding = judge_prefixes(lab, [replace(leaf, plane=changed)], "leaf1")
    assert bool(finding) is not bool(what)
    assert words in finding.message


def test_prefixes_that_a_vni_of_a_vrf_lacks_have_its_cause() -> None:
    """A leaf whose VRF has lost its VNI tells no prefix; the other one says so, and names it."""
    lab, both = judged(IRB), {one.plane.node: one for one in spoken(IRB, "healthy")}
    mine, theirs = both["leaf1"].plane, both["leaf2"].plane
    without = replace(mine, vnis={vni: one for vni, one in mine.vnis.items() if vni != 50000})
    told = replace(theirs, evpn_prefixes=frozenset(one for one in theirs.evpn_prefixes if one.vtep != "10.0.0.11"))
    changed = [replace(both[plane.node], plane=plane) for plane in (without, told)]
    finding = judge_prefixes(lab, changed, "leaf2")
    assert not finding
    assert [(cause.node, cause.interface, cause.kind) for cause in finding.causes] == [("leaf1", "vni50000", "vni")]


@pytest.mark.parametrize(
    ("macs", "ttls", "words"),
    [
        (("br50000", "br50000"), (64, 63, 62), ""),
        (("br50000", "br50000"), (64, 64, 63), "expected VNI 50000 - seen VNI 10200"),
        (("br50000", "br10200"), (64, 63, 62), "expected the routers' MACs"),
        (("br50000", "br50000"), (64, 64, 63), "expected the routers' MACs"),
        (("br50000", "br50000"), (64, 63, 63), "lowered twice from 64 - seen TTL 63"),
        (("br50000", "br50000"), (64, 62), "expected inside vxlan VNI 50000 - seen in no VXLAN"),
    ],
)
def test_routed_frames_are_between_routers(macs: tuple[str, str], ttls: tuple[int, ...], words: str) -> None:
    """Inside the VRF's VNI the frame has both routers' MACs; its packet has lost one of its TTL, and two in the end."""
    lab, built = judged(IRB), load_lab(IRB)
    src, dst = (built[leaf][bridge].mac for leaf, bridge in zip(("leaf1", "leaf2"), macs, strict=True))
    outer = {"src": "10.0.0.11", "dst": "10.0.0.12"}
    inside = [
        ("ether", {}),
        ("ipv4", outer),
        ("udp", {}),
        ("vxlan", {"vni": 10200 if "VNI 10200" in words else 50000}),
        ("ether", {"src": src, "dst": dst}),
    ]
    chains: list[list[tuple[str, Any]]] = [[("ether", {})], *([inside] if len(ttls) > 2 else []), [("ether", {})]]
    seen = [
        SimpleNamespace(place="here", ttl=ttl, headers=SimpleNamespace(chain=tuple(chain)))
        for ttl, chain in zip(ttls, chains, strict=True)
    ]
    leg = SimpleNamespace(source="blue1", target="pink2", arrived=True, sightings=seen)
    (pair, *_) = SUBJECTS["routed_pair"].of(lab)
    finding = judge_router_macs(lab, [SimpleNamespace(legs=(leg,), causes=())], pair)  # type: ignore[list-item]
    assert bool(finding) is not bool(words)
    assert words in finding.message


def test_device_that_left_its_bridge_or_vni_is_the_cause() -> None:
    """BGP does not know the VNI of such a device; what became of the device comes in place of that."""
    lab, built, known = judged(L2), load_lab(L2), planes(L2, "healthy")
    vnis = {vni: one for vni, one in known["leaf1"].vnis.items() if vni != 10100}
    known["leaf1"] = replace(known["leaf1"], vnis=vnis, evpn={})
    probe = Probe("blue1", "blue2", built["blue1"].address, built["blue2"].address)
    blue = next(iter(SUBJECTS["evpn_segment"].of(lab)))
    for master, vni, kind in (("br10100", "10100", "vni"), (None, "10100", "bridge"), ("br10100", "9", "vxlan")):
        states = {name: state_of(planes(L2, "healthy")[name]) for name in known}
        link = LinkState("vni10100", "vxlan", master=master, parameters=(("vni", vni),))
        states["leaf1"] = replace(states["leaf1"], links={"vni10100": link})
        spoken = [Spoken(plane, states[name]) for name, plane in known.items()]
        for causes in (control_causes(built, known, probe, states), judge_evpn(lab, spoken, blue).causes):
            (cause,) = {one for one in causes if one.node == "leaf1"}
            assert (cause.kind, cause.interface) == (kind, "vni10100")
