"""Differences that can explain a packet's fate, and those of an adopted node that count."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from reports.diagnosis.rank import ranked
from reports.judge.state import differences, find_causes
from reports.judge.traffic import Traffic, all_traffic
from reports.judge.weight import CHANGES, MAY, NEVER, is_judged, weigh
from tests.self.builders import expect, known_lab, reference
from tests.self.reports.states import (
    address,
    entry,
    links,
    parameter,
    route,
    routes,
    sysctl,
    with_link,
    without,
)
from topology.model import Fabric
from topology.state import Entry, LinkState, NodeState, declared_state

FLOOD = "00:00:00:00:00:00 dev vxlan-cont dst 23.0.0.1 via br1_lc1 self permanent"
CS5 = "02:29:ee:93:48:cd"
"""The MAC of cs5, which the VTEP con_ns1 reaches at 23.0.0.1."""


@cache
def bound(name: str = "ece792") -> tuple[Fabric, dict[str, NodeState]]:
    """A lab and its nodes as declared."""
    fabric = reference() if name == "ece792" else known_lab(name)
    ipv6 = any(i.version == 6 for device in fabric.devices for i in device.addresses)
    return fabric, {node.name: declared_state(node, ipv6, fabric.routing) for node in fabric.nodes}


@cache
def overlay() -> Traffic:
    """The packets between cs1 and cs5: VXLAN in GRE, IPv4 throughout."""
    return Traffic.of(reference(), (expect(reference(), "cs1", "cs5"), expect(reference(), "cs5", "cs1")))


def at(node: str) -> NodeState:
    return bound()[1][node]


def other(tool: str, device: str | None, words: str) -> Entry:
    return Entry(tool, device, words, words)


def rule(words: str, source: str = "all", tool: str = "ip rule") -> Entry:
    return other(tool, None, f"pref 5 from {source} {words}")


def without_rule(node: str, preference: int, table: str) -> NodeState:
    words = f"pref {preference} from all lookup {table}"
    return replace(at(node), entries=at(node).entries - {other("ip rule", None, words)})


def fdb(words: str) -> Entry:
    return other("bridge fdb", words.split()[2], words)


def setting(state: NodeState, **changes: str) -> NodeState:
    """A node's state with sysctls changed, by their full names."""
    return replace(state, sysctls={**state.sysctls, **changes})


