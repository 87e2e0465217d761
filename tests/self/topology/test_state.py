"""A declaration says how a live node must look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface, ip_network
from pathlib import Path

import pytest

from tests.self.builders import reference
from topology.formats.lab import LABS, load_lab
from topology.links import FALLBACK_DEVICES
from topology.model import Bridge, Device, Gre, Node, Route, Vxlan
from topology.plan import make_plan
from topology.state import (
    DEFAULT_RULES,
    READ,
    WATCHED_SYSCTLS,
    Entry,
    LinkState,
    NodeState,
    RouteState,
    declared_link,
    declared_state,
    sysctl_of,
)

A4, B4 = IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2")
A6, B6 = IPv6Address("fd00::1"), IPv6Address("fd00::2")


def test_switch_is_its_ports_bridge_and_vtep() -> None:
    """The reference lab's first switch: who is enslaved to what, and the VTEP's parameters."""
    links = declared_state(reference()["con_ns1"]).links
    assert {name: link.master for name, link in links.items()} == {
        "br1_lc1": None,
        "bridge1_lc1": "bridge1",
        "bridge1_cs1": "bridge1",
        "bridge1_cs2": "bridge1",
        "bridge1": None,
        "vxlan-cont": "bridge1",
    }
    assert links["vxlan-cont"].parameters == (
        ("dev", "br1_lc1"),
        ("dstport", "4900"),
        ("local", "21.0.0.1"),
        ("remote", "23.0.0.1"),
        ("ttl", "auto"),
        ("vni", "30"),
    )
    assert (links["vxlan-cont"].kind, links["vxlan-cont"].mtu, links["vxlan-cont"].up) == ("vxlan", 1450, True)


def test_leaf_has_declared_and_connected_routes() -> None:
    """A leaf's table is what its addresses bring and what is declared, each route with its device."""
    routes = {str(route) for route in declared_state(reference()["lc1"]).routes}
    assert routes == {
        "20.0.0.0/24 dev lc1-bridge1",
        "21.0.0.0/24 dev lc1_br1",
        "25.0.0.0/24 dev lc1_sc1",
        "26.0.0.0/24 dev lc1_sc2",
        "23.0.0.0/24 dev gretun-cont",
        "30.0.0.0/24 dev gretun-cont",
        "27.0.0.0/24 via 25.0.0.1 dev lc1_sc1",
        "28.0.0.0/24 via 26.0.0.1 dev lc1_sc2",
    }


def test_gateway_decides_the_device_where_none_is_named() -> None:
    """A route without a device leaves by the one on whose subnet its gateway is."""
    assert (
        RouteState(ip_network("0.0.0.0/0"), ip_address("20.0.0.254"), "cs1_br1")
        in declared_state(reference()["cs1"]).routes
    )


@pytest.mark.parametrize(
    ("address", "brings"),
    [
        ("10.0.0.1/24", {"10.0.0.0/24 dev x"}),
        ("10.0.0.0/31", {"10.0.0.0/31 dev x"}),
        ("10.0.0.1/32", set()),
        ("fd00::1/64", {"fd00::/64 dev x"}),
        ("fd00::1/128", {"fd00::1/128 dev x"}),
    ],
)
def test_address_brings_the_route_that_linux_makes(address: str, brings: set[str]) -> None:
    """A connected route comes with every IPv6 address, and with IPv4 ones of more than a single host."""
    device = Bridge(node="n", name="x", members=(), addresses=(ip_interface(address),))
    state = declared_state(Node(name="n", role="leaf", devices=(device,)))
    assert {str(route) for route in state.routes} == brings


@pytest.mark.parametrize(
    ("device", "kind", "parameters"),
    [
        (Gre(node="n", name="t", local=A4, remote=B4), "gre", {"ttl": "inherit", "key": "none"}),
        (Gre(node="n", name="t", local=A4, remote=B4, key=0, ttl=9), "gre", {"ttl": "9", "key": "0"}),
        (Gre(node="n", name="t", local=A6, remote=B6, key=5), "ip6gre", {"local": "fd00::1", "key": "5"}),
        (Vxlan(node="n", name="t", vni=7, local=A6, remote=B6), "vxlan", {"dev": "none", "dstport": "4789"}),
    ],
)
def test_tunnel_states_every_parameter(device: Device, kind: str, parameters: dict[str, str]) -> None:
    """Omitted parameters are stated as the kernel will show them, a key of zero apart from no key."""
    link = declared_link(Node(name="n", role="leaf", devices=(device,)), device)
    assert link.kind == kind
    assert parameters.items() <= dict(link.parameters).items()


def test_what_is_not_declared_is_none() -> None:
    """An undeclared MAC is the kernel's choice, and a bridge's MTU is what its members have."""
    device = Bridge(node="n", name="x", members=())
    assert declared_link(Node(name="n", role="switch", devices=(device,)), device) == LinkState("x", "bridge")


def test_kernels_own_devices_are_no_part_of_a_fabric() -> None:
    """The fallback devices that ip_gre brings, and lo, are left out of what is compared."""
    assert {"lo", "gre0", "gretap0", "erspan0"} <= FALLBACK_DEVICES


def test_default_route_reads_as_default() -> None:
    """Routes are shown in the words of ip(8), declared and live alike."""
    route = Route(prefix=ip_network("0.0.0.0/0"), via=B4, dev="x")
    assert str(route) == str(RouteState(route.prefix, B4, "x")) == "default via 10.0.0.2 dev x"


