"""What a declaration says a live node must look like."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface, ip_network

import pytest

from tests.self.builders import reference
from topology.model import Bridge, Device, Gre, Node, Route, Vxlan
from topology.state import FALLBACK_DEVICES, LinkState, RouteState, declared_link, declared_state

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
    """What a tunnel leaves out is stated as the kernel will show it, a key of zero apart from no key."""
    link = declared_link(Node(name="n", role="leaf", devices=(device,)), device)
    assert link.kind == kind
    assert parameters.items() <= dict(link.parameters).items()


def test_what_is_not_declared_is_none() -> None:
    """A MAC that nobody declared is the kernel's choice, and a bridge's MTU is what its members have."""
    device = Bridge(node="n", name="x", members=())
    assert declared_link(Node(name="n", role="switch", devices=(device,)), device) == LinkState("x", "bridge")


def test_kernels_own_devices_are_no_part_of_a_fabric() -> None:
    """The fallback devices that ip_gre brings, and lo, are left out of what is compared."""
    assert {"lo", "gre0", "gretap0", "erspan0"} <= FALLBACK_DEVICES


def test_unknown_kind_of_device_is_refused() -> None:
    """A device that has no words here is an error, not an empty state."""
    with pytest.raises(TypeError, match="no state for a Device"):
        declared_link(Node(name="n", role="leaf"), Device(node="n", name="x"))


def test_default_route_reads_as_default() -> None:
    """Routes are shown in the words of ip(8), declared and live alike."""
    route = Route(prefix=ip_network("0.0.0.0/0"), via=B4, dev="x")
    assert str(route) == str(RouteState(route.prefix, B4, "x")) == "default via 10.0.0.2 dev x"