CALLS = "net.bridge.bridge-nf-call-iptables"
NFT_IP, NFT_IP6 = other("nft", None, "table ip f"), other("nft", None, "table ip6 f")
NFT_NETDEV = other("nft", None, "table netdev f")
LIVE: dict[str, tuple[NodeState, int]] = {
    "ICMP errors are limited": (sysctl(at("lc1"), net__ipv4__icmp_ratelimit="1000"), NEVER),
    "IPv6 is on": (sysctl(at("lc1"), net__ipv6__conf__all__disable_ipv6="0"), NEVER),
    "addresses are tried first": (sysctl(at("lc1"), net__ipv6__conf__all__accept_dad="1"), NEVER),
    "a leaf forwards nothing": (
        sysctl(at("lc1"), net__ipv4__ip_forward="0", net__ipv4__conf__gretun__cont__forwarding="0"),
        NEVER,
    ),
    "a leaf forwards nothing from its tunnel": (
        setting(at("lc1"), **{"net.ipv4.conf.gretun-cont.forwarding": "0"}),
        CHANGES,
    ),
    "a leaf forwards nothing from another spine": (sysctl(at("lc1"), net__ipv4__conf__lc1_sc1__forwarding="0"), NEVER),
    "a customer forwards": (sysctl(at("cs1"), net__ipv4__ip_forward="1"), NEVER),
    "new devices filter": (sysctl(at("lc1"), net__ipv4__conf__default__rp_filter="1"), NEVER),
    "a leaf filters what comes back as it goes": (sysctl(at("lc1"), net__ipv4__conf__all__rp_filter="1"), NEVER),
    "another customer answers no ping": (sysctl(at("cs2"), net__ipv4__icmp_echo_ignore_all="1"), NEVER),
    "the target answers no ping": (sysctl(at("cs5"), net__ipv4__icmp_echo_ignore_all="1"), CHANGES),
    "a bridge calls a firewall that is not there": (setting(at("con_ns1"), **{CALLS: "1"}), MAY),
    "a bridge calls a firewall for IPv6": (setting(at("con_ns1"), **{CALLS.replace("-ip", "-ip6"): "1"}), NEVER),
    "a port to another spine is down": (links(at("lc1"), "lc1_sc1", up=False), NEVER),
    "a port is down": (links(at("lc1"), "lc1_sc2", up=False), CHANGES),
    "a port is narrow, not too narrow": (links(at("lc1"), "lc1_sc2", mtu=1400), NEVER),
    "a port is too narrow": (links(at("lc1"), "lc1_sc2", mtu=100), CHANGES),
    "somebody else's MAC": (links(at("cs2"), "cs2_br1", mac=CS5), CHANGES),
    "another MAC elsewhere": (links(at("cs2"), "cs2_br1", mac="02:00:00:00:00:01"), NEVER),
    "a further port": (with_link(at("con_ns1"), LinkState("mgmt0", "veth")), NEVER),
    "a further port in the bridge": (with_link(at("con_ns1"), LinkState("mgmt0", "veth", master="bridge1")), CHANGES),
    "another VNI": (parameter(at("con_ns3"), "vxlan-cont", vni="31"), CHANGES),
    "no VTEP": (without(at("con_ns3"), "vxlan-cont"), CHANGES),
    "somebody else's address": (address(at("cs2"), come="20.0.0.3/24", device="cs2_br1"), CHANGES),
    "an address of nobody's": (address(at("lc1"), come="172.20.20.2/24", device="mgmt0"), NEVER),
    "no address to another spine": (address(at("lc1"), gone="25.0.0.2/24"), NEVER),
    "no address to the spine": (address(at("lc1"), gone="26.0.0.2/24"), CHANGES),
    "no route for another pair": (routes(at("lc1"), gone="30.0.0.0/24 dev gretun-cont"), NEVER),
    "no route for the tunnel": (routes(at("lc1"), gone="28.0.0.0/24 via 26.0.0.1 dev lc1_sc2"), CHANGES),
    "a default route": (routes(at("lc1"), come=route("0.0.0.0/0", "172.20.20.1", "mgmt0")), NEVER),
    "a longer route for another": (routes(at("lc1"), come=route("30.0.0.2/32", None, "lc1_sc1")), NEVER),
    "a longer route": (routes(at("lc1"), come=route("28.0.0.2/32", None, "lc1_sc1")), CHANGES),
    "a dearer route": (
        routes(at("lc1"), come=replace(route("28.0.0.0/24", "25.0.0.1", "lc1_sc1"), metric=100)),
        NEVER,
    ),
    "an IPv6 route": (routes(at("lc1"), come=route("::/0", None, "lc1_sc1")), NEVER),
    "a rule for others": (entry(at("lc1"), come=rule("to 9.9.9.0/24 blackhole")), NEVER),
    "a rule for others' packets": (entry(at("lc1"), come=rule("blackhole", "30.0.0.0/24")), NEVER),
    "a rule of IPv6": (entry(at("lc1"), come=rule("blackhole", tool="ip -6 rule")), NEVER),
    "a rule": (entry(at("lc1"), come=rule("blackhole", "21.0.0.0/24")), CHANGES),
    "a rule at the sender": (entry(at("cs1"), come=rule("prohibit", "20.0.0.1/32")), CHANGES),
    "a rule for what another device brings": (entry(at("lc1"), come=rule("iif lc1_sc1 blackhole")), NEVER),
    "a rule for marked packets": (entry(at("lc1"), come=rule("fwmark 0x1 blackhole")), MAY),
    "a rule for all others": (entry(at("lc1"), come=other("ip rule", None, "pref 5 not from 9.9.9.9 blackhole")), MAY),
    "a rule to a table without routes": (entry(at("lc1"), come=rule("lookup 100")), NEVER),
    "a rule to a table with other routes": (
        entry(entry(at("lc1"), come=rule("lookup 100")), come=other("ip route", None, "9.9.9.0/24 dev x table 100")),
        NEVER,
    ),
    "a rule to a table with a route": (
        entry(entry(at("lc1"), come=rule("lookup 100")), come=other("ip route", None, "default dev x table 100")),
        CHANGES,
    ),
    "a table that no rule leads to": (
        entry(at("lc1"), come=other("ip route", None, "9.9.9.0/24 dev x table 100")),
        NEVER,
    ),
    "no rule to the main table": (without_rule("lc1", 32766, "main"), CHANGES),
    "no rule to the table that is empty": (without_rule("lc1", 32767, "default"), NEVER),
    "a neighbour that is right": (
        entry(
            at("lc1"),
            come=other("ip neigh", "lc1_sc2", f"26.0.0.1 lladdr {reference()['sc2']['sc2_lc1'].mac} dev lc1_sc2"),
        ),
        NEVER,
    ),
    "a neighbour that is wrong": (
        entry(at("lc1"), come=other("ip neigh", "lc1_sc2", "26.0.0.1 lladdr 02:00:00:00:00:01 dev lc1_sc2")),
        CHANGES,
    ),
    "an entry that leads right": (
        entry(at("con_ns1"), come=fdb(f"{CS5} dev vxlan-cont dst 23.0.0.1 self permanent")),
        NEVER,
    ),
    "an entry that leads wrong": (
        entry(at("con_ns1"), come=fdb(f"{CS5} dev vxlan-cont dst 23.0.0.7 self permanent")),
        CHANGES,
    ),
    "an entry at the wrong port": (entry(at("con_ns1"), come=fdb(f"{CS5} dev bridge1_cs2 master static")), CHANGES),
    "an entry at the right port": (entry(at("con_ns1"), come=fdb(f"{CS5} dev vxlan-cont master static")), NEVER),
    "an entry for another": (
        entry(at("con_ns1"), come=fdb("02:00:00:00:00:01 dev bridge1_cs2 master static")),
        NEVER,
    ),
    "floods elsewhere too": (entry(at("con_ns1"), come=fdb(FLOOD.replace("23.0.0.1", "23.0.0.2"))), CHANGES),
    "a fair queue": (entry(at("sc2"), come=other("tc qdisc", "sc2_lc2", "dev sc2_lc2 root fq_codel")), NEVER),
    "a lossy queue": (entry(at("sc2"), come=other("tc qdisc", "sc2_lc2", "dev sc2_lc2 root netem options 1")), CHANGES),
    "a lossy queue elsewhere": (
        entry(at("sc2"), come=other("tc qdisc", "sc2_lc9", "dev sc2_lc9 root netem options 1")),
        NEVER,
    ),
    "a filter": (
        entry(at("lc2"), come=other("tc filter", "lc2_sc2", "dev lc2_sc2 ingress protocol all pref 1 matchall")),
        CHANGES,
    ),
    "a firewall": (entry(at("lc2"), come=NFT_IP), CHANGES),
    "a firewall that does nothing": (entry(at("lc2"), come=replace(NFT_IP, idle=True)), NEVER),
    "a firewall of IPv6": (entry(at("lc2"), come=NFT_IP6), NEVER),
    "a firewall of nobody on the way": (entry(at("cs3"), come=NFT_NETDEV), NEVER),
}


