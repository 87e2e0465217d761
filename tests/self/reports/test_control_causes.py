"""Causes in the control plane that change one thing of answers recorded of a healthy fabric."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_network
from types import SimpleNamespace
from typing import cast

import pytest

from reports.checks.control import Spoken, judge_sessions
from reports.diagnosis.adjacency import ospf_causes, ports_of
from reports.diagnosis.control import adopted_causes, control_causes, to_ask, vni_causes
from tests.self.reports.test_control import L2, planes, recorded, state_of
from topology.control import BgpVni, ControlPlane, EvpnRoute, control_plane
from topology.formats.lab import load_lab
from topology.frr import Session
from topology.kernels.link import Agent
from topology.links.base import FLOOD_MAC
from topology.model import Port, Vxlan
from topology.nodes.frr import Need, missing
from topology.packet import Probe
from topology.state import NodeState, RouteState


def without_routes_to(known: Mapping[str, ControlPlane], vtep: str, *kinds: int) -> dict[str, ControlPlane]:
    """The planes, of which leaf1's has no routes of these types to a VTEP."""
    tables = known["leaf1"].evpn.items()
    left = {vni: frozenset(r for r in routes if r.vtep != vtep or r.kind not in kinds) for vni, routes in tables}
    return {**known, "leaf1": replace(known["leaf1"], evpn=left)}


def test_device_that_is_told_no_remote_is_named() -> None:
    """Whether BGP has no route of type 3 to a silent VTEP, or zebra made no entry of it: the near leaf is named, with
    the command that shows it; where a session is down, or the silent VTEP speaks no EVPN, that alone explains it."""
    built, known = load_lab(L2), planes(L2, "healthy")
    probe = Probe("blue1", "blue2", built["blue1"].address, built["blue2"].address)
    states = {name: state_of(plane) for name, plane in known.items()}
    silent = without_routes_to(known, "10.0.0.12", 2, 3)
    (cause,) = control_causes(built, silent, probe, states)
    assert str(cause).startswith(
        "leaf1 - vni10100 - evpn route - expected type 3 to 10.0.0.12 - seen not there, so vni10100"
    )
    assert cause.show.endswith("'show bgp l2vpn evpn route vni 10100 type multicast'")
    mute = tuple(replace(one, families=frozenset({"ipv4Unicast"})) for one in known["leaf2"].sessions)
    without_evpn = {**silent, "leaf2": replace(silent["leaf2"], sessions=mute)}
    assert {(one.node, one.kind) for one in control_causes(built, without_evpn, probe, states)} == {
        ("leaf2", "address family")
    }
    down = (replace(known["leaf1"].sessions[0], state="Idle"), *known["leaf1"].sessions[1:])
    one_down = {**silent, "leaf1": replace(silent["leaf1"], sessions=down)}
    assert {found.kind for found in control_causes(built, one_down, probe, states)} == {"session"}
    untold = replace(
        states["leaf1"], entries=frozenset(e for e in states["leaf1"].entries if FLOOD_MAC not in str(e.read))
    )
    (cause,) = control_causes(built, known, probe, {**states, "leaf1": untold})
    assert str(cause).startswith(
        f"leaf1 - vni10100 - fdb - expected {FLOOD_MAC} dst 10.0.0.12, as BGP says - seen no entry"
    )
    assert cause.show == "ip netns exec leaf1 vtysh -N leaf1 -c 'show evpn vni 10100'"
    assert not cause.sure
    unreached = replace(untold, routes=frozenset())
    assert [*control_causes(built, known, probe, {**states, "leaf1": unreached})] == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("healthy", ""),
        ("evpn-not-advertised", "vni - expected advertise-all-vni - seen VNIs not advertised"),
        (
            "evpn-import-wrong",
            "route target - expected import of 65002:10100, exported by leaf2 - seen imports 64999",
        ),
        ("evpn-export-wrong", "route target - expected export of 65001:10100 - seen exports 64999:1"),
    ],
)
def test_daemons_of_others_explain_with_few_answers(fault: str, words: str) -> None:
    """Of an adopted fabric's VTEPs only EVPN's VNIs and the AS are read; commands have no path space of ours."""
    built, known = load_lab(L2), recorded()[L2][fault]
    planes = {}
    for node in ("leaf1", "leaf2"):
        vnis = [answer for answer in known[node] if "advertiseAllVnis" in answer]
        number = control_plane(node, known[node]).number
        planes[node] = control_plane(node, [{"routerId": "10.0.0.1", "as": number, "peers": {}}, *vnis])
    probe = Probe("blue1", "blue2", built["blue1"].address, built["blue2"].address)
    assert to_ask(built, probe) == ["leaf1", "leaf2"]
    found = [*adopted_causes(built, planes, probe, {})]
    assert bool(found) is bool(words)
    assert all(words in str(cause) and cause.node == "leaf1" for cause in found), found
    show = "ip netns exec leaf1 vtysh -c 'show bgp l2vpn evpn vni'"
    assert {cause.show for cause in found} == ({show} if words else set())
    assert [*adopted_causes(built, {"leaf1": planes["leaf1"]}, probe, {})] == []
    silent = {name: replace(plane, advertises=False) for name, plane in planes.items()}
    assert [*adopted_causes(built, silent, probe, {})] == []


