"""What nft, tc and ip printed of a guest's filters, evaluated for packets of known headers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reports.diagnosis.filters.causes import Gap, causes, gap_of, gaps_before, gaps_of_error, hits_at
from reports.diagnosis.filters.hooks import Hook, hooks
from reports.diagnosis.filters.nft import Ruleset
from reports.diagnosis.filters.packet import Packet
from reports.diagnosis.filters.printed import (
    FILES,
    NFT,
    NFT_WORDS,
    QDISC_WORDS,
    QDISCS,
    XFRM,
    Printed,
    commands,
    filters_of,
)
from tests.self.builders import expect, leg, reference, seen_hop, seen_path, with_field
from topology.packet import Layer, Layers
from topology.state import Entry, NodeState

DATA = Path(__file__).parents[1] / "data" / "filters"
JSON, WORDS = (DATA / "ruleset.json").read_text(), (DATA / "ruleset.nft").read_text()
TC, POLICIES = (DATA / "tc.json").read_text(), (DATA / "policies.txt").read_text()
TAKEN = re.sub(r'"packets": ?0', '"packets":7', TC), JSON.replace('"packets": 0', '"packets": 7')
"""The same after packets have passed: every rule and action counted some."""
EMPTY = NodeState("lc1", {}, frozenset(), frozenset())

FRAME: Layer = ("ether", {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02", "type": 0x0800})
ECHO: Layer = ("icmp", {"version": 4, "type": 8, "code": 0})
REPLY: Layer = ("icmp", {"version": 4, "type": 0, "code": 0})
TOO_BIG: Layer = ("icmp", {"version": 4, "type": 3, "code": 4})
VXLAN: Layer = ("udp", {"sport": 40000, "dport": 4900})
ARP: Layers = (("ether", {**FRAME[1], "type": 0x0806}), ("arp", {"op": 1, "psrc": "20.0.0.1", "pdst": "1.2.3.4"}))


def ip(*inner: Layer, src: str = "20.0.0.1", dst: str = "30.0.0.1", ttl: int = 64, size: int = 56) -> Layers:
    """A frame with an IPv4 packet, with so much payload."""
    number = {"icmp": 1, "udp": 17, "gre": 47}[inner[0][0]]
    head: Layer = ("ipv4", {"src": src, "dst": dst, "ttl": ttl, "proto": number})
    return (FRAME, head, *inner, ("payload", {"load": bytes(size)}))


GRE = ip(("gre", {"proto": 0x0800}), ("ipv4", {"src": "20.0.0.1", "dst": "30.0.0.1", "ttl": 63, "proto": 1}), ECHO)
IP6: Layers = (
    ("ether", {**FRAME[1], "type": 0x86DD}),
    ("ipv6", {"src": "fd00::1", "dst": "fd00::2", "hlim": 4, "nh": 58}),
    ("icmp", {"version": 6, "type": 128, "code": 0}),
)


def fate(hooked: Sequence[Hook], printed: Printed) -> str:
    """What the filters do to a packet: passes, or the effect, with "may" where that is not sure."""
    hits = hits_at(hooked, printed)
    return "passes" if not hits else f"{'' if hits[0].sure else 'may '}{hits[0].effect}"


def nft(words: str, packet: Packet) -> str:
    """What the one recorded rule with these words does to a packet, in whatever chain it stands."""
    whole = Printed.of({NFT: TAKEN[1], NFT_WORDS: WORDS}, {}, EMPTY)
    family, table, handle = next(place for place, known in whole.rules.words.items() if known == words)
    chain = {"family": family, "table": table, "name": "only", "hook": "forward", "policy": "accept"}
    rules = [one for known in whole.rules.rules.values() for one in known]
    mine = [one for one in rules if (one["family"], one["table"], one["handle"]) == (family, table, handle)]
    subs = {place: known for place, known in whole.rules.rules.items() if place[2] == "sub"}
    only = {**subs, (family, table, "only"): [{**one, "chain": "only"} for one in mine]}
    ruleset = Ruleset(
        [chain], only, whole.rules.sets, whole.rules.words, {(family, table, "only"): frozenset(("lc1_br1",))}
    )
    layer: Any = {"bridge": "bridge", "netdev": "device"}.get(family, "ip")
    return fate([Hook(layer, "forward", packet)], replace(whole, rules=ruleset))


def chain(name: str, prio: int = 0, policy: str = "accept") -> str:
    """A base chain at the forward hook, as nft prints it."""
    about = f'"family": "ip", "table": "f", "name": "{name}", "hook": "forward", "prio": {prio}, "policy": "{policy}"'
    return f'{{"chain": {{{about}}}}}'


def rule(of: str, handle: int, expr: str) -> str:
    """A rule as nft prints it."""
    return f'{{"rule": {{"family": "ip", "table": "f", "chain": "{of}", "handle": {handle}, "expr": [{expr}]}}}}'


def ruleset(*objects: str) -> Printed:
    """What a node with these chains and rules prints."""
    return Printed.of({NFT: f'{{"nftables": [{", ".join(objects)}]}}', NFT_WORDS: ""}, {}, EMPTY)


RULES: Sequence[tuple[str, Layers, Mapping[str, Any], str]] = (
    ("ip length > 1400 drop", ip(ECHO, size=1400), {}, "drop"),
    ("ip length > 1400 drop", ip(ECHO, size=1372), {}, "passes"),
    ("icmp type destination-unreachable icmp code frag-needed drop", ip(TOO_BIG), {}, "drop"),
    ("icmp type destination-unreachable icmp code frag-needed drop", ip(ECHO), {}, "passes"),
    ("udp dport vmap @vm", ip(VXLAN), {}, "drop"),
    ("udp dport vmap @vm", ip(("udp", {"sport": 4900, "dport": 7})), {}, "passes"),
    ("ip protocol gre ct state invalid counter packets 0 bytes 0 drop", GRE, {}, "may drop"),
    ("ip protocol gre ct state invalid counter packets 0 bytes 0 drop", ip(ECHO), {}, "passes"),
    ("meta l4proto { tcp, udp } th dport 5000-6000 reject with icmp admin-prohibited", ip(VXLAN), {}, "passes"),
    (
        "meta l4proto { tcp, udp } th dport 5000-6000 reject with icmp admin-prohibited",
        ip(("udp", {"sport": 1, "dport": 6000})),
        {},
        "drop",
    ),
    ("meta mark & 0x000000ff == 0x00000010 drop", GRE, {}, "passes"),
    ('ip ttl < 10 log prefix "x" drop', ip(ECHO, ttl=9), {}, "drop"),
    ('ip ttl < 10 log prefix "x" drop', ip(ECHO, ttl=10), {}, "passes"),
    ("ip frag-off & 8191 != 0 drop", ip(ECHO), {}, "may drop"),
    ("ip protocol icmp drop", ip(ECHO), {}, "drop"),
    ("ip protocol icmp drop", GRE, {}, "passes"),
    ("numgen random mod 100 < 30 drop", ip(ECHO), {}, "may drop"),
    ("ip daddr 1.2.3.4 ip ttl set 3", ip(ECHO, dst="1.2.3.4"), {}, "change"),
    ("meta mark set 0x00000010", ip(ECHO), {}, "mark"),
    ('oifname "gretun-cont" ip saddr 20.0.0.0/24 snat to 26.0.0.2', ip(ECHO), {"oif": "gretun-cont"}, "change"),
    ('oifname "gretun-cont" ip saddr 20.0.0.0/24 snat to 26.0.0.2', ip(ECHO), {"oif": "lc1_sc2"}, "passes"),
    ("ip daddr 20.0.0.3 dnat to 20.0.0.9", ip(ECHO, dst="20.0.0.3"), {}, "change"),
    ("udp dport 7 redirect to :9", ip(("udp", {"sport": 1, "dport": 7})), {}, "change"),
    ("ether type arp drop", ARP, {}, "drop"),
    ("ether saddr 02:00:00:00:00:01 drop", ip(ECHO), {}, "drop"),
    ("vlan id 5 drop", (FRAME, ("dot1q", {"vlan": 5}), *ip(ECHO)[1:]), {}, "drop"),
    ("arp operation request drop", ARP, {}, "drop"),
    ("arp daddr ip 1.2.3.4 drop", ARP, {}, "drop"),
    ("arp operation reply drop", ARP, {}, "passes"),
    ("ip protocol gre drop", GRE, {"iif": "lc1_br1"}, "drop"),
    ("ip protocol gre drop", GRE, {"iif": "lc1_sc2"}, "passes"),
    ("meta nfproto ipv6 drop", IP6, {}, "drop"),
    ("ip6 saddr fd00::/8 drop", IP6, {}, "drop"),
    ("icmpv6 type echo-request drop", IP6, {}, "drop"),
    ("icmpv6 type echo-request drop", ip(ECHO), {}, "passes"),
    ("ct state vmap { invalid : drop, new : accept }", ip(ECHO), {}, "passes"),
    ("ct state vmap { invalid : drop, new : accept }", ip(REPLY), {}, "may drop"),
    ("ip saddr . ip daddr { 1.1.1.1 . 2.2.2.2 } drop", ip(ECHO, src="1.1.1.1", dst="2.2.2.2"), {}, "drop"),
    ("ip saddr . ip daddr { 1.1.1.1 . 2.2.2.2 } drop", ip(ECHO, src="1.1.1.1"), {}, "passes"),
    (
        "meta l4proto icmp ip saddr 1.2.3.4 icmp type echo-request ct state invalid counter packets 0 bytes 0 drop",
        ip(REPLY, src="1.2.3.4"),
        {},
        "passes",
    ),
    (
        'iifname "lc1_br1" udp dport 4900 meta length 1400-1600 counter packets 0 bytes 0 reject',
        ip(VXLAN, size=1400),
        {"iif": "lc1_br1"},
        "drop",
    ),
    (
        'iifname "lc1_br1" udp dport 4900 meta length 1400-1600 counter packets 0 bytes 0 reject',
        ip(VXLAN, size=100),
        {"iif": "lc1_br1"},
        "passes",
    ),
    ("ip ttl lt 5 counter packets 0 bytes 0 drop", ip(ECHO, ttl=4), {}, "drop"),
    ("ip ttl lt 5 counter packets 0 bytes 0 drop", ip(ECHO, ttl=5), {}, "passes"),
    ("xt match u32 counter packets 0 bytes 0 drop", ip(ECHO), {}, "may drop"),
)


@pytest.mark.parametrize(("words", "layers", "devices", "expected"), RULES)
def test_rule_of_nftables(words: str, layers: Layers, devices: Mapping[str, Any], expected: str) -> None:
    """A rule drops or changes exactly the packets that it is for, and only may where it is not understood."""
    assert nft(words, Packet(layers, **devices)) == expected


@pytest.mark.parametrize(("recorded", "dropped"), [(JSON, False), (TAKEN[1], True)])
def test_rule_that_counted_nothing_dropped_nothing(recorded: str, dropped: bool) -> None:
    """A counter that stayed at zero refutes what its rule seems to do."""
    printed = Printed.of({NFT: recorded, NFT_WORDS: WORDS}, {}, EMPTY)
    hooked = [Hook("ip", "forward", Packet(ip(ECHO, src="9.9.9.9", ttl=4), oif="lc1_sc2"))]
    words = [hit.words for hit in hits_at(hooked, printed)]
    assert any("xt match u32 counter" in one for one in words) is dropped


def test_mark_that_an_earlier_rule_gave_is_matched() -> None:
    """A chain that gives the mark 0x10 lets a later one drop the packet by it."""
    sets = '{"mangle": {"key": {"meta": {"key": "mark"}}, "value": 272}}'
    wants = '{"match": {"op": "==", "left": {"&": [{"meta": {"key": "mark"}}, 255]}, "right": 16}}, {"drop": null}'
    printed = ruleset(chain("b", prio=5), chain("a"), rule("a", 1, sets), rule("b", 2, wants))
    assert [hit.effect for hit in hits_at([Hook("ip", "forward", Packet(GRE))], printed)] == ["mark", "drop"]


@pytest.mark.parametrize(
    ("policy", "rules", "expected"),
    [
        ("drop", (), "drop"),
        ("drop", ('{"accept": null}',), "passes"),
        ("drop", ('{"limit": {}}, {"accept": null}',), "may drop"),
        ("accept", ('{"jump": {"target": "s"}}', '{"accept": null}'), "drop"),
        ("accept", ('{"limit": {}}, {"jump": {"target": "s"}}', '{"accept": null}'), "may drop"),
        ("drop", ('{"goto": {"target": "r"}}', '{"accept": null}'), "drop"),
        ("drop", ('{"jump": {"target": "r"}}', '{"accept": null}'), "passes"),
        ("accept", ('{"return": null}', '{"drop": null}'), "passes"),
        ("accept", ('{"queue": null}',), "may drop"),
        ("accept", ('{"log": null}, {"counter": {"packets": 1}}, {"reject": null}',), "drop"),
    ],
)
def test_way_through_chains(policy: str, rules: Sequence[str], expected: str) -> None:
    """Jumps, returns, gotos and policies end a packet's way as in the kernel; after what is unsure nothing is sure."""
    own = [rule("c", number, words) for number, words in enumerate(rules)]
    subs = [rule("s", 8, '{"drop": null}'), rule("r", 9, '{"return": null}')]
    printed = ruleset(chain("c", policy=policy), *own, *subs)
    assert fate([Hook("ip", "forward", Packet(GRE))], printed) == expected