@pytest.mark.parametrize("name", LIVE)
def test_difference_counts_where_it_can_touch_the_packets(name: str) -> None:
    """Only what a packet passes, looks up or needs can explain what became of it: of VXLAN in GRE over IPv4 here."""
    live, weight = LIVE[name]
    declared = at(live.node)
    (cause, *_) = differences(declared, live)
    assert weigh(cause, declared, live, overlay()) == weight


def test_cause_that_explains_comes_before_one_that_is_nearer() -> None:
    """A wrong VNI at the far leaf is named, not the settings of nodes before it that no such packet meets."""
    usual = {"net.ipv4.icmp_ratelimit": "1000", "net.bridge.bridge-nf-call-iptables": "1"}
    live = {name: setting(state, **usual) for name, state in bound()[1].items()}
    live["con_ns3"] = parameter(live["con_ns3"], "vxlan-cont", vni="31")
    suspects = ["cs1", "con_ns1", "lc1", "con_ns3"]
    (found,) = ranked(find_causes(bound()[1], live, suspects, overlay()))
    assert (found.node, found.live) == ("con_ns3", "vni 31")
    live["con_ns3"] = replace(live["con_ns3"], links=at("con_ns3").links)
    (rest,) = ranked(find_causes(bound()[1], live, suspects, overlay()))
    assert (rest.node, rest.live) == ("con_ns1", "net.bridge.bridge-nf-call-iptables=1")