ROUTERS = ("spine1", "leaf1", "leaf2")
OSPF_FAULTS = [
    ("healthy", []),
    ("ospf-bfd-one-sided", [("leaf1", "swp1", "bfd", "none", True)]),
    ("ospf-bfd-shutdown", [("leaf1", "swp1", "bfd", "shut down", False)]),
    (
        "ospf-hello-wrong",
        [("leaf1", "swp1", "adjacency", "no neighbour", True), ("spine1", "swp1", "adjacency", "no neighbour", False)],
    ),
    (
        "ospf-mtu",
        [("leaf1", "swp1", "adjacency", "ExStart/-", True), ("spine1", "swp1", "adjacency", "Exchange/-", False)],
    ),
]


def ospf_planes(fault: str) -> dict[str, ControlPlane]:
    """What ospfd and bfdd have answered under a fault at leaf1's swp1."""
    return {node: control_plane(node, recorded()["evpn-ospf"][fault][node]) for node in ROUTERS}


@pytest.mark.parametrize(("fault", "wanted"), OSPF_FAULTS)
def test_ospfs_neighbours_and_bfd_are_causes(fault: str, wanted: list[tuple[str, str, str, str, bool]]) -> None:
    """An end without BFD is named though the other end lost its neighbour for that; else the router without any other
    neighbour comes first."""
    found = [*ospf_causes(load_lab("evpn-ospf"), ospf_planes(fault))]
    assert [(one.node, one.interface, one.kind, one.live, one.sure) for one in found] == wanted
    assert all(one.show.startswith(f"ip netns exec {one.node} vtysh -N {one.node} -c 'show ") for one in found)


def test_ospf_is_expected_where_the_configuration_says_so() -> None:
    """By networks or on interfaces, and not where it is passive; an end that only the other one expects is no fault by
    itself, and other routers' links are not its own."""
    lab = load_lab("evpn-ospf")
    leaf = lab["leaf1"]

    def speaks(config: str) -> Mapping[str, bool]:
        return ports_of(replace(leaf, frr=replace(leaf.frr, config=config)) if leaf.frr else leaf)

    on = "interface swp1\n ip ospf area 0\n{}exit\n"
    assert ports_of(leaf) == {"swp1": True}
    assert speaks(on.format("")) == {"swp1": False}
    assert speaks(on.format(" ip ospf passive\n")) == {}
    assert speaks(on.format("") + "router ospf\n passive-interface default\n") == {}
    assert speaks("router ospf\n network 0.0.0.0/0 area 0\n") == dict.fromkeys(
        [port.name for port in leaf.all(Port) if port.addresses], False
    )
    silent = replace(leaf, frr=replace(leaf.frr, config="interface swp9\n ip ospf area 0\n")) if leaf.frr else leaf
    nodes = tuple(silent if node.name == "leaf1" else node for node in lab.nodes)
    assert [*ospf_causes(replace(lab, nodes=nodes), ospf_planes("healthy"))] == []
    assert [*ospf_causes(lab, ospf_planes("ospf-mtu"), "leaf2")] == []


