"""A walk over live state ends at the mistake in the reference lab's node, and says why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import reduce
from ipaddress import ip_address, ip_network
from types import MappingProxyType

import pytest

from tests.self.builders import reference
from topology.dataplane.live import live_fabric
from topology.expected import expected_journey, probe_between
from topology.formats.lab import load_lab_text
from topology.links.base import FLOOD_MAC
from topology.state import Entry, LinkState, NodeState, RouteState, declared_state, sysctl_of

Change = Callable[[NodeState], NodeState]
NOT_UNICAST = ("blackhole", "unreachable", "prohibit", "throw", "local")
"""The types of ip-route(8) that a route's words begin with."""


def link(name: str, parameters: Mapping[str, str] = MappingProxyType({}), **changes: object) -> Change:
    """Change one device; ``parameters`` are added to those that it has."""

    def change(state: NodeState) -> NodeState:
        known = state.links[name]
        own = {**dict(known.parameters), **parameters}
        changed = replace(known, parameters=tuple(sorted(own.items())), **changes)  # type: ignore[arg-type]
        return replace(state, links={**state.links, name: changed})

    return change


def without(name: str) -> Change:
    return lambda state: replace(state, links={key: one for key, one in state.links.items() if key != name})


def second(name: str, other: str) -> Change:
    """Add a device like another one."""
    return lambda state: replace(state, links={**state.links, other: replace(state.links[name], name=other)})


def without_route(prefix: str) -> Change:
    gone = ip_network(prefix)
    return lambda state: replace(state, routes=frozenset(r for r in state.routes if r.prefix != gone))


def without_addresses(device: str) -> Change:
    return lambda state: replace(state, addresses=frozenset(one for one in state.addresses if one[0] != device))


def route_instead(prefix: str, kind: str) -> Change:
    new = RouteState(ip_network(prefix), None, None, kind)
    return lambda state: replace(without_route(prefix)(state), routes=without_route(prefix)(state).routes | {new})


def route_beside(prefix: str, kind: str) -> Change:
    new = RouteState(ip_network(prefix), None, None, kind)
    return lambda state: replace(state, routes=state.routes | {new})


def of_another_kind(name: str) -> Change:
    return lambda state: replace(
        state, links={**state.links, name: LinkState(name, "wireguard", mac="02:00:00:00:00:09")}
    )


def sysctl(version: int, device: str, name: str, value: str) -> Change:
    return lambda state: replace(state, sysctls={**state.sysctls, sysctl_of(version, device, name): value})


def said(tool: str, device: str | None, words: str, place: str = "", owner: str = "") -> Entry:
    """An entry as it is read where a tool lists it with these words: a route of another table with what they say."""
    of_route = _route(tool, words) if tool.endswith("route") else None
    return Entry(tool, device, words, place or words, owner=owner, read=of_route)


def _route(tool: str, words: str) -> RouteState:
    kind, *rest = words.replace("via inet6", "via").split()
    if kind not in NOT_UNICAST:
        kind, rest = "unicast", [kind, *rest]
    first = rest[0] if rest[0] != "default" else "::/0" if "-6" in tool else "0.0.0.0/0"
    told = dict(zip(rest[1::2], rest[2::2], strict=False))
    return RouteState(ip_network(first), ip_address(told["via"]) if "via" in told else None, told.get("dev"), kind)


def entry(tool: str, words: str) -> Change:
    return lambda state: replace(state, entries=state.entries | {said(tool, None, words)})


def both(*changes: Change) -> Change:
    return lambda state: reduce(lambda known, change: change(known), changes, state)


def neighbour(address: str, device: str) -> Change:
    words = f"{address} lladdr 02:00:00:00:00:77 dev {device} nud permanent"
    return lambda state: replace(state, entries=state.entries | {Entry("ip neigh", device, words, words)})