def test_firewall_counts_on_a_bridge_that_calls_it() -> None:
    """A table of IP meets bridged packets only where ``bridge-nf-call-*`` is on; then both are reasons."""
    vxlan, states = bound("vxlan-only")
    bridge = next(node.name for node in vxlan.nodes if all_traffic(vxlan).at(node.name).bridged)
    pure = Traffic.of(vxlan, ())
    pure.at(bridge).bridged.add(4)
    bridged = setting(states[bridge], **{CALLS: "1"})
    for live, weights in (
        (entry(states[bridge], come=NFT_IP), [NEVER]),
        (entry(bridged, come=NFT_IP), [CHANGES, CHANGES]),
    ):
        found = differences(states[bridge], live)
        assert [weigh(cause, states[bridge], live, pure) for cause in found] == weights


@pytest.mark.parametrize(
    ("back", "mode", "weight"), [("lc1_sc1", "1", CHANGES), ("lc1_sc1", "2", NEVER), (None, "2", CHANGES)]
)
def test_reverse_path_filter_counts_where_it_drops(back: str | None, mode: str, weight: int) -> None:
    """A strict filter drops what would go back by another device, a loose one what has no way back at all."""
    live = routes(at("lc1"), gone="28.0.0.0/24 via 26.0.0.1 dev lc1_sc2")
    live = routes(live, come=route("28.0.0.0/24", "25.0.0.1", back)) if back else live
    live = sysctl(live, net__ipv4__conf__all__rp_filter=mode)
    cause = next(cause for cause in differences(at("lc1"), live) if cause.kind == "sysctl")
    assert weigh(cause, at("lc1"), live, overlay()) == weight


def test_ipv6_counts_where_ipv6_is_carried() -> None:
    """A setting of IPv6 is a cause where IPv6 is carried, unless each device has a setting of its own."""
    for name in ("ipv6-underlay", "ipv6-overlay"):
        fabric, states = bound(name)
        leaf = fabric.role("leaf")[0].name
        state, for_all = states[leaf], "net.ipv6.conf.all.disable_ipv6"
        off = {key: "1" for key in state.sysctls if key.endswith(".disable_ipv6")}
        for changed, weight in ((off, CHANGES), ({for_all: "1"}, NEVER)):
            live = setting(state, **changed)
            cause = next(cause for cause in differences(state, live) if cause.about == for_all)
            assert weigh(cause, state, live, promised(name)) == weight


def test_size_counts_where_sizes_are_looked_for() -> None:
    """A wider port, or fewer ICMP errors, explain what became of a packet whose size is in question."""
    sized = replace(overlay(), sized=True)
    for live in (links(at("lc1"), "lc1_sc2", mtu=9000), sysctl(at("lc1"), net__ipv4__icmp_ratelimit="1000")):
        (cause,) = differences(at("lc1"), live)
        assert weigh(cause, at("lc1"), live, overlay()) == NEVER
        assert weigh(cause, at("lc1"), live, sized) < NEVER


