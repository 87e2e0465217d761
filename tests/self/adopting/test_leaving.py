from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network

import pytest

from tests.self.builders import vxlan_lab
from topology.kernels.rtnl.links import LinkEnd
from topology.nodes.leaving import Outlets, flood_out, outlets_of, way_out
from topology.nodes.management import management_devices, without
from topology.promises import Management
from topology.refs import PortRef
from topology.state import Entry, LinkState, NodeState, RouteState, sysctl_of

LAN, FAR, OUTSIDE = "10.0.1.0/24", "10.0.2.0/24", "203.0.113.1"
CARD: Outlets = {"a": frozenset({"eth0"}), "r": frozenset({"eth0"})}


def route(prefix: str, dev: str, via: str | None = None, kind: str = "unicast") -> RouteState:
    """A route of the main table."""
    return RouteState(ip_network(prefix), ip_address(via) if via else None, dev, kind)


def node(name: str, addresses: Mapping[str, str], *routes: RouteState, **links: LinkState) -> NodeState:
    """A node with an address on each device, the connected routes of which come by themselves."""
    known = frozenset((device, ip_interface(text)) for device, text in addresses.items())
    connected = {RouteState(interface.network, None, device) for device, interface in known}
    return NodeState(name, links, known, frozenset({*connected, *routes}))


def fabric(a_default: RouteState | None = None, *r_routes: RouteState) -> dict[str, NodeState]:
    """Hosts a and b behind a router r; a and r also have a card to a foreign network."""
    from_a = [a_default or route(FAR, "a_r", "10.0.1.254")]
    return {
        "a": node("a", {"a_r": "10.0.1.1/24", "eth0": "172.17.0.2/16"}, *from_a),
        "r": node("r", {"r_a": "10.0.1.254/24", "r_b": "10.0.2.254/24", "eth0": "172.17.0.3/16"}, *r_routes),
        "b": node("b", {"b_r": "10.0.2.1/24"}, route("0.0.0.0/0", "b_r", "10.0.2.254")),
    }


DEFAULT = "0.0.0.0/0"
NEAR = "a: no route to 10.0.2.1 in the fabric; it would take default "
WAYS = {
    "declared way": (fabric(), "10.0.2.1", ""),
    "neighbour": (fabric(), "10.0.1.254", ""),
    "no route": (fabric(), OUTSIDE, ""),
    "on the card's own network": (fabric(), "172.17.0.3", ""),
    "default route of the source": (
        fabric(route(DEFAULT, "eth0", "172.17.0.1")),
        "10.0.2.1",
        f"{NEAR}via 172.17.0.1 dev",
    ),
    "refused": (fabric(route(DEFAULT, "eth0", "172.17.0.1", "blackhole")), "10.0.2.1", ""),
    "by the card to a node": (fabric(route(DEFAULT, "eth0", "172.17.0.3")), "10.0.2.1", ""),
    "default route without a gateway": (fabric(route(DEFAULT, "eth0")), "10.0.2.1", f"{NEAR}dev eth0"),
    "router on the way": (
        fabric(None, route("10.0.2.1/32", "eth0", "172.17.0.1")),
        "10.0.2.1",
        "r: no route to 10.0.2.1",
    ),
    "default route that is not taken": (fabric(None, route(DEFAULT, "eth0", "172.17.0.1")), "10.0.2.1", ""),
}


@pytest.mark.parametrize("case", WAYS)
def test_way_out_is_found_where_the_routes_lead(case: str) -> None:
    """The longest prefix decides at each node; a gateway behind a card that is no node's is outside."""
    states, dst, way = WAYS[case]
    found = way_out(states, CARD, "a", ip_address(dst))
    assert found.startswith(way)
    assert bool(found) == bool(way)
    assert way_out(states, {}, "a", ip_address(dst)) == ""


def test_way_into_a_device_that_is_not_followed_says_so() -> None:
    """Behind a card is a foreign network; what is behind WireGuard is not known."""
    states = dict(fabric(route(DEFAULT, "eth0", "172.17.0.1")))
    kinds = {}
    for kind in ("physical", "wireguard"):
        states["a"] = replace(states["a"], links={"eth0": LinkState("eth0", kind)})
        kinds[kind] = way_out(states, CARD, "a", ip_address("10.0.2.1"))
    assert kinds["wireguard"] == f"{kinds['physical']}: wireguard is not followed"


