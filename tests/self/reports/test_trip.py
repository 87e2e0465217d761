"""The claims that a test makes about a trip: each held, and each broken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.evidence import Cause, Sighting
from reports.judge.trip import Leg, Trip, is_tunnelled
from tests.self.builders import (
    expect,
    good_leg,
    leg,
    probe,
    reference,
    seen_hop,
    seen_path,
    sighting,
    vxlan_lab,
    with_field,
)
from tests.self.shapes import SHAPES, shape
from topology.errors import NotApplicable, PromiseBroken
from topology.expected import expected_journey, reply_to
from topology.formats.lab import load_lab_text
from topology.promises import Pair
from topology.wire.headers import Vlan

CAUSE = Cause("route", "lc1", "lc1_sc2", "28.0.0.0/24", "missing", "ip -n lc1 route add …")
LINKS = reference().spine_links
OVERLAYS = [(name, pair) for name in SHAPES for pair in shape(name).pairs if pair.kind not in ("bridge", "routed")]
BACK_OVER_THE_SAME_LINK = """
lab: back-over-the-same-link
nodes:
  a: {role: leaf, addresses: {ab: 10.0.0.1/30, ac: 10.0.1.1/30, h: 192.168.1.254/24},
    routes: [192.168.2.0/24 via 10.0.0.2]}
  b: {role: leaf, addresses: {ab: 10.0.0.2/30}, gre: {tun: {local: 10.0.0.2, remote: 10.0.1.2}},
    routes: [192.168.2.0/24 dev tun, default via 10.0.0.1]}
  c: {role: leaf, addresses: {ac: 10.0.1.2/30, h: 192.168.2.254/24}, gre: {tun: {local: 10.0.1.2, remote: 10.0.0.2}},
    routes: [192.168.1.0/24 dev tun, 10.0.0.0/30 via 10.0.1.1]}
  h1: {role: customer, addresses: {eth0: 192.168.1.1/24}, routes: [default via 192.168.1.254]}
  h2: {role: customer, addresses: {eth0: 192.168.2.1/24}, routes: [default via 192.168.2.254]}
links: [[a:ab, b:ab], [a:ac, c:ac], [a:h, h1:eth0], [c:h, h2:eth0]]
"""
"""Leaf a sends bare to b what b wraps for c, by way of a."""


def changed_leg(source: str, target: str, number: int, seen: Sighting | None) -> Leg:
    """A leg with one hop's sighting replaced, or left out."""
    expected = expect(reference(), source, target)
    sightings = seen_path(reference(), expected.paths[0])
    sightings[number : number + 1] = [seen] if seen else []
    return leg(expected, sightings)


def bare_at_the_spine() -> Leg:
    """A leg whose packet crossed one leaf-spine link without GRE and VXLAN."""
    hops = expect(reference(), "cs1", "cs5").paths[0].hops
    bare = replace(seen_hop(reference(), hops[0], 7), node="sc2", interface="sc2_lc1", direction="in")
    return changed_leg("cs1", "cs5", 7, bare)


def round_trip(source: str = "cs1", target: str = "cs5") -> Trip:
    """A trip as declared, out and back."""
    ask = probe(reference(), source, target)
    back = expected_journey(reference(), reply_to(ask))
    return Trip(good_leg(reference(), source, target), leg(back, seen_path(reference(), back.paths[0])))


def lost(legs: Leg) -> Leg:
    """The same leg with nothing seen after its sender, and a cause."""
    found = leg(legs.expected, list(legs.journey.sightings[:1]))
    return replace(found, verdict=replace(found.verdict, causes=(CAUSE,)))


def test_leg_equals_its_expectation_only_when_it_passed() -> None:
    """``leg == leg.expected`` is the whole judgement, and says nothing about another expectation."""
    good, bad = good_leg(reference(), "cs1", "cs5"), bare_at_the_spine()
    assert good == good.expected
    assert bad != bad.expected
    assert good != expect(reference(), "cs1", "cs4")
    assert good != "as declared"
    assert repr(bad) == bad.verdict.message
    assert len({good, bad}) == 2


def test_arrival_is_being_seen_coming_in_at_the_target() -> None:
    """A packet has arrived when its target saw it come in; the message names the hop, and the cause."""
    good = good_leg(reference(), "cs1", "cs5")
    assert good.arrived
    gone = lost(good)
    assert not gone.arrived
    assert gone.arrived.cause is CAUSE
    assert "cs1 -> cs5 did not arrive: con_ns1 - cs1 -> cs5 at bridge1_cs1 in - expected " in repr(gone.arrived)
    assert repr(gone.arrived).endswith(f" - seen nothing - cause: {CAUSE}")