@cache
def promised(lab: str) -> Traffic:
    """The packets of all that a lab promises."""
    return all_traffic(bound(lab)[0])


def judged(live: NodeState, fabric: Fabric | None = None) -> list[str]:
    """The differences that count of an adopted node."""
    fabric = fabric or reference()
    ipv6 = any(i.version == 6 for device in fabric.devices for i in device.addresses)
    declared = declared_state(fabric[live.node], ipv6, fabric.routing)
    return [
        c.live
        for c in differences(declared, live)
        if is_judged(c, declared, live, fabric, lambda: promised(fabric.name))
    ]


DEFAULTS = {
    "net.ipv4.icmp_ratelimit": "1000",
    "net.ipv6.icmp.ratelimit": "1000",
    "net.ipv6.conf.all.disable_ipv6": "0",
    "net.ipv6.conf.default.disable_ipv6": "0",
    "net.ipv6.conf.all.accept_dad": "0",
    "net.ipv6.conf.default.accept_dad": "1",
    "net.bridge.bridge-nf-call-iptables": "1",
    "net.bridge.bridge-nf-call-ip6tables": "1",
    "net.bridge.bridge-nf-call-arptables": "1",
    "net.ipv4.conf.all.rp_filter": "2",
    "net.ipv4.conf.default.rp_filter": "2",
    "net.ipv4.conf.all.ignore_routes_with_linkdown": "1",
    "net.ipv6.conf.all.ignore_routes_with_linkdown": "0",
    "net.ipv6.fib_multipath_hash_policy": "0",
}


def as_others_build(state: NodeState) -> NodeState:
    """A node with the defaults of kernels and distributions, lo down, a card and a route to a management network."""
    state = replace(state, routes=frozenset(one for one in state.routes if one.dev != "lo"))
    sysctls = {**state.sysctls, **DEFAULTS}
    for device in state.links:
        sysctls |= {f"net.ipv6.conf.{device}.disable_ipv6": "0", f"net.ipv4.conf.{device}.rp_filter": "2"}
    if sysctls["net.ipv4.ip_forward"] == "0":
        sysctls["net.ipv4.ip_forward"] = "1"
    live = with_link(replace(state, sysctls=sysctls), LinkState("mgmt0", "veth"))
    live = address(live, come="172.20.20.5/24", device="mgmt0")
    for known in (route("172.20.20.0/24", None, "mgmt0"), route("0.0.0.0/0", "172.20.20.1", "mgmt0")):
        taken = any(one.prefix == known.prefix for one in live.routes)
        live = routes(live, come=replace(known, metric=100 if taken else 0))
    return live


@pytest.mark.parametrize("lab", ["ece792", "ipv6-underlay", "ipv6-overlay", "geneve", "vlan-trunk", "ecmp", "gre-l3"])
def test_undeclared_defaults_do_not_count(lab: str) -> None:
    """Neither kernel defaults nor a management network are a fault of an adopted node in any lab."""
    fabric, states = bound(lab)
    assert {name: judged(as_others_build(state), fabric) for name, state in states.items()} == {
        name: [] for name in states
    }