def test_management_leads_out_wherever_it_leads() -> None:
    """A route by a management device is a way out, to a node's own address there too; no other device changes."""
    management: Outlets = {"a": frozenset({"eth0"}), "r": frozenset({"eth0"})}

    def found(states: Mapping[str, NodeState], dst: str) -> str:
        return way_out(states, {}, "a", ip_address(dst), management)

    assert (
        found(fabric(), "172.17.0.3") == "a: no route to 172.17.0.3 in the fabric; it would take 172.17.0.0/16 dev eth0"
    )
    assert found(fabric(route(DEFAULT, "eth0", "172.17.0.3")), "10.0.2.1") == f"{NEAR}via 172.17.0.3 dev eth0"
    assert found(fabric(), "10.0.2.1") == ""


MANAGED = {
    "by name": (Management(frozenset({"eth0"})), {"eth0"}),
    "by address": (Management(networks=frozenset({ip_network("172.17.0.0/16")})), {"eth0"}),
    "a bridge and its ports": (Management(frozenset({"br0"})), {"br0", "port"}),
    "none": (Management(), set()),
    "another": (Management(frozenset({"eth9"}), frozenset({ip_network("fd00::/8")})), set()),
}


@pytest.mark.parametrize("case", MANAGED)
def test_state_is_read_without_its_management(case: str) -> None:
    """Links, addresses, routes, entries and settings of a management device are left out, all else stays."""
    management, wanted = MANAGED[case]
    links = {name: LinkState(name, "veth") for name in ("eth0", "a_r", "br0")}
    links["port"] = LinkState("port", "veth", master="br0")
    whole = node("a", {"a_r": "10.0.1.1/24", "eth0": "172.17.0.2/16"}, route(DEFAULT, "a_r", "10.0.1.254"), **links)
    entries = frozenset(Entry("ip neigh", device, "10.0.0.9 lladdr 02:00:00:00:00:01", "") for device in links)
    sysctls = {sysctl_of(4, device, "forwarding"): "1" for device in (*links, "all")}
    whole = replace(whole, entries=entries, sysctls=sysctls)
    devices = management_devices(management, whole)
    left = without(whole, devices)
    assert devices == wanted
    kept = {*links} - wanted
    assert {*left.links} == kept
    assert {device for device, _ in left.addresses} == {route.dev for route in left.routes} == kept & {"a_r", "eth0"}
    assert {entry.device for entry in left.entries} == kept
    assert len(left.sysctls) == len(kept) + 1


OUT = " would leave by eth9"
FLOODS = {
    "by a port of a bridge on its way": ("c1:c1_v1", {"v1": {"eth9"}}, "v1: a frame to all from c1:c1_v1" + OUT),
    "beyond a tunnel": ("c5:c5_v2", {"v1": {"eth9"}}, "v1: a frame to all from c5:c5_v2" + OUT),
    "out of a tunnel's end": ("v1:vx", {"v1": {"eth9"}}, "v1: a frame to all from v1:vx" + OUT),
    "another segment": ("c3:c3_l1", {"v1": {"eth9"}}, ""),
    "its own device": ("c3:c3_l1", {"c3": {"c3_l1"}}, "c3: a frame to all from c3:c3_l1 would leave by c3_l1"),
    "a device that is gone": ("c3:eth7", {"c3": {"c3_l1"}}, ""),
    "no exit": ("c1:c1_v1", {}, ""),
}


@pytest.mark.parametrize("case", FLOODS)
def test_frame_to_all_leaves_where_a_bridge_leads_out(case: str) -> None:
    """A frame is followed through bridges and tunnels; management leads out as any card does."""
    sender, exits, way = FLOODS[case]
    states = {one.name: node(one.name, {}) for one in vxlan_lab().nodes}
    states["v1"] = node("v1", {}, eth9=LinkState("eth9", "veth", master="br"))
    outlets = {name: frozenset(devices) for name, devices in exits.items()}
    place = PortRef(*sender.split(":"))
    assert flood_out(vxlan_lab(), states, outlets, {}, place) == way
    assert flood_out(vxlan_lab(), states, {}, outlets, place) == way


