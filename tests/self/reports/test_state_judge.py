"""Declared and live state differ: every kind of difference, in order, each with the command that fixes it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from reports.judge.state import differences, find_causes
from tests.self.builders import known_lab, reference
from tests.self.reports.states import (
    LEAF,
    SPINE,
    SWITCH,
    address,
    links,
    parameter,
    route,
    routes,
    sysctl,
    with_link,
    without,
)
from topology.model import Subinterface
from topology.state import LinkState, NodeState, RouteState, declared_state

TO_LC2 = "28.0.0.0/24 via 26.0.0.1 dev lc1_sc2"
OTHER_WAY = route("28.0.0.0/24", "25.0.0.1", "lc1_sc1")
CASES: dict[str, tuple[NodeState, NodeState, str]] = {
    "link missing": (
        SWITCH,
        without(SWITCH, "bridge1_cs1"),
        "con_ns1 - bridge1_cs1 - link - expected a veth - seen missing",
    ),
    "link extra": (
        SWITCH,
        with_link(SWITCH, LinkState("eth0", "veth")),
        "con_ns1 - eth0 - link - expected nothing - seen a veth - fix: ip -n con_ns1 link del dev eth0",
    ),
    "link of another kind": (
        SWITCH,
        links(SWITCH, "bridge1_cs1", kind="macvlan"),
        "con_ns1 - bridge1_cs1 - link - expected veth - seen macvlan - fix: ip -n con_ns1 link del dev bridge1_cs1",
    ),
    "link down": (
        LEAF,
        links(LEAF, "lc1_sc2", up=False),
        "lc1 - lc1_sc2 - link - expected up - seen down - fix: ip -n lc1 link set dev lc1_sc2 up",
    ),
    "no address resolution": (
        SWITCH,
        links(SWITCH, "bridge1_cs1", arp=False),
        "con_ns1 - bridge1_cs1 - arp - expected arp on - seen arp off"
        " - fix: ip -n con_ns1 link set dev bridge1_cs1 arp on",
    ),
    "blocked port": (
        SWITCH,
        links(SWITCH, "vxlan-cont", port=(("state", "blocking"),)),
        "con_ns1 - vxlan-cont - bridge port - expected state forwarding - seen state blocking"
        " - fix: bridge -n con_ns1 link set dev vxlan-cont state forwarding",
    ),
    "VLAN filtering": (
        SWITCH,
        links(SWITCH, "bridge1", parameters=(("vlan_filtering", "on"),)),
        "con_ns1 - bridge1 - bridge - expected vlan_filtering the default - seen vlan_filtering on"
        " - fix: ip -n con_ns1 link set dev bridge1 type bridge vlan_filtering 0",
    ),
    "no multicast snooping": (
        SWITCH,
        links(SWITCH, "bridge1", parameters=(("mcast_snooping", "off"),)),
        "con_ns1 - bridge1 - bridge - expected mcast_snooping the default - seen mcast_snooping off"
        " - fix: ip -n con_ns1 link set dev bridge1 type bridge mcast_snooping 1",
    ),
    "MTU of a route": (
        LEAF,
        routes(
            routes(LEAF, gone="28.0.0.0/24 via 26.0.0.1 dev lc1_sc2"),
            come=replace(route("28.0.0.0/24", "26.0.0.1", "lc1_sc2"), metrics="mtu 1400"),
        ),
        "lc1 - lc1_sc2 - mtu - expected 28.0.0.0/24 via 26.0.0.1 dev lc1_sc2"
        " - seen 28.0.0.0/24 via 26.0.0.1 dev lc1_sc2 mtu 1400"
        " - fix: ip -n lc1 route replace 28.0.0.0/24 via 26.0.0.1 dev lc1_sc2",
    ),
    "no bridge": (
        SWITCH,
        links(SWITCH, "vxlan-cont", master=None),
        "con_ns1 - vxlan-cont - bridge - expected bridge1 - seen no bridge"
        " - fix: ip -n con_ns1 link set dev vxlan-cont master bridge1",
    ),
    "a bridge too many": (
        SWITCH,
        links(SWITCH, "br1_lc1", master="bridge1"),
        "con_ns1 - br1_lc1 - bridge - expected no bridge - seen bridge1"
        " - fix: ip -n con_ns1 link set dev br1_lc1 nomaster",
    ),
    "vni": (
        SWITCH,
        parameter(SWITCH, "vxlan-cont", vni="31"),
        "con_ns1 - vxlan-cont - vxlan - expected vni 30 - seen vni 31 - fix: ip -n con_ns1 link del dev vxlan-cont",
    ),
    "parameter unknown": (
        LEAF,
        links(
            LEAF,
            "gretun-cont",
            parameters=tuple(known for known in LEAF.links["gretun-cont"].parameters if known[0] != "local"),
        ),
        "lc1 - gretun-cont - gre - expected local 26.0.0.2 - seen local missing"
        " - fix: ip -n lc1 link del dev gretun-cont",
    ),
    "mtu": (
        SWITCH,
        links(SWITCH, "vxlan-cont", mtu=1500),
        "con_ns1 - vxlan-cont - mtu - expected 1450 - seen 1500 - fix: ip -n con_ns1 link set dev vxlan-cont mtu 1450",
    ),
    "mac": (
        SWITCH,
        links(SWITCH, "bridge1", mac="02:00:00:00:00:01"),
        "con_ns1 - bridge1 - mac - expected 02:4e:99:24:8d:05 - seen 02:00:00:00:00:01"
        " - fix: ip -n con_ns1 link set dev bridge1 address 02:4e:99:24:8d:05",
    ),
    "address missing": (
        LEAF,
        address(LEAF, gone="26.0.0.2/24"),
        "lc1 - lc1_sc2 - address - expected 26.0.0.2/24 - seen missing"
        " - fix: ip -n lc1 addr add 26.0.0.2/24 dev lc1_sc2",
    ),
    "address extra": (
        LEAF,
        address(LEAF, come="9.9.9.9/32"),
        "lc1 - lc1_sc2 - address - expected nothing - seen 9.9.9.9/32 - fix: ip -n lc1 addr del 9.9.9.9/32 dev lc1_sc2",
    ),
    "route missing": (
        LEAF,
        routes(LEAF, gone=TO_LC2),
        f"lc1 - lc1_sc2 - route - expected {TO_LC2} - seen missing - fix: ip -n lc1 route replace {TO_LC2}",
    ),
    "route another way": (
        LEAF,
        routes(LEAF, gone=TO_LC2, come=OTHER_WAY),
        f"lc1 - lc1_sc2 - route - expected {TO_LC2} - seen {OTHER_WAY} - fix: ip -n lc1 route replace {TO_LC2}",
    ),
    "route extra": (
        LEAF,
        routes(LEAF, come=route("0.0.0.0/0", "25.0.0.1", "lc1_sc1")),
        "lc1 - lc1_sc1 - route - expected nothing - seen default via 25.0.0.1 dev lc1_sc1"
        " - fix: ip -n lc1 route del default via 25.0.0.1 dev lc1_sc1",
    ),
    "IPv6 default route": (
        LEAF,
        routes(LEAF, come=route("::/0", None, "lc1_sc1")),
        "lc1 - lc1_sc1 - route - expected nothing - seen default dev lc1_sc1"
        " - fix: ip -n lc1 -6 route del default dev lc1_sc1",
    ),
    "blackhole": (
        LEAF,
        routes(LEAF, come=RouteState(ip_network("9.9.9.0/24"), None, None, "blackhole")),
        "lc1 - route - expected nothing - seen blackhole 9.9.9.0/24 - fix: ip -n lc1 route del blackhole 9.9.9.0/24",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_one_difference_is_reported_once_with_its_fix(name: str) -> None:
    """One thing that differs is one cause: where, what, expected, seen, and the command that fixes it."""
    declared, live, words = CASES[name]
    assert [str(cause) for cause in differences(declared, live)] == [words]


@pytest.mark.parametrize("node", [node.name for node in reference().nodes])
def test_node_as_declared_has_no_difference(node: str) -> None:
    """A node that is as declared has nothing to fix."""
    state = declared_state(reference()[node])
    assert differences(state, state) == ()


def test_undeclared_state_is_not_compared() -> None:
    """A MAC or an MTU that the kernel chose itself is as good as another."""
    declared = links(SWITCH, "bridge1", mac=None, mtu=None)
    assert differences(declared, links(SWITCH, "bridge1", mac="02:00:00:00:00:07", mtu=9000)) == ()


def test_wrong_state_of_one_link_is_in_order() -> None:
    """A device is compared in order: up or down, bridge, parameters, MTU, MAC."""
    live = links(parameter(SWITCH, "vxlan-cont", vni="1"), "vxlan-cont", up=False, master=None, mtu=1, mac="x")
    assert [cause.kind for cause in differences(SWITCH, live)] == ["link", "bridge", "vxlan", "mtu", "mac"]


def test_two_routes_for_one_are_both_reported() -> None:
    """If two routes replace the declared one, one is what is seen instead, the other is too many."""
    third = route("28.0.0.0/24", None, "lc1_br1")
    live = routes(routes(LEAF, gone=TO_LC2, come=OTHER_WAY), come=third)
    assert [cause.live for cause in differences(LEAF, live)] == ["28.0.0.0/24 dev lc1_br1", str(OTHER_WAY)]


BROKEN_LEAF, BROKEN_SWITCH = CASES["route missing"][1], CASES["vni"][1]
DECLARED = {"con_ns1": SWITCH, "lc1": LEAF, "sc2": SPINE}
LIVE = {"con_ns1": BROKEN_SWITCH, "lc1": BROKEN_LEAF, "sc2": SPINE}


@pytest.mark.parametrize(
    ("suspects", "node"),
    [
        (["lc1", "con_ns1"], "lc1"),
        (["con_ns1", "lc1"], "con_ns1"),
        (["sc2"], "con_ns1"),
        ([], "con_ns1"),
        (["nobody", "lc1"], "lc1"),
    ],
)
def test_cause_is_looked_for_at_the_suspects_first(suspects: list[str], node: str) -> None:
    """The first suspect with a difference is the cause; without one, whoever is next in the lab."""
    assert next(find_causes(DECLARED, LIVE, suspects)).node == node


def test_node_without_cables_comes_before_those_that_lost_an_end_of_one() -> None:
    """Whoever is suspected first, the node that has none of its cables is the cause."""
    gone = replace(SPINE, links={})
    live = {**DECLARED, "sc2": gone, "lc1": without(DECLARED["lc1"], "lc1_sc2")}
    assert next(find_causes(DECLARED, live, ["lc1"])).node == "sc2"


def test_no_difference_is_no_cause() -> None:
    """A fabric that is as declared has no cause to give, nor one that could not be read."""
    assert list(find_causes(DECLARED, DECLARED, ["lc1"])) == []
    assert list(find_causes(DECLARED, {}, ["lc1"])) == []


def every_route_by(state: NodeState, device: str) -> NodeState:
    """A node without its routes by one device, as a kernel leaves it without the device, its carrier or its address."""
    return replace(state, routes=frozenset(route for route in state.routes if route.dev != device))


TRUNK = known_lab("vlan-trunk")
TAGGED = next(device for device in TRUNK.all(Subinterface) if TRUNK[device.node].bridge_of(device.name))
TRUNKED = declared_state(TRUNK[TAGGED.node])
FOLLOWS: dict[str, tuple[NodeState, NodeState, str]] = {
    "GRE checksum": (LEAF, links(parameter(LEAF, "gretun-cont", csum="yes"), "gretun-cont", mtu=1472), "csum yes"),
    "VXLAN by IPv6": (
        SWITCH,
        links(parameter(SWITCH, "vxlan-cont", local="fd00::1"), "vxlan-cont", mtu=1430),
        "local fd00::1",
    ),
    "link down": (LEAF, every_route_by(links(LEAF, "lc1_sc2", up=False), "lc1_sc2"), "down"),
    "address gone": (LEAF, every_route_by(address(LEAF, gone="26.0.0.2/24"), "lc1_sc2"), "missing"),
    "no IPv6": (
        LEAF,
        sysctl(address(LEAF, gone="26.0.0.2/24"), net__ipv6__conf__all__disable_ipv6="0"),
        "net.ipv6.conf.all.disable_ipv6=0",
    ),
    "port of a VLAN": (
        TRUNKED,
        links(links(TRUNKED, TAGGED.name, mtu=1400), TAGGED.link, mtu=1400),
        f"{TAGGED.link} 1400",
    ),
    "in a VRF": (LEAF, every_route_by(links(LEAF, "lc1_br1", master="vrf9"), "lc1_br1"), "vrf9"),
}


@pytest.mark.parametrize("name", FOLLOWS)
def test_what_follows_never_comes_before_its_cause(name: str) -> None:
    """The first of several differences is the cause of the others, in any order of declaration."""
    declared, live, words = FOLLOWS[name]
    first, *rest = differences(declared, live)
    assert rest
    assert f"{first.interface} {first.live}".endswith(words)