@pytest.mark.parametrize(
    ("pref", "layers", "expected"),
    [
        (5, ip(("udp", {"sport": 1, "dport": 80})), "drop"),
        (5, ip(("udp", {"sport": 1, "dport": 80}), src="21.0.0.1"), "passes"),
        (5, ip(VXLAN), "passes"),
        (6, GRE, "redirect"),
        (6, ip(ECHO), "passes"),
        (49152, ARP, "drop"),
        (7, ip(VXLAN, src="1.2.3.4"), "drop"),
        (7, ip(VXLAN), "passes"),
        (7, ARP, "passes"),
        (8, ip(ECHO), "passes"),
        (9, ip(ECHO), "change"),
        (9, ip(ECHO, ttl=63), "passes"),
        (10, ip(ECHO), "may drop"),
        (12, ip(ECHO), "may drop"),
        (15, ip(ECHO), "may drop"),
        (17, ip(ECHO, dst="20.0.0.1"), "drop"),
        (17, ip(ECHO), "passes"),
    ],
)
def test_filter_of_tc(pref: int, layers: Layers, expected: str) -> None:
    """A filter of tc drops, redirects or changes exactly the packets that its selectors fit."""
    lines = [line.rstrip(",") for line in TAKEN[0].splitlines() if f'"pref":{pref},' in line]
    for way, hook in (
        (["ingress"], Hook("device", "ingress", Packet(layers, iif="x"))),
        (["parent", "1:"], Hook("device", "egress", Packet(layers, oif="x"))),
    ):
        printed = Printed.of({filters_of("x", *way): f"[{','.join(lines)}]"}, {}, EMPTY)
        assert fate([hook], printed) == expected
        assert fate([replace(hook, name="ingress" if "parent" in way else "egress")], printed) == "passes"


