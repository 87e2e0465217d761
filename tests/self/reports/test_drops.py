"""The kernel's drops: evidence only where the trace ties them to the packet, or where a counter moves with each one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from ipaddress import ip_address

import pytest

from reports.diagnosis.drops import Arrival, counter_causes, counters_of, drop_causes, printed_counters
from tests.self.builders import expect, reference, seen_path

COUNT = 5
WAY = (("bridge1_cs1", 84), ("lc1-bridge1", 84), ("sc2_lc1", 108), ("lc2_sc2", 108))
NODES = ("con_ns1", "lc1", "sc2", "lc2")
CAME_IN = [Arrival(node, *place) for node, place in zip(NODES, WAY, strict=True)]
TAIL = ("__netif_receive_skb_one_core", "process_backlog", "net_rx_action", "ip_output", "__sys_sendto")
GRE_KEY = ("gre_rcv", "gre_rcv", "ip_protocol_deliver_rcu", "ip_local_deliver_finish")
"""A stack as Linux 6.1 shows it where a GRE packet's key is no device's: the reason is not specified."""


def arrives(places: Sequence[tuple[str, int]], address: str) -> str:
    """The lines of a buffer that comes in at devices."""
    line = "     ping-121     [000] ..s1.    20.967917: netif_receive_skb: dev={} skbaddr={} len={}\n"
    return "".join(line.format(device, address, size) for device, size in places)


def freed(address: str, reason: str, callers: Sequence[str]) -> str:
    """The lines of a buffer that is dropped, with the stack."""
    head = f"     ping-121     [000] ..s1.    20.971088: kfree_skb: skbaddr={address} protocol=2048 location=0 reason: "
    stack = "".join(
        f" => {name}\n" for name in ("trace_event_raw_event_kfree_skb", "kfree_skb_reason", *callers, *TAIL)
    )
    return f"{head}{reason}\n     ping-121     [000] ..s1.    20.977017: <stack trace>\n{stack}"


def trace(
    places: Sequence[tuple[str, int]] = WAY,
    reason: str = "TC_INGRESS",
    callers: Sequence[str] = ("__netif_receive_skb_core",),
    count: int = COUNT,
    before: Sequence[tuple[str, int]] = (),
) -> str:
    """A trace of packets that came in somewhere and were dropped; each buffer was another packet's ``before``."""
    return "# tracer: nop\n" + "".join(
        arrives(before, f"0{n}") + arrives(places, f"0{n}") + freed(f"0{n}", reason, callers) for n in range(count)
    )


@pytest.mark.parametrize(
    ("reason", "callers", "kind", "words"),
    [
        ("TC_INGRESS", ("__netif_receive_skb_core.constprop.0",), "filter", "5 of 5 packets dropped: TC_INGRESS"),
        (
            "NETFILTER_DROP",
            ("nft_do_chain", "nf_hook_slow", "ip_forward"),
            "nft",
            "in nft_do_chain < nf_hook_slow < ip_f",
        ),
        ("XFRM_POLICY", ("ip_forward",), "xfrm", "XFRM_POLICY in ip_forward"),
        ("IP_RPFILTER", ("ip_rcv_finish_core", "ip_rcv"), "rp_filter", "IP_RPFILTER in ip_rcv_finish_core < ip_rcv"),
        ("NOT_SPECIFIED", GRE_KEY, "drop", "dropped: in gre_rcv < ip_protocol_deliver_rcu < ip_local_deliver_finish"),
    ],
    ids=lambda given: given if isinstance(given, str) and given.isupper() else "",
)
def test_a_tied_drop_is_a_cause(reason: str, callers: tuple[str, ...], kind: str, words: str) -> None:
    """A drop of every packet where it was seen last is told with the kernel's reason, or the function that dropped."""
    (cause,) = drop_causes(trace(reason=reason, callers=callers), CAME_IN, COUNT)
    assert (cause.kind, cause.node, cause.interface, cause.source) == (kind, "lc2", "lc2_sc2", "traffic")
    assert words in cause.live
    assert "5 of 5" in cause.live


@pytest.mark.parametrize(
    ("shown", "tied"),
    [
        (trace(before=(("cs1_br1", 28),)), True),
        (trace(places=WAY[2:]), True),
        (trace(places=()), False),
        (trace(places=(("eth0", 108), *WAY[3:])), False),
        (trace(places=(*WAY[:3], ("lc2_sc2", 60))), False),
        (trace(places=WAY[:3]), False),
        (trace(places=(*WAY, ("gretun-cont", 84))), False),
        (trace(count=COUNT - 1), False),
        (arrives(WAY, "01") * COUNT, False),
        ("", False),
    ],
    ids=[
        "address reused",
        "copy",
        "never came in",
        "another way",
        "another size",
        "before",
        "behind",
        "few",
        "kept",
        "",
    ],
)
def test_only_a_tied_drop_is_evidence(shown: str, tied: bool) -> None:
    """A drop counts where the same buffer came in last as the packet did, and each packet was dropped."""
    assert bool(list(drop_causes(shown, CAME_IN, COUNT))) is tied


def test_packets_for_a_group_are_told_as_that() -> None:
    """What is dropped because nobody takes or routes its multicast group names the group."""
    came_in = [Arrival("lc1", "lc1_br1", 78, (ip_address("20.0.0.2"), ip_address("239.1.1.1")))]
    shown = trace(places=(("lc1_br1", 78),), reason="NOT_SPECIFIED", callers=("ip_rcv_finish_core",))
    (cause,) = drop_causes(shown, came_in, COUNT)
    assert (cause.kind, cause.node) == ("multicast", "lc1")
    assert "for the multicast group 239.1.1.1 dropped" in cause.live