FLOOD_WITHOUT = fdb(FLOOD.replace(" via br1_lc1", ""))
COUNTS: dict[str, tuple[NodeState, list[str]]] = {
    "a disabled port on the way": (
        links(at("con_ns1"), "vxlan-cont", port=(("state", "disabled"),)),
        ["state disabled"],
    ),
    "a port whose settings a fabric chooses": (
        links(at("con_ns1"), "vxlan-cont", port=(("learning", "off"), ("neigh_suppress", "on"))),
        [],
    ),
    "ARP off on the way": (links(at("con_ns1"), "vxlan-cont", arp=False), ["arp off"]),
    "a bridge that filters VLANs": (links(at("con_ns1"), "bridge1", parameters=(("vlan_filtering", "on"),)), []),
    "settings that no lab declares": (parameter(at("con_ns1"), "vxlan-cont", udpcsum="off", df="set", ageing="60"), []),
    "routes with metrics": (
        replace(at("lc1"), routes=frozenset(replace(one, metrics="mtu 1400") for one in at("lc1").routes)),
        [],
    ),
    "a router that does not forward": (
        replace(
            at("lc1"),
            sysctls={
                key: "0" if key.endswith("forward") or "forwarding" in key else v
                for key, v in at("lc1").sysctls.items()
            },
        ),
        ["net.ipv4.ip_forward=0"],
    ),
    "a filter that drops": (
        sysctl(
            routes(
                routes(at("lc1"), gone="28.0.0.0/24 via 26.0.0.1 dev lc1_sc2"),
                come=route("28.0.0.0/24", "25.0.0.1", "lc1_sc1"),
            ),
            net__ipv4__conf__all__rp_filter="1",
        ),
        ["net.ipv4.conf.all.rp_filter=1", "28.0.0.0/24 via 25.0.0.1 dev lc1_sc1"],
    ),
    "a filter that drops nothing": (sysctl(at("lc1"), net__ipv4__conf__all__rp_filter="1"), []),
    "a bridge that calls a firewall": (
        entry(setting(at("con_ns1"), **{CALLS: "1"}), come=NFT_IP),
        [f"{CALLS}=1", "table ip f"],
    ),
    "a lossy queue": (
        entry(at("sc2"), come=other("tc qdisc", "sc2_lc2", "dev sc2_lc2 root netem options 1")),
        ["dev sc2_lc2 root netem options 1"],
    ),
    "a lossy queue on another card": (
        entry(
            with_link(at("sc2"), LinkState("mgmt0", "veth")),
            come=other("tc qdisc", "mgmt0", "dev eth0 root netem options 1"),
        ),
        [],
    ),
    "floods said in other words": (entry(entry(at("con_ns1"), gone=FLOOD), come=FLOOD_WITHOUT), []),
    "a remote said as an entry": (
        parameter(entry(entry(at("con_ns1"), gone=FLOOD), come=FLOOD_WITHOUT), "vxlan-cont", remote="none", dev="none"),
        [],
    ),
    "a remote said nowhere": (
        parameter(entry(at("con_ns1"), gone=FLOOD), "vxlan-cont", remote="none"),
        ["remote none"],
    ),
    "floods missing": (entry(at("con_ns1"), gone=FLOOD), ["missing"]),
    "an address that the route decides": (parameter(at("con_ns1"), "vxlan-cont", local="none"), []),
    "a device that the route decides": (parameter(at("con_ns1"), "vxlan-cont", dev="none"), []),
    "another device": (parameter(at("con_ns1"), "vxlan-cont", dev="bridge1_cs1"), ["dev bridge1_cs1"]),
    "a TTL that is the usual one": (parameter(at("con_ns1"), "vxlan-cont", ttl="64"), []),
    "a TTL that ends at the first hop": (parameter(at("con_ns1"), "vxlan-cont", ttl="1"), ["ttl 1"]),
    "a route that wins": (routes(at("lc1"), come=route("28.0.0.2/32", None, "lc1_sc1")), ["28.0.0.2/32 dev lc1_sc1"]),
    "a declared route gone": (routes(at("lc1"), gone="27.0.0.0/24 via 25.0.0.1 dev lc1_sc1"), ["missing"]),
    "a link of a way that no pair takes": (links(at("lc1"), "lc1_sc1", up=False), ["down"]),
}


@pytest.mark.parametrize("name", COUNTS)
def test_what_is_declared_or_changes_a_way_counts(name: str) -> None:
    """An adopted node's differences from its lab count, and undeclared state that changes a packet's way."""
    live, expected = COUNTS[name]
    assert judged(live) == expected