@pytest.mark.parametrize("node", [node.name for node in reference().nodes])
def test_what_the_build_writes_is_what_is_declared(node: str) -> None:
    """Every sysctl that the plan writes in a node is declared with that value, and read of every node."""
    written = {op.arguments["key"]: op.arguments["value"] for op in make_plan(reference()).sysctls if op.node == node}
    assert len(written) > 10
    assert written.items() <= declared_state(reference()[node]).sysctls.items()
    assert written.keys() <= set(WATCHED_SYSCTLS)


def test_every_device_forwards_as_its_node() -> None:
    """A leaf's devices forward, a customer's do not; none filters by reverse path, and IPv6 is on where it is used."""
    leaf, customer = declared_state(reference()["lc1"]), declared_state(reference()["cs1"], ipv6=True)
    assert leaf.sysctls["net.ipv4.conf.gretun-cont.forwarding"] == "1"
    assert leaf.sysctls["net.ipv6.conf.lc1_sc2.forwarding"] == "0"
    assert leaf.sysctls["net.ipv6.conf.lc1_sc2.disable_ipv6"] == "1"
    assert leaf.sysctls["net.ipv4.conf.lc1_sc2.rp_filter"] == "0"
    assert customer.sysctls["net.ipv4.conf.cs1_br1.forwarding"] == "0"
    assert customer.sysctls["net.ipv6.conf.cs1_br1.disable_ipv6"] == "0"
    assert declared_state(reference()["lc1"], ipv6=True).sysctls["net.ipv6.conf.lc1_sc2.forwarding"] == "1"


@pytest.mark.parametrize(
    ("version", "device", "key"),
    [(4, "eth0", "net.ipv4.conf.eth0.rp_filter"), (6, "eth0.5", "net/ipv6/conf/eth0.5/rp_filter")],
)
def test_dots_of_a_device_are_its_own(version: int, device: str, key: str) -> None:
    """A key with a device's name in it is written as sysctl(8) takes it."""
    assert sysctl_of(version, device, "rp_filter") == key


def test_nothing_but_defaults_and_the_vtep_decides() -> None:
    """A node has the kernel's rules and its VTEP's remote, no other rule, neighbour, filter or qdisc."""
    defaults = DEFAULT_RULES[4] | DEFAULT_RULES[6]
    assert declared_state(reference()["lc1"]).entries == defaults
    (flood,) = declared_state(reference()["con_ns1"]).entries - defaults
    words = "00:00:00:00:00:00 dev vxlan-cont dst 23.0.0.1 via br1_lc1 self permanent"
    assert (str(flood), flood.device) == (f"bridge fdb {words}", "vxlan-cont")


def test_vtep_without_a_device_floods_by_route() -> None:
    """If no device is named, the kernel names none either."""
    device = Vxlan(node="n", name="t", vni=7, local=A6, remote=B6)
    entries = declared_state(Node(name="n", role="switch", devices=(device,))).entries
    assert "00:00:00:00:00:00 dev t dst fd00::2 self permanent" in {entry.words for entry in entries}


CHANGES: dict[str, Callable[[NodeState], NodeState]] = {
    "link": lambda state: replace(state, links={**state.links, "x": LinkState("x", "veth")}),
    "address": lambda state: replace(state, addresses=state.addresses | {("x", ip_interface("9.9.9.9/32"))}),
    "route": lambda state: replace(state, routes=state.routes | {RouteState(ip_network("9.9.9.0/24"), B4, "x")}),
    "type of route": lambda state: replace(
        state, routes=state.routes | {RouteState(ip_network("9.9.9.0/24"), None, None, "blackhole")}
    ),
    "entry": lambda state: replace(state, entries=state.entries | {Entry("tc qdisc", "x", "dev x root", "dev x root")}),
    "no entry": lambda state: replace(state, entries=frozenset()),
    "sysctl": lambda state: replace(state, sysctls={**state.sysctls, "net.ipv4.ip_forward": "7"}),
    "no sysctl": lambda state: replace(state, sysctls={}),
    "node": lambda state: replace(state, node="x"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_part_of_a_state_is_in_its_text(name: str) -> None:
    """Two states that differ in anything have different texts, so a fingerprint covers all of it."""
    state = declared_state(reference()["con_ns1"])
    assert CHANGES[name](state).canonical != state.canonical


def test_equal_states_have_one_text() -> None:
    """The order in which a kernel tells things is no part of a state."""
    state = declared_state(reference()["con_ns1"])
    turned = replace(
        state,
        links={name: state.links[name] for name in reversed(list(state.links))},
        sysctls=dict(sorted(state.sysctls.items(), reverse=True)),
    )
    assert turned.canonical == state.canonical


def test_what_is_read_is_listed_in_one_place() -> None:
    """Each parameter that a declared link is held to is listed as read, and the documentation has the same list."""
    docs = (Path(__file__).parents[3] / "docs" / "adopting.md").read_text()
    assert [what for what, of_it in READ.items() if f"| {what} | {of_it} |" not in docs] == []
    labs = [load_lab(path) for path in sorted(LABS.glob("*.yaml"))]
    links = [link for lab in labs for node in lab.nodes for link in declared_state(node).links.values()]
    assert {"vxlan", "gre", "geneve", "vlan", "ip6gre"} <= {link.kind for link in links}
    unlisted = {
        (link.kind, name) for link in links for name, _ in link.parameters if name not in READ[link.kind].split(", ")
    }
    assert unlisted == set()