def test_arrivals_are_the_same_seen_and_expected() -> None:
    """The length behind the Ethernet header, as the kernel counts it, follows from a sighting and from a hop."""
    path = expect(reference(), "cs1", "cs4").paths[0]
    seen = [Arrival.of_sighting(one) for one in seen_path(reference(), path)]
    assert seen == [Arrival.of_hop(hop) for hop in path.hops]
    ends = ip_address("26.0.0.2"), ip_address("28.0.0.2")
    assert Arrival("sc2", "sc2_lc1", 108, ends) in seen


@pytest.mark.parametrize(
    ("reason", "callers", "show"),
    [
        ("IP_INNOROUTES", ("ip_route_input_slow",), "ip -n sc2 route get 28.0.0.2 from 26.0.0.2 iif sc2_lc1"),
        ("NOT_SPECIFIED", GRE_KEY, "ip -n sc2 -d link show"),
        ("NOT_SPECIFIED", ("tunnel64_rcv", "ip_protocol_deliver_rcu"), "ip -n sc2 -d link show type sit"),
        ("NOT_SPECIFIED", ("ip_forward",), ""),
    ],
)
def test_drop_is_shown_by_the_route_or_the_tunnels(reason: str, callers: tuple[str, ...], show: str) -> None:
    """The command asks for the route of this very packet, or lists the devices that might have taken it."""
    ends = ip_address("26.0.0.2"), ip_address("28.0.0.2")
    shown = trace(places=(("sc2_lc1", 108),), reason=reason, callers=callers)
    (cause,) = drop_causes(shown, [Arrival("sc2", "sc2_lc1", 108, ends)], COUNT)
    assert cause.show == show


def test_counter_of_packets_without_a_route_is_shown_by_the_route() -> None:
    """Of other counters the counter itself is shown."""
    six = ip_address("fd00::1"), ip_address("fd00::2")
    found = [
        cause.show
        for name in ("Ip6InNoRoutes", "Ip6InDiscards")
        for cause in counter_causes(Arrival("sc2", "e0", 108, six), {name: 1}, {name: 1}, {name: 6}, COUNT)
    ]
    assert found == [
        "ip -n sc2 -6 route get fd00::2 from fd00::1 iif e0",
        "ip netns exec sc2 nstat -az Ip6InDiscards",
    ]


FILES = (
    "00000041 {a:08x} 00000000 00000000 00000000\n0000002a 00000000 00000000 00000000 00000000\n",
    "Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors\nIp: 1 64 {b} 0 {c}\n",
    "Ip6InReceives                  \t0\nIp6InNoRoutes                  \t{d}\n",
    "IpExt: InNoRoutes InOctets\nIpExt: {e} {b}\n",
    "XfrmFwdHdrError         \t{f}\n",
)
NAMES = {
    "a": ("SoftnetDropped", "drop"),
    "b": ("", ""),
    "c": ("IpInAddrErrors", "forwarding"),
    "d": ("Ip6InNoRoutes", "route"),
    "e": ("IpExtInNoRoutes", "route"),
    "f": ("XfrmFwdHdrError", "xfrm"),
    "g": ("sc2_lc1 rx_dropped", "drop"),
    "h": ("", ""),
    "i": ("nft ip f c handle 4", "nft"),
    "j": ("", ""),
}


def printed(**moved: int) -> dict[str, int]:
    """The counters that tools print: of a device, of a rule that drops, and of one that accepts."""
    rules = [
        {"rule": {"family": "ip", "table": "f", "chain": "c", "handle": handle, "expr": [{"counter": count}, verdict]}}
        for handle, count, verdict in (
            (4, {"packets": moved["i"], "bytes": 0}, {"drop": None}),
            (5, {"packets": moved["j"], "bytes": 0}, {"accept": None}),
        )
    ]
    stats = {"rx": {"packets": moved["h"], "dropped": moved["g"]}, "tx": {"packets": 1, "errors": 0}}
    links = [{"ifname": "lo"}, {"ifname": "sc2_lc1", "stats64": stats}]
    return printed_counters(json.dumps(links), json.dumps({"nftables": [{"metainfo": {}}, *rules]}))


def counters(**moved: int) -> dict[str, int]:
    """The counters of a node, some of them moved."""
    values = dict.fromkeys(NAMES, 7) | moved
    return counters_of([text.format(**values) for text in FILES]) | printed(**values)


@pytest.mark.parametrize("which", NAMES)
def test_a_counter_of_loss_that_moves_with_each_packet_is_a_cause(which: str) -> None:
    """A counter of drops that moved by as many packets as were sent is told; what counts good packets is not."""
    name, kind = NAMES[which]
    causes = list(
        counter_causes(Arrival("sc2", "sc2_lc1", 108), counters(), counters(), counters(**{which: 7 + COUNT}), COUNT)
    )
    assert [(cause.kind, cause.node) for cause in causes] == ([(kind, "sc2")] if kind else [])
    assert all(cause.live == f"{name} moved by 5 with 5 packets" for cause in causes)


@pytest.mark.parametrize(("before", "idle", "after"), [(7, 7, 11), (7, 9, 15), (0, 5, 10)])
def test_a_counter_that_moves_anyway_or_by_less_is_none(before: int, idle: int, after: int) -> None:
    """Fewer than the packets that were sent, or no more than without them, is noise."""
    assert not list(
        counter_causes(Arrival("sc2", "sc2_lc1", 108), counters(c=before), counters(c=idle), counters(c=after), COUNT)
    )