def test_every_equal_way_is_followed() -> None:
    """One of two equal-cost ways out is a way out, whichever the kernel would take."""
    states = fabric(None, route(f"{OUTSIDE}/32", "r_b", "10.0.2.1"), route(f"{OUTSIDE}/32", "eth0", "172.17.0.1"))
    assert way_out(states, CARD, "r", ip_address(OUTSIDE)).startswith("r: no route to")


def test_loop_ends() -> None:
    """Two nodes that send a packet to each other for ever do not hold up the search."""
    states = fabric(route(f"{OUTSIDE}/32", "a_r", "10.0.1.254"), route(f"{OUTSIDE}/32", "r_a", "10.0.1.1"))
    assert way_out(states, CARD, "a", ip_address(OUTSIDE)) == ""


def test_tunnel_is_followed_to_its_far_end_both_as_packet_and_as_route() -> None:
    """A packet that leaves in a tunnel and one that leaves behind it are both found."""
    tunnel = LinkState("gre1", "gre", parameters=(("remote", "10.0.2.1"),))
    near = route("0.0.0.0/0", "eth0", "172.17.0.1")
    inside = route(f"{OUTSIDE}/32", "gre1")
    through = fabric()
    through["a"] = node("a", {"a_r": "10.0.1.1/24", "eth0": "172.17.0.2/16"}, inside, near, gre1=tunnel)
    assert way_out(through, CARD, "a", ip_address(OUTSIDE)).startswith(
        "a: no route to 10.0.2.1 in the fabric; it would take default"
    )
    through["a"] = node("a", {"a_r": "10.0.1.1/24"}, inside, route(FAR, "a_r", "10.0.1.254"), gre1=tunnel)
    assert way_out(through, CARD, "a", ip_address(OUTSIDE)) == ""
    behind = {**through, "b": node("b", {"b_r": "10.0.2.1/24"}, route("0.0.0.0/0", "eth0", "172.17.0.1"))}
    assert way_out(behind, {"b": frozenset({"eth0"})}, "a", ip_address(OUTSIDE)).startswith("b: no route to")


def test_devices_that_lead_out_differ_from_those_that_stay() -> None:
    """Cards, unknown kinds and veths to outsiders lead out, and so does the bridge that has one for a member; what
    stands on another device leads out where that one does."""
    links = [("lo", True, ""), ("eth0", True, ""), ("down0", False, ""), ("own", True, "veth"), ("br0", True, "bridge")]
    links += [("gre1", True, "gre"), ("wg0", True, "wireguard"), ("vti1", True, "vti"), ("bond0", True, "bond")]
    here = [LinkEnd(name, index, up, kind) for index, (name, up, kind) in enumerate(links, 10)]
    here += [LinkEnd("outsider", 5, True, "veth", 9, 0), LinkEnd("joined", 6, True, "veth", 9, 1)]
    below = [("joined.7", "vlan", 6), ("vrrp", "macvlan", 31), ("eth0.7", "vlan", 11), ("sec", "macsec", 11)]
    here += [LinkEnd(name, index, True, kind, below=at) for index, (name, kind, at) in enumerate(below, 31)]
    here += [LinkEnd("moved.7", 41, True, "vlan", None, 1, 11), LinkEnd("away.7", 42, True, "vlan", None, 2, 11)]
    here += [LinkEnd("nk0", 51, True, "netkit", below=52), LinkEnd("nk1", 52, True, "netkit", below=51)]
    here += [LinkEnd("away", 61, True, "vxlan", None, 2, None)]
    ends = {"a": here, "b": [LinkEnd("lo", 1, True), LinkEnd("joined", 9, True, "veth", 6, 0)]}
    masters = {"outsider": LinkState("outsider", "veth", master="br0")}
    states = {"a": node("a", {}, **masters), "b": node("b", {})}
    found = outlets_of(ends, {("a", 6), ("b", 9), ("a", 41)}, states)
    assert found == {
        "a": frozenset({"eth0", "outsider", "br0", "wg0", "eth0.7", "sec", "away.7", "away", "nk0", "nk1"})
    }