def test_leaving_the_target_is_no_arrival() -> None:
    """A packet that only leaves by the target's interface has not come in there."""
    good = good_leg(reference(), "cs1", "cs5")
    last = replace(good.journey.sightings[-1], direction="out")
    assert not changed_leg("cs1", "cs5", 15, last).arrived


def test_arrival_alone_is_not_as_declared() -> None:
    """A packet may arrive by another way than the declared one."""
    bare = bare_at_the_spine()
    assert bare.arrived
    assert not bare.as_declared
    assert "cs1 -> cs5 diverges: sc2 - " in repr(bare.as_declared)
    assert good_leg(reference(), "cs1", "cs5").as_declared


def test_way_without_a_tunnel_makes_no_such_promise() -> None:
    """A pair that is routed or bridged without an overlay is bare on its links: the promise does not apply."""
    for good in (good_leg(vxlan_lab(), "c3", "c4"), good_leg(reference(), "cs1", "cs2")):
        with pytest.raises(NotApplicable, match="no link of its declared path lies between encapsulation and dec"):
            good.never_bare(reference().links + vxlan_lab().links)


def test_packet_that_crossed_no_such_link_proves_nothing() -> None:
    """A packet that never was on the links of its declared way does not count as never bare there."""
    finding = lost(good_leg(reference(), "cs1", "cs5")).never_bare(LINKS)
    places = "lc1:lc1_sc2, sc2:sc2_lc1, sc2:sc2_lc2, lc2:lc2_sc2"
    assert repr(finding) == f"cs1 -> cs5 - expected inside a tunnel at {places} - seen at none of them"
    assert not finding


@pytest.mark.parametrize(("name", "pair"), OVERLAYS, ids=[f"{name}-{pair}" for name, pair in OVERLAYS])
def test_no_link_between_encapsulation_and_decapsulation_may_show_a_packet_bare(name: str, pair: Pair) -> None:
    """At any role, a packet in its tunnel holds the promise, and one bare sighting breaks it."""
    lab = shape(name)
    good = good_leg(lab, pair.source, pair.target)
    assert good.never_bare(lab.links)
    ports, hops = {end for link in lab.links for end in link.ends}, good.expected.paths[0].hops
    inside = [n for n, hop in enumerate(hops) if hop.ref in ports and is_tunnelled(dict(hop.layers))]
    assert inside
    for number in inside:
        sightings = seen_path(lab, good.expected.paths[0])
        bare = seen_hop(lab, hops[0], number)
        sightings[number] = replace(bare, node=hops[number].node, interface=hops[number].interface)
        finding = leg(good.expected, sightings).never_bare(lab.links)
        assert not finding
        where = f"{hops[number].node} - {hops[number].interface}"
        assert repr(finding).startswith(f"{where} - expected inside a tunnel - seen ether / ipv4 192.168.")


def test_link_that_the_way_crosses_twice_may_show_the_packet_bare_once() -> None:
    """If the way crosses a link before encapsulation, and again in the tunnel, one bare crossing is declared."""
    lab = load_lab_text(BACK_OVER_THE_SAME_LINK)
    good = good_leg(lab, "h1", "h2")
    assert good.never_bare(lab.links)
    hops, sightings = good.expected.paths[0].hops, seen_path(lab, good.expected.paths[0])
    again = next(n for n, hop in enumerate(hops) if str(hop.ref) == "a:ab" and is_tunnelled(dict(hop.layers)))
    sightings[again] = replace(sightings[again], headers=sightings[0].headers)
    finding = leg(good.expected, sightings).never_bare(lab.links)
    assert repr(finding).startswith("a - ab - expected inside a tunnel - seen ether / ipv4 192.168.1.1>192.168.2.1")


def test_node_that_saw_something_is_not_silent() -> None:
    """Spine 1 is silent for the reference lab's customers, spine 2 is not."""
    good = good_leg(reference(), "cs1", "cs5")
    assert good.silent_at("sc1")
    finding = good.silent_at("sc2")
    assert not finding
    assert repr(finding).startswith("sc2 - expected nothing - seen sc2:sc2_lc1 in: ether / ipv4 26.0.0.2>28.0.0.2")


@pytest.mark.parametrize(
    ("source", "target", "by"), [("cs1", "cs5", 0), ("cs1", "cs4", 2), ("cs5", "cs4", 2), ("cs1", "cs2", 0)]
)
def test_ttl_is_lowered_by_the_routed_hops(source: str, target: str, by: int) -> None:
    """The customer's TTL is lowered by the hops that route it, seen and declared alike."""
    good = good_leg(reference(), source, target)
    assert good.lowered_by == by == good.declared_lowering