def group(device: str, remote: str) -> Change:
    """Give a VXLAN device another remote, as its parameter and as the entry that the kernel makes of it."""

    def change(state: NodeState) -> NodeState:
        kept = {entry for entry in state.entries if entry.tool != "bridge fdb"}
        words = f"{FLOOD_MAC} dev {device} dst {remote} self permanent"
        flood = {Entry("bridge fdb", device, words, words)} if remote != "none" else set()
        return link(device, parameters={"remote": remote})(replace(state, entries=frozenset(kept | flood)))

    return change


SEGMENT = ("cs1", "cs5")
"""Two customers of one segment, which VXLAN between two switches joins."""
ROUTED = ("cs1", "cs3")
ENDINGS: dict[str, tuple[tuple[str, str], str, Change, str]] = {
    "link down": (ROUTED, "lc1", link("lc1_sc2", up=False), "lc1:lc1_sc2: down"),
    "far end down": (ROUTED, "sc2", link("sc2_lc1", up=False), "sc2:sc2_lc1: down"),
    "no route": (ROUTED, "lc1", without_route("30.0.0.0/24"), "lc1: no route to 30.0.0.1"),
    "blackhole": (
        ROUTED,
        "lc1",
        route_instead("30.0.0.0/24", "blackhole"),
        "lc1: a route of type blackhole to 30.0.0.1",
    ),
    "more specific blackhole": (
        ROUTED,
        "lc1",
        route_beside("30.0.0.0/25", "blackhole"),
        "lc1: a route of type blackhole to 30.0.0.1",
    ),
    "forwarding off": (
        ROUTED,
        "lc1",
        sysctl(4, "lc1-bridge1", "forwarding", "0"),
        "lc1: forwards no IPv4 packets from lc1-bridge1",
    ),
    "key on one side": (
        ROUTED,
        "lc2",
        link("gretun-cont", parameters={"key": "5"}),
        "lc2:gretun-cont: key 5; lc1:gretun-cont: key none",
    ),
    "another VNI": (
        SEGMENT,
        "con_ns3",
        link("vxlan-cont", parameters={"vni": "31"}),
        "con_ns3:vxlan-cont: vni 31; con_ns1:vxlan-cont: vni 30: cs1:cs1_br1 gets no answer for 20.0.0.3",
    ),
    "no VXLAN device": (
        SEGMENT,
        "con_ns3",
        without("vxlan-cont"),
        "con_ns3: no VXLAN device for VNI 30 on UDP port 4900: cs1:cs1_br1 gets no answer for 20.0.0.3",
    ),
    "VXLAN device in no bridge": (
        SEGMENT,
        "con_ns3",
        link("vxlan-cont", master=None),
        "con_ns3:vxlan-cont: has no address and is in no bridge: cs1:cs1_br1 gets no answer for 20.0.0.3",
    ),
    "source's port in no bridge": (
        SEGMENT,
        "con_ns1",
        link("bridge1_cs1", master=None),
        "con_ns1:bridge1_cs1: has no address and is in no bridge: cs1:cs1_br1 gets no answer for 20.0.0.3",
    ),
    "target's port in no bridge": (
        SEGMENT,
        "con_ns3",
        link("bridge3_cs5", master=None),
        "con_ns3:bridge3_cs5: has no address and is in no bridge: cs1:cs1_br1 gets no answer for 20.0.0.3",
    ),
    "disabled port": (
        SEGMENT,
        "con_ns1",
        link("vxlan-cont", port=(("state", "disabled"),)),
        "con_ns1:vxlan-cont: state disabled: cs1:cs1_br1 gets no answer for 20.0.0.3",
    ),
    "ARP off at the source": (
        SEGMENT,
        "cs1",
        link("cs1_br1", arp=False),
        "cs1:cs1_br1: resolves no addresses (arp off)",
    ),
    "ARP off at the target": (
        SEGMENT,
        "cs5",
        link("cs5_br3", arp=False),
        "cs5:cs5_br3: answers for no address (arp off): cs1:cs1_br1 gets no answer for 20.0.0.3",
    ),
    "no route, but a policy rule": (
        ROUTED,
        "lc1",
        both(without_route("30.0.0.0/24"), entry("ip rule", "pref 5 from all lookup 100")),
        "lc1: no route to 30.0.0.1",
    ),
    "no route, but a VRF": (
        ROUTED,
        "lc1",
        both(without_route("30.0.0.0/24"), link("lc1_sc1", master="blue")),
        "lc1: no route to 30.0.0.1 (what lc1_sc1 does is not followed)",
    ),
    "a permanent neighbour with another MAC": (
        ROUTED,
        "lc1",
        neighbour("26.0.0.1", "lc1_sc2"),
        "lc1:lc1_sc2: 26.0.0.1 lladdr 02:00:00:00:00:77",
    ),
    "no VXLAN device, but one that takes every VNI": (
        SEGMENT,
        "con_ns3",
        link("vxlan-cont", parameters={"vni": "0"}),
        "con_ns3: no VXLAN device for VNI 30 on UDP port 4900 (what vxlan-cont does is not followed)",
    ),
    "no GRE device, but one for any remote": (
        ROUTED,
        "lc2",
        link("gretun-cont", parameters={"remote": "any"}),
        "lc2: no GRE device for packets from 26.0.0.2 to 28.0.0.2 (what gretun-cont does is not followed)",
    ),
    "a multicast group": (
        SEGMENT,
        "con_ns1",
        group("vxlan-cont", "239.1.1.1"),
        "con_ns1:vxlan-cont: multicast group 239.1.1.1: no other device is in it",
    ),
    "no entry for flooded frames": (
        SEGMENT,
        "con_ns1",
        lambda state: replace(state, entries=frozenset(e for e in state.entries if e.device != "vxlan-cont")),
        "con_ns1:vxlan-cont: no remote for frames to",
    ),
    "no remote": (SEGMENT, "con_ns1", group("vxlan-cont", "none"), "con_ns1:vxlan-cont: no remote for frames to"),
    "no route, but proxy ARP": (
        ROUTED,
        "lc1",
        both(without_route("30.0.0.0/24"), sysctl(4, "lc1_sc1", "proxy_arp", "1")),
        "lc1: no route to 30.0.0.1 (what proxy ARP does is not followed)",
    ),
    "no route, but a table of nftables": (
        ROUTED,
        "lc1",
        both(without_route("30.0.0.0/24"), entry("nft", "table ip nat")),
        "lc1: no route to 30.0.0.1 (what filters do is not followed)",
    ),
    "a VXLAN device that takes the VNI from each packet": (
        SEGMENT,
        "con_ns1",
        link("vxlan-cont", parameters={"vni": "0"}),
        "con_ns1:vxlan-cont: what it is joined to is not followed",
    ),
    "a bridge with tags of 802.1ad": (
        SEGMENT,
        "con_ns1",
        link("bridge1", parameters={"vlan_filtering": "on", "vlan_protocol": "802.1ad"}),
        "con_ns1:bridge1_cs1: what bridge1 does is not followed",
    ),
    "a sub-interface with tags of 802.1ad": (
        ROUTED,
        "lc1",
        link("gretun-cont", kind="vlan", parameters={"protocol": "802.1ad", "id": "7", "dev": "lc1_sc1"}),
        "lc1:gretun-cont: what it is joined to is not followed",
    ),
    "a port of a bond": (
        ROUTED,
        "lc1",
        link("lc1-bridge1", master="bond0"),
        "lc1:lc1-bridge1: what bond0 does is not followed",
    ),
    "a kind that is not followed": (
        ROUTED,
        "lc1",
        of_another_kind("gretun-cont"),
        "lc1:gretun-cont: what it is joined to is not followed",
    ),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_walk_says_where_it_ends_and_why(name: str) -> None:
    """The place comes first, then what is missing or refuses there, then who waits for an answer."""
    (source, target), node, change, words = ENDINGS[name]
    fabric = reference()
    states = {one.name: declared_state(one, False, fabric.routing) for one in fabric.nodes}
    probe = probe_between(fabric, source, target)
    assert expected_journey(live_fabric("live", states, fabric.links), probe).dropped == ""
    states[node] = change(states[node])
    assert expected_journey(live_fabric("live", states, fabric.links), probe).dropped.startswith(words)


CIRCLE = """
lab: circle
nodes:
  a: {role: spine, addresses: {ab: 10.0.0.1/24, ax: 10.1.0.254/24}, routes: [10.2.0.0/24 via 10.0.0.2]}
  b: {role: leaf, addresses: {ba: 10.0.0.2/24, by: 10.2.0.254/24}, routes: [default via 10.0.0.1]}
  x: {role: customer, addresses: {xa: 10.1.0.1/24}, routes: [default via 10.1.0.254]}
  y: {role: customer, addresses: {yb: 10.2.0.1/24}, routes: [default via 10.2.0.254]}
links: [[a:ab, b:ba], [a:ax, x:xa], [b:by, y:yb]]
pairs: [{source: x, target: y, kind: routed}]
"""


def test_router_that_sends_a_packet_back_is_named_first_in_a_circle() -> None:
    """The routes of the others may be right, however long their prefixes are."""
    fabric = load_lab_text(CIRCLE)
    states = {one.name: declared_state(one, False, fabric.routing) for one in fabric.nodes}
    states["b"] = both(without_addresses("by"), without_route("10.2.0.0/24"))(states["b"])
    dropped = expected_journey(live_fabric("live", states, fabric.links), probe_between(fabric, "x", "y")).dropped
    assert dropped.startswith("b: default via 10.0.0.1 dev ba: a circle of b, a: the TTL expires; a: 10.2.0.0/24 via ")


def test_isolated_ports_do_not_reach_each_other() -> None:
    """One isolated port is no obstacle, two are (br_skb_isolated, net/bridge/br_private.h)."""
    fabric = reference()
    states = {one.name: declared_state(one, False, fabric.routing) for one in fabric.nodes}
    probe = probe_between(fabric, *SEGMENT)
    states["con_ns1"] = link("bridge1_cs1", port=(("isolated", "on"),))(states["con_ns1"])
    assert expected_journey(live_fabric("live", states, fabric.links), probe).dropped == ""
    states["con_ns1"] = link("vxlan-cont", port=(("isolated", "on"),))(states["con_ns1"])
    dropped = expected_journey(live_fabric("live", states, fabric.links), probe).dropped
    assert dropped == (
        "con_ns1:bridge1_cs1: isolated on; con_ns1:vxlan-cont: isolated on: cs1:cs1_br1 gets no answer for 20.0.0.3"
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without("vxlan-cont"), "bridge1: no tunnel or cable leads on to"),
        (link("vxlan-cont", master=None), "vxlan-cont: is in no bridge: nothing leads on from bridge1 to"),
        (
            both(link("vxlan-cont", master=None), second("vxlan-cont", "vx2")),
            "bridge1: no tunnel or cable leads on to cs5:cs5_br3, which has 20.0.0.3 (in no bridge: vxlan-cont, vx2)",
        ),
    ],
)
def test_segment_without_any_tunnel_blames_its_bridge(change: Change, words: str) -> None:
    """Where no switch has a VXLAN device in its bridge, that device or the bridge without one is named, and no host."""
    fabric = reference()
    states = {one.name: declared_state(one, False, fabric.routing) for one in fabric.nodes}
    for node in ("con_ns1", "con_ns3"):
        states[node] = change(states[node])
    dropped = expected_journey(live_fabric("live", states, fabric.links), probe_between(fabric, *SEGMENT)).dropped
    assert dropped.startswith(f"con_ns1:{words}")
    assert "cs5:cs5_br3, which has 20.0.0.3" in dropped