@pytest.mark.parametrize(
    ("drops", "device", "expected"),
    [(3, "sc2_lc2", "drop"), (3, "sc2_lc1", "may drop"), (0, "sc2_lc2", "corrupt"), (0, "sc2_lc1", "passes")],
)
def test_qdisc_that_dropped(drops: int, device: str, expected: str) -> None:
    """Netem's loss is proven by its counter of drops; a full queue may be the cause."""
    lines = [
        line.rstrip(",").replace('"drops":0', f'"drops":{drops}')
        for line in TC.splitlines()
        if line.startswith('{"kind"')
    ]
    printed = Printed.of({QDISCS: f"[{','.join(lines)}]"}, {}, EMPTY)
    assert fate([Hook("device", "egress", Packet(GRE, oif=device))], printed) == expected


@pytest.mark.parametrize(
    ("direction", "layers", "expected"),
    [
        ("fwd", ip(ECHO), "drop"),
        ("fwd", ip(ECHO, src="21.0.0.1"), "passes"),
        ("in", ip(ECHO), "passes"),
        ("out", ip(("udp", {"sport": 5, "dport": 6})), "may drop"),
        ("out", ip(ECHO), "passes"),
        ("fwd", ARP, "passes"),
    ],
)
def test_policy_of_xfrm(direction: str, layers: Layers, expected: str) -> None:
    """A policy blocks what it selects in its direction; one that wants encryption drops where there is no state."""
    assert fate([Hook("xfrm", direction, Packet(layers))], Printed.of({XFRM: POLICIES}, {}, EMPTY)) == expected