def test_ttl_that_was_lowered_once_more_is_noticed() -> None:
    """The count is of sightings, not of declared hops; nothing seen is no number."""
    expected = expect(reference(), "cs1", "cs5")
    last = seen_hop(reference(), expected.paths[0].hops[15], 15, with_field("ipv4", ttl=63))
    off = changed_leg("cs1", "cs5", 15, last)
    assert (off.lowered_by, off.declared_lowering) == (1, 0)
    assert leg(expected, []).lowered_by is None
    headless = sighting(reference(), "cs1", "cs1_br1", "out", (("payload", {"load": b"x"}),))
    assert leg(expected, [headless]).lowered_by is None


def test_outer_ends_are_the_tunnels_of_both_headers() -> None:
    """VXLAN in GRE has two pairs of ends, GRE alone one, a bridge none."""
    vteps, leaves = frozenset(("21.0.0.1", "23.0.0.1")), frozenset(("26.0.0.2", "28.0.0.2"))
    assert good_leg(reference(), "cs1", "cs5").outer_ends == {vteps, leaves}
    assert good_leg(reference(), "cs1", "cs4").outer_ends == {leaves}
    assert good_leg(reference(), "cs1", "cs2").outer_ends == frozenset()


def test_packet_is_bare_on_arrival() -> None:
    """The target sees no tunnel's header; a packet still wrapped there, or not there, does not count."""
    assert good_leg(reference(), "cs1", "cs5").bare_on_arrival
    wrapped = replace(
        seen_hop(reference(), expect(reference(), "cs1", "cs5").paths[0].hops[12], 15), node="cs5", interface="cs5_br3"
    )
    assert not changed_leg("cs1", "cs5", 15, wrapped).bare_on_arrival
    assert not changed_leg("cs1", "cs5", 15, None).bare_on_arrival
    assert not leg(expect(reference(), "cs1", "cs5"), []).bare_on_arrival


def test_frame_is_unchanged_byte_for_byte() -> None:
    """A Layer 2 overlay delivers the frame that was sent; a routed one does not; one frame alone proves nothing."""
    good = good_leg(reference(), "cs1", "cs5")
    assert good.frame_unchanged
    assert not good_leg(reference(), "cs1", "cs4").frame_unchanged
    assert not leg(good.expected, list(good.journey.sightings[:1])).frame_unchanged
    last = expect(reference(), "cs1", "cs5").paths[0].hops[15]
    other = seen_hop(reference(), last, 15, with_field("ether", src="02:00:00:00:00:99"))
    assert not changed_leg("cs1", "cs5", 15, other).frame_unchanged
    sent = seen_hop(reference(), good.expected.paths[0].hops[0], 0, with_field("ipv4", ttl=65))
    assert not changed_leg("cs1", "cs5", 0, sent).frame_unchanged
    tagged = sighting(reference(), last.node, last.interface, last.direction, last.layers, 15, Vlan(7))
    assert not changed_leg("cs1", "cs5", 15, tagged).frame_unchanged


def test_trip_holds_when_both_legs_do() -> None:
    """A trip's claims are about both ways; the first leg that breaks one is what it tells."""
    good = round_trip()
    assert good.arrived
    assert good.as_declared
    assert good.never_bare(LINKS)
    assert good.silent_at("sc1")
    assert good.cause is None
    for broken in (replace(good, out=lost(good.out)), replace(good, back=lost(good.back))):
        assert not broken.arrived
        assert not broken.as_declared
        assert broken.cause is CAUSE
    one_way = replace(good, back=bare_at_the_spine())
    assert not one_way.never_bare(iter(LINKS))
    assert not good.silent_at("sc2")


def test_asking_for_an_unseen_sighting_breaks_the_promise() -> None:
    """A needed sighting that is missing is the network's fault, and the message says where."""
    trip = round_trip()
    assert trip.sighting("sc2", "sc2_lc2", "out").direction == "out"
    with pytest.raises(PromiseBroken, match=r"sc1 - sc1_lc1 - expected cs1 -> cs5 \(icmp\) - seen nothing"):
        trip.sighting("sc1", "sc1_lc1")
    with pytest.raises(PromiseBroken):
        trip.sighting("sc2", "sc2_lc2", "in")


def test_lengths_of_a_sighting_are_those_of_tcpdump() -> None:
    """UDP 106 and GRE 138 for VXLAN in GRE, GRE 88 for GRE alone; None where there is no such header."""
    l2, l3 = good_leg(reference(), "cs1", "cs5"), good_leg(reference(), "cs1", "cs4")
    at = l2.sighting("sc2", "sc2_lc1")
    assert (at.udp_length, at.gre_length, at.ttl) == (106, 138, 64)
    assert l3.sighting("sc2", "sc2_lc1").gre_length == 88
    assert (l2.sighting("cs1", "cs1_br1").udp_length, l2.sighting("cs1", "cs1_br1").gre_length) == (None, None)