@pytest.mark.parametrize(
    ("fault", "seen"), [("healthy", ""), ("ospf-mtu", "ExStart/-"), ("ospf-bfd-one-sided", "none")]
)
def test_ospfs_neighbours_and_bfd_are_promised_beside_sessions(fault: str, seen: str) -> None:
    """BGP's sessions may still hold: what OSPF lacks fails the router all the same, and is the cause."""
    up = (Session("default", "10.0.0.1", "Established"),)
    spoken = [Spoken(replace(plane, sessions=up), state_of(plane)) for plane in ospf_planes(fault).values()]
    finding = judge_sessions(load_lab("evpn-ospf").judged, spoken, "leaf1")
    assert bool(finding) is not bool(seen)
    assert seen in finding.message
    assert [cause.node for cause in finding.causes][:1] == (["leaf1"] if seen else [])


def test_bfd_beside_ospf_is_awaited() -> None:
    """A router is ready once the BFD sessions of its OSPF are up, or shut down by its configuration."""
    for fault, wanted in (("healthy", []), ("ospf-bfd-shutdown", ["BFD with 10.0.0.11 down"])):
        said = json.dumps(recorded()["evpn-ospf"][fault]["spine1"][1])
        agent = cast(Agent, SimpleNamespace(run=lambda *_, said=said, **__: SimpleNamespace(stdout=said)))
        assert [*map(str, missing(agent, "spine1", Need(False, (), {}, bfd=True)))] == wanted


@pytest.mark.parametrize(
    ("count", "named"),
    [
        (1, "65002:10100, exported by leaf2"),
        (2, "65002:10100, exported by leaf2, and of 65003:10100, exported by leaf3"),
        (4, "65002:10100, exported by leaf2, and of 65003:10100, exported by leaf3, and of those of 2 other VTEPs"),
    ],
)
def test_importing_end_has_one_cause_for_all_others(count: int, named: str) -> None:
    """However many VTEPs a leaf does not hear for its route target, that is one fault."""
    lab, known = load_lab(L2), planes(L2, "evpn-import-wrong")
    second = known["leaf2"]
    for number in range(3, count + 2):
        target = frozenset((f"6500{number}:10100",))
        vnis = {10100: second.vnis[10100]._replace(exports=target)}
        known[f"leaf{number}"] = replace(second, node=f"leaf{number}", number=65000 + number, vnis=vnis)
    ends = [next(v for v in lab[node].all(Vxlan) if v.vni == 10100) for node in ("leaf1", "leaf2")]
    (cause,) = vni_causes(lab, known, {}, ends[0], ends[1])
    assert (cause.node, cause.declared, cause.live) == ("leaf1", f"import of {named}", "imports 64999:1")


@pytest.mark.parametrize(
    ("fault", "reaches", "kinds"),
    [("healthy", True, ["evpn route"]), ("healthy", False, []), ("ospf-bfd-one-sided", True, [])],
)
def test_missing_route_is_no_cause_where_the_underlay_may_be(fault: str, reaches: bool, kinds: list[str]) -> None:
    """BGP's sessions hold for a while when OSPF loses the way to a VTEP, and BGP leaves out routes to it at once."""
    lab, target = load_lab("evpn-ospf"), frozenset(("65000:10100",))
    own = {"leaf1": "10.0.0.11", "leaf2": "10.0.0.12"}
    known = ospf_planes(fault)
    for node, vtep in own.items():
        vnis, table = {10100: BgpVni(vtep, target, target)}, {10100: frozenset((EvpnRoute(3, "", vtep),))}
        known[node] = replace(known[node], number=65000, advertises=True, vnis=vnis, evpn=table)
    routes = frozenset((RouteState(ip_network("10.0.0.11/32"), None, "swp1"),)) if reaches else frozenset[RouteState]()
    states = {"leaf2": NodeState("leaf2", {}, frozenset(), routes)}
    ends = [next(v for v in lab[node].all(Vxlan) if v.vni == 10100) for node in ("leaf2", "leaf1")]
    assert [cause.kind for cause in vni_causes(lab, known, states, ends[0], ends[1])] == kinds