def passed(source: str, target: str, at: int, sysctls: Mapping[str, str] | None = None) -> list[str]:
    """The hooks between two successive places of the reference lab's way."""
    way = expect(reference(), source, target).paths[0].hops
    node = reference()[way[at].node]
    return [
        f"{hook.layer} {hook.name} {hook.device}".strip() for hook in hooks(node, way[at], way[at + 1], sysctls or {})
    ]


def test_hooks_of_a_way() -> None:
    """A bridged, a wrapped, a routed and an unwrapped packet meet the hooks in the kernel's order."""
    way = [str(hop) for hop in expect(reference(), "cs1", "cs5").paths[0].hops]
    assert passed("cs1", "cs5", 1) == [
        "device ingress bridge1_cs1",
        "bridge prerouting bridge1_cs1",
        "bridge forward bridge1_cs1",
        "bridge postrouting vxlan-cont",
        "device egress vxlan-cont",
    ], way
    nf = {"net.bridge.bridge-nf-call-iptables": "1"}
    assert [one for one in passed("cs1", "cs5", 1, nf) if one.startswith("ip")] == [
        "ip prerouting bridge1",
        "ip forward bridge1",
        "ip postrouting bridge1",
    ]
    assert passed("cs1", "cs5", 2) == [
        "xfrm out br1_lc1",
        "ip output br1_lc1",
        "ip postrouting br1_lc1",
        "device egress br1_lc1",
    ]


