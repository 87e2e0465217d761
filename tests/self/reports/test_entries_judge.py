"""Sysctls, rules, neighbours, forwarding entries, filters and qdiscs differ from the declaration."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.judge.state import differences
from tests.self.reports.states import (
    LEAF,
    SWITCH,
    address,
    entry,
    links,
    parameter,
    routes,
    sysctl,
    with_link,
    without,
)
from topology.state import Entry, LinkState, NodeState

FLOOD = "00:00:00:00:00:00 dev vxlan-cont dst 23.0.0.1 via br1_lc1 self permanent"
NETEM = Entry("tc qdisc", "lc1_sc2", "dev lc1_sc2 root netem options 1234abcd", "dev lc1_sc2 root")
CLSACT = Entry("tc qdisc", "lc1_sc2", "dev lc1_sc2 clsact", "dev lc1_sc2 clsact")
FILTER = Entry(
    "tc filter", "lc1_sc2", "dev lc1_sc2 egress protocol ip pref 5 u32", "dev lc1_sc2 egress protocol ip pref 5"
)
RULE = Entry("ip rule", None, "pref 50 from 20.0.0.0/24 lookup 100", "pref 50 from 20.0.0.0/24 lookup 100")
NEIGHBOUR = Entry(
    "ip neigh", "lc1_sc2", "26.0.0.1 lladdr 02:00:00:00:00:01 dev lc1_sc2 nud permanent", "26.0.0.1 dev lc1_sc2"
)
STATIC = Entry(
    "bridge fdb", "bridge1_cs1", "02:00:00:00:00:01 dev bridge1_cs1 master static", "02:00:00:00:00:01 dev bridge1_cs1"
)
TABLE = Entry("nft", None, "table inet t", "table inet t")

CASES: dict[str, tuple[NodeState, NodeState, str]] = {
    "rule extra": (
        LEAF,
        entry(LEAF, come=RULE),
        f"lc1 - rule - expected nothing - seen {RULE.words} - fix: ip -n lc1 rule del {RULE.words}",
    ),
    "rule missing": (
        LEAF,
        entry(LEAF, gone="pref 32767 from all lookup default"),
        "lc1 - rule - expected pref 32767 from all lookup default - seen missing"
        " - fix: ip -n lc1 rule add pref 32767 from all lookup default",
    ),
    "qdisc": (
        LEAF,
        entry(LEAF, come=NETEM),
        f"lc1 - lc1_sc2 - qdisc - expected nothing - seen {NETEM.words} - fix: tc -n lc1 qdisc del dev lc1_sc2 root",
    ),
    "filter": (
        entry(LEAF, come=CLSACT),
        entry(entry(LEAF, come=CLSACT), come=FILTER),
        f"lc1 - lc1_sc2 - filter - expected nothing - seen {FILTER.words}"
        " - fix: tc -n lc1 filter del dev lc1_sc2 egress protocol ip pref 5",
    ),
    "neighbour missing": (
        entry(LEAF, come=NEIGHBOUR),
        LEAF,
        f"lc1 - lc1_sc2 - neigh - expected {NEIGHBOUR.words} - seen missing"
        f" - fix: ip -n lc1 neigh replace {NEIGHBOUR.words}",
    ),
    "forwarding entry": (
        SWITCH,
        entry(SWITCH, come=STATIC),
        f"con_ns1 - bridge1_cs1 - fdb - expected nothing - seen {STATIC.words}"
        " - fix: bridge -n con_ns1 fdb del 02:00:00:00:00:01 dev bridge1_cs1",
    ),
    "flood entry missing": (
        SWITCH,
        entry(SWITCH, gone=FLOOD),
        f"con_ns1 - vxlan-cont - fdb - expected {FLOOD} - seen missing - fix: bridge -n con_ns1 fdb append {FLOOD}",
    ),
    "table of nftables": (
        LEAF,
        entry(LEAF, come=TABLE),
        "lc1 - nft - expected nothing - seen table inet t - fix: ip netns exec lc1 nft delete table inet t",
    ),
    "sysctl": (
        LEAF,
        sysctl(LEAF, net__ipv4__fib_multipath_hash_policy="1"),
        "lc1 - sysctl - expected net.ipv4.fib_multipath_hash_policy=0 - seen net.ipv4.fib_multipath_hash_policy=1"
        " - fix: ip netns exec lc1 sysctl -w net.ipv4.fib_multipath_hash_policy=0",
    ),
    "sysctl of a device": (
        LEAF,
        sysctl(LEAF, net__ipv4__conf__lc1_sc2__rp_filter="2"),
        "lc1 - lc1_sc2 - sysctl - expected net.ipv4.conf.lc1_sc2.rp_filter=0 - seen net.ipv4.conf.lc1_sc2.rp_filter=2"
        " - fix: ip netns exec lc1 sysctl -w net.ipv4.conf.lc1_sc2.rp_filter=0",
    ),
    "forwarding off": (
        LEAF,
        sysctl(
            LEAF,
            net__ipv4__ip_forward="0",
            **{f"net__ipv4__conf__{name}__forwarding": "0" for name in LEAF.links},
        ),
        "lc1 - sysctl - expected net.ipv4.ip_forward=1 - seen net.ipv4.ip_forward=0"
        " - fix: ip netns exec lc1 sysctl -w net.ipv4.ip_forward=1",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_one_difference_is_reported_once_with_its_fix(name: str) -> None:
    """One thing that differs is one cause: where, what, expected, seen, and the command that fixes it."""
    declared, live, words = CASES[name]
    assert [str(cause) for cause in differences(declared, live)] == [words]


def test_kernel_without_a_key_is_not_blamed() -> None:
    """A sysctl that this kernel does not have cannot be wrong; an undeclared one is its own choice."""
    assert differences(LEAF, replace(LEAF, sysctls={})) == ()
    assert differences(LEAF, sysctl(LEAF, net__ipv4__conf__all__proxy_arp="1")) == ()


def test_what_was_seen_before_is_compared_whole() -> None:
    """Against an earlier reading every sysctl counts that was read then."""
    before = sysctl(LEAF, net__ipv4__conf__all__proxy_arp="0")
    (cause,) = differences(before, sysctl(before, net__ipv4__conf__all__proxy_arp="1"))
    assert cause.live == "net.ipv4.conf.all.proxy_arp=1"


def test_what_follows_from_a_device_is_not_reported_again() -> None:
    """A missing VTEP misses its forwarding entry, one with another remote has another, a new device brings its own."""
    gone = entry(without(SWITCH, "vxlan-cont"), gone=FLOOD)
    elsewhere = parameter(entry(SWITCH, gone=FLOOD), "vxlan-cont", remote="23.0.0.9")
    new = Entry("tc qdisc", "eth0", "dev eth0 root htb", "dev eth0 root")
    more = entry(with_link(SWITCH, LinkState("eth0", "veth")), come=new)
    assert [[cause.kind for cause in differences(SWITCH, live)] for live in (gone, elsewhere, more)] == [
        ["link"],
        ["vxlan"],
        ["link"],
    ]


def test_other_entries_of_a_changed_device_are_reported() -> None:
    """A qdisc does not follow from a tunnel's other remote."""
    netem = Entry("tc qdisc", "vxlan-cont", "dev vxlan-cont root netem", "dev vxlan-cont root")
    live = parameter(entry(SWITCH, come=netem), "vxlan-cont", remote="23.0.0.9")
    assert [cause.kind for cause in differences(SWITCH, live)] == ["vxlan", "qdisc"]


def test_differences_come_with_the_most_fundamental_first() -> None:
    """Links, parameters, sysctls, addresses, routes, whatever else decides: what is below explains what is above."""
    live = routes(
        address(links(parameter(LEAF, "gretun-cont", remote="1.1.1.1"), "lc1_sc2", up=False), gone="26.0.0.2/24"),
        gone="28.0.0.0/24 via 26.0.0.1 dev lc1_sc2",
    )
    for new in (TABLE, CLSACT, FILTER, NEIGHBOUR, RULE):
        live = entry(live, come=new)
    live = sysctl(live, net__ipv4__ip_forward="0")
    kinds = ["link", "gre", "sysctl", "address", "route", "rule", "neigh", "filter", "qdisc", "nft"]
    assert [cause.kind for cause in differences(LEAF, live)] == kinds