def test_lost_packet_is_explained_by_the_rule_behind_its_last_sighting() -> None:
    """The outer packet that a spine got and did not send on is dropped by the spine's rule against GRE, and by nothing
    where its link to the next node lost it."""
    expected = expect(reference(), "cs1", "cs3")
    seen = seen_path(reference(), expected.paths[0])
    at = next(n for n, one in enumerate(seen) if one.node.startswith("sc") and one.direction == "out")
    gap = gap_of(leg(expected, seen[:at]).verdict)
    assert gap is not None
    assert gap_of(leg(expected, seen[: at + 1]).verdict) is None
    spine = gap.node
    match = '{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "protocol"}}, "right": "gre"}}'
    printed = ruleset(chain("c"), rule("c", 4, f'{match}, {{"drop": null}}'))
    (cause,) = causes(gap, list(hooks(reference()[spine], gap.came, gap.goes)), printed, declared=True)
    assert (cause.kind, cause.node) == ("nft", spine)
    assert cause.fix == f"ip netns exec {spine} nft delete rule ip f c handle 4"
    assert cause.show == f"ip netns exec {spine} nft -a list chain ip f c"
    inner = Gap(spine, None, gap.goes, gap.effects)
    assert not list(causes(inner, list(hooks(reference()[spine], None, gap.goes)), printed, declared=True))


def test_what_is_there_and_cannot_be_read_is_said() -> None:
    """Tables of iptables-legacy, a command that fails and output that is no JSON are named, never taken for nothing."""
    outputs = {NFT: None, filters_of("x", "egress"): '[{"options":{handle 0x7 ]'}
    printed = Printed.of(outputs, {FILES[2]: "filter\nnat\n"}, EMPTY)
    gap = Gap("lc1", None, None, ("drop",))
    assert [cause.live for cause in causes(gap, [], printed, declared=False)] == [
        "'nft -j -a list ruleset' failed: not evaluated",
        "'tc -s -j filter show dev x egress' prints no JSON: not evaluated",
        "/proc/net/ip_tables_names has filter, nat: not evaluated",
    ]


def test_only_what_is_there_is_asked_for() -> None:
    """A node without filters is asked for nothing, and a module that is not loaded is never loaded."""
    out, back = (
        Hook("device", "egress", Packet(GRE, oif="lc1_sc2")),
        Hook("device", "ingress", Packet(GRE, iif="lc1_sc2")),
    )
    sockets = {FILES[0]: "0000  6   0  \n", FILES[1]: "XfrmInPolBlock \t2\n"}
    ways = [["egress"], ["ingress"], ["parent", "1:"]]
    places = [f"dev lc1_sc2 {' '.join(way)} protocol ip pref 5" for way in ways]
    filters = [Entry("tc filter", "lc1_sc2", "", place) for place in places]
    entries = (Entry("nft", None, "table ip f", ""), Entry("tc qdisc", "lc1_sc2", "", ""), *filters)
    full = replace(EMPTY, entries=frozenset(entries))
    both, one, other = (filters_of("lc1_sc2", *way) for way in ways)
    assert list(commands(EMPTY, {}, [out])) == []
    assert list(commands(EMPTY, {FILES[1]: sockets[FILES[1]]}, [out])) == []
    assert set(commands(full, sockets, [out])) == {NFT, NFT_WORDS, XFRM, QDISCS, QDISC_WORDS, both, other}
    assert one in set(commands(full, {}, [back]))
    assert other not in set(commands(full, {}, [back]))
    assert not {both, one, other} & set(commands(full, {}, [replace(out, packet=Packet(GRE, oif="lc1_br1"))]))


def test_changed_packet_is_no_lost_one() -> None:
    """Where a packet was seen with another source, a rule that changes it is named and one that drops it is not."""
    expected = expect(reference(), "cs1", "cs3")
    path = expected.paths[0]
    seen = seen_path(reference(), path)
    at = next(n for n, hop in enumerate(path.hops) if hop.interface == "gretun-cont")
    seen[at] = seen_hop(reference(), path.hops[at], at, with_field("ipv4", src="26.0.0.2"))
    gap = gap_of(leg(expected, seen).verdict)
    assert gap is not None
    assert gap.effects == ("change", "redirect", "corrupt")


def test_damage_is_looked_for_on_the_way_back() -> None:
    """Behind a lost packet every interface that it went out of is asked for netem, the last one first."""
    expected = expect(reference(), "cs1", "cs3")
    seen = seen_path(reference(), expected.paths[0])
    at = next(n for n, one in enumerate(seen) if one.node.startswith("sc") and one.direction == "in")
    found = list(gaps_before(leg(expected, seen[: at + 1]).verdict, ()))
    assert [gap.goes.ref for gap in found if gap.goes] == [
        one.ref for one in reversed(seen[:at]) if one.direction == "out"
    ]
    assert {gap.effects for gap in found} == {("corrupt",)}
    unanswered = leg(expect(reference(), "cs3", "cs1"), []).verdict
    assert [gap.goes for gap in gaps_before(unanswered, seen[: at + 1])] == [gap.goes for gap in found]


@pytest.mark.parametrize(("kind", "named"), [("destination-unreachable", True), ("time-exceeded", False)])
def test_drop_of_too_big_is_found_at_its_speaker(kind: str, named: bool) -> None:
    """The message that a packet is too big meets the output hook of the node that says it."""
    match = f'{{"match": {{"left": {{"payload": {{"protocol": "icmp", "field": "type"}}}}, "right": "{kind}"}}}}'
    printed = ruleset(chain("c").replace("forward", "output"), rule("c", 4, f'{match}, {{"drop": null}}'))
    gap = next(gaps_of_error(expect(reference(), "cs1", "cs3").paths[0]))
    found = list(causes(gap, list(hooks(reference()["cs1"], gap.came, gap.goes)), printed, declared=True))
    assert [(cause.node, cause.sure) for cause in found] == ([("cs1", True)] if named else [])
