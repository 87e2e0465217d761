"""The request for an address that a packet waits for: the hop where it, or its answer, was lost is the one blamed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import pytest

from reports.diagnosis.resolution import (
    AddressAnswer,
    ignored_answer,
    judged_leg,
    lost_at,
    lost_in_group,
    message_of,
    resolved,
)
from reports.evidence import Sighting
from reports.judge.journey import Verdict, judge_journey
from tests.self.builders import (
    expect,
    journey,
    known_lab,
    later,
    probe,
    reference,
    seen_hop,
    seen_path,
    sighting,
    with_field,
)
from topology.dataplane.paths import ExpectedHop
from topology.dataplane.walk import AddressRequest
from topology.formats.lab import load_lab
from topology.model import Device, Fabric
from topology.packet import Layer, Layers, ip_layer

OUT = (
    *("cs1:cs1_br1 out", "con_ns1:bridge1_cs1 in", "con_ns1:vxlan-cont out", "con_ns1:br1_lc1 out", "lc1:lc1_br1 in"),
    *("lc1:gretun-cont out", "lc1:lc1_sc2 out", "sc2:sc2_lc1 in", "sc2:sc2_lc2 out", "lc2:lc2_sc2 in"),
    *("lc2:gretun-cont in", "lc2:lc2_br3 out", "con_ns3:br3_lc2 in", "con_ns3:vxlan-cont in"),
    *("con_ns3:bridge3_cs5 out", "cs5:cs5_br3 in"),
)
"""The branch of cs1's request that leads to cs5, by the reference lab's drawing."""
NOBODY = "00:00:00:00:00:00"
TO_ALL = "ff:ff:ff:ff:ff:ff"


def turned(place: str) -> str:
    """The same interface, the other way."""
    return place.replace(" in", " back").replace(" out", " in").replace(" back", " out")


PLACES = (*OUT, *map(turned, reversed(OUT)))


def arp(asker: Device, owner: Device) -> tuple[Layers, Layers]:
    """A request (RFC 826) and its answer."""
    ends = {"hwsrc": asker.mac, "psrc": asker.addresses[0].ip, "hwdst": NOBODY, "pdst": owner.addresses[0].ip}
    turned = {"hwsrc": owner.mac, "psrc": ends["pdst"], "hwdst": asker.mac, "pdst": ends["psrc"]}
    return (
        (("ether", {"src": asker.mac, "dst": TO_ALL, "type": 0x0806}), ("arp", {"op": 1, **ends})),
        (("ether", {"src": owner.mac, "dst": asker.mac, "type": 0x0806}), ("arp", {"op": 2, **turned})),
    )


def neighbour_discovery(asker: Device, owner: Device) -> tuple[Layers, Layers]:
    """A solicitation (RFC 4861) and its advertisement."""
    wanted = owner.addresses[0].ip
    group = type(wanted)(f"ff02::1:ff{wanted.packed[-3]:02x}:{int.from_bytes(wanted.packed[-2:]):x}")
    to_many = "33:33:ff:" + ":".join(f"{byte:02x}" for byte in wanted.packed[-3:])

    def message(kind: int, sender: Device, mac: str, dst: object) -> Layers:
        load = wanted.packed + bytes((kind - 134, 1)) + bytes.fromhex(str(sender.mac).replace(":", ""))
        ether: Layer = ("ether", {"src": sender.mac, "dst": mac, "type": 0x86DD})
        ip = ip_layer(sender.addresses[0].ip, dst, 255, 58)  # type: ignore[arg-type]
        return (ether, ip, ("icmp", {"type": kind, "version": 6}), ("payload", {"load": load}))

    return message(135, asker, to_many, group), message(136, owner, str(asker.mac), asker.addresses[0].ip)


CASES = {
    "ARP": ("ece792", "cs1", "cs1_br1", "cs5", "cs5_br3", arp),
    "ND": ("ipv6-overlay", "cs1", "cs1_sw1", "cs2", "cs2_sw2", neighbour_discovery),
}
TENANTS = {colour: ("two-tenants", f"{colour}1", "eth0", f"{colour}3", "eth0", arp) for colour in ("red", "blue")}
"""Both have the same addresses and MACs."""


@cache
def case(name: str) -> tuple[Fabric, list[ExpectedHop], Callable[[Sequence[Sighting]], Verdict]]:
    """A lab, the hops of a request and its answer, and the judgement of a packet that its source never sent."""
    lab_name, source, port, target, far, messages = {**CASES, **TENANTS}[name]
    lab = load_lab(lab_name)
    asker, owner = lab[source][port], lab[target][far]
    frames = messages(asker, owner)
    paths = AddressRequest(lab, asker, owner.addresses[0].ip, {}).emit(asker, frames[0], ())
    out = next(path for path in paths if not path.dropped)
    back = next(AddressAnswer(lab, "").emit(owner, frames[1], ()))
    expected = expect(lab, source, target)

    def judge(seen: Sequence[Sighting]) -> Verdict:
        return resolved(judge_journey(journey(expected, []), expected), lab, seen)

    return lab, [*out.hops, *back.hops], judge


def taken(name: str, count: int) -> list[Sighting]:
    """Sightings of the first hops."""
    lab, hops, _ = case(name)
    return [seen_hop(lab, hop, number) for number, hop in enumerate(hops[:count])]


def test_the_branch_is_that_of_the_drawing() -> None:
    """The request goes from cs1 through VXLAN in GRE to cs5, and the answer the same way back."""
    assert tuple(hop.place for hop in case("ARP")[1]) == PLACES


@pytest.mark.parametrize("name", CASES)
def test_each_lost_hop_is_blamed(name: str) -> None:
    """Wherever the request or its answer ends, that hop is the first divergence, and no hop before it is wrong."""
    hops, judge = case(name)[1:]
    for count in range(1, len(hops)):
        verdict = judge(taken(name, count))
        assert verdict.divergence is not None
        assert verdict.divergence.place == hops[count].place
        assert [rung.place for rung in verdict.rungs[:count]] == [hop.place for hop in hops[:count]]
        assert "waits at" in verdict.message
        assert not verdict.passed


@pytest.mark.parametrize("name", CASES)
def test_a_question_that_was_answered_or_not_asked_explains_nothing(name: str) -> None:
    """A source that has its answer, or never asked, is itself to blame for what it does not send."""
    lab, hops, judge = case(name)
    for seen in ([], taken(name, len(hops)), [taken(name, 2)[1]]):
        verdict = judge(seen)
        assert verdict.divergence is not None
        assert verdict.divergence.place == hops[0].place
        assert verdict.note == ""
    assert lab.pairs


@pytest.mark.parametrize("name", CASES)
def test_an_answer_that_came_in_in_vain_is_found(name: str) -> None:
    """Of a packet that still waits, the answer at its own interface is what its node ignored; none before it."""
    lab, hops, judge = case(name)
    seen = taken(name, len(hops))
    assert ignored_answer(judge(seen), lab, seen) is seen[-1]
    assert ignored_answer(judge(seen[:-1]), lab, seen[:-1]) is None


def test_a_changed_request_is_shown() -> None:
    """A request that was sent to another VTEP diverges there, and says by what."""
    lab, hops, judge = case("ARP")
    wrong = seen_hop(lab, hops[3], 3, with_field("ipv4", dst="239.1.1.1"))
    verdict = judge([*taken("ARP", 3), wrong])
    assert verdict.divergence is not None
    assert (verdict.divergence.place, verdict.divergence.seen) == (hops[3].place, wrong)
    assert "239.1.1.1" in verdict.message


def test_a_request_to_a_multicast_group_ends_where_it_was_seen_last() -> None:
    """A request that a tunnel sends to a group, which nobody routes on, names the group and the place."""
    lab, hops, _ = case("ARP")
    to_group = with_field("ipv4", dst="239.1.1.1")
    seen = [*taken("ARP", 3), *(seen_hop(lab, hops[n], n, to_group) for n in (3, 4))]
    (cause,) = lost_in_group(seen)
    assert (cause.kind, cause.node, cause.interface) == ("multicast", "lc1", "lc1_br1")
    assert "239.1.1.1" in cause.declared
    assert not list(lost_in_group(taken("ARP", 5)))


@pytest.mark.parametrize("before", [0, 20], ids=["after the other's", "before the other's"])
def test_the_request_of_another_tenant_is_not_taken_for_this_one(before: int) -> None:
    """Of two tenants with the same addresses and MACs, the changed request is this one's, and never the other's."""
    lab, hops, judge = case("blue")
    others = [later(one, before) for one in taken("red", len(case("red")[1]))]
    own = [later(one, 10) for one in taken("blue", 3)]
    wrong = later(seen_hop(lab, hops[3], 3, with_field("ipv4", dst="10.2.0.3")), 10)
    for seen, last in (([*own, wrong, *others], wrong), ([*own, *others], None)):
        divergence = judge(seen).divergence
        assert divergence is not None
        assert (divergence.place, divergence.seen) == (hops[3].place, last)


def test_the_lost_hop_is_a_cause_as_far_as_it_is_known() -> None:
    """The hop that was not seen is told; a sender that only waits is not blamed."""
    verdict = case("ARP")[2](taken("ARP", 2))
    (cause,) = lost_at(verdict)
    assert (cause.kind, cause.node, cause.interface) == ("address resolution", "con_ns1", "vxlan-cont")
    unsent = case("ARP")[2]([])
    assert [(one.kind, one.node) for one in lost_at(unsent)] == [("loss", "cs1")]
    assert not list(lost_at(replace(unsent, note="cs1 -> cs5 waits at cs1:cs1_br1 for the MAC of 20.0.0.3")))


def test_copies_to_others_and_repetitions_do_not_count() -> None:
    """A request is repeated each second and goes to all ports: only the owner's branch is judged."""
    lab, hops, judge = case("ARP")
    first = taken("ARP", 5)
    aside = sighting(lab, "con_ns1", "bridge1_cs2", "out", hops[0].layers, 2)
    again = [later(one, 100) for one in [*first, aside]]
    verdict = judge([*first[:2], aside, *first[2:], *again])
    assert [rung.place for rung in verdict.rungs if not rung.wrong] == list(OUT[:5])


def test_the_request_of_a_router_on_the_way_is_followed() -> None:
    """A packet that a VTEP cannot send on waits there for the next hop; so does a request that it would wrap."""
    lab, _, judge = case("ARP")
    vtep, leaf = lab["con_ns1"]["br1_lc1"], lab["lc1"]["lc1_br1"]
    asks = sighting(lab, "con_ns1", "br1_lc1", "out", arp(vtep, leaf)[0], 9)
    comes = sighting(lab, "lc1", "lc1_br1", "in", arp(vtep, leaf)[0], 10)
    expected = expect(lab, "cs1", "cs5")
    there = seen_path(lab, expected.paths[0])[:3]
    alone = judge_journey(journey(expected, there), expected)
    for verdict in (judge([*taken("ARP", 3), asks, comes]), resolved(alone, lab, [asks, comes])):
        assert [rung.place for rung in verdict.rungs[:5]] == [*OUT[:3], "con_ns1:br1_lc1 out", "lc1:lc1_br1 in"]
        assert verdict.divergence is not None
        assert verdict.divergence.place == "lc1:lc1_br1 out"
        assert "waits at con_ns1:br1_lc1 for the MAC of 21.0.0.2" in verdict.message


def test_of_equal_cost_ways_the_one_counts_on_which_a_packet_waits() -> None:
    """A router asks for the next hop of the way that it chose, which need not be the first that is legal."""
    lab = known_lab("ecmp")
    expected = expect(lab, "cs1", "cs2")
    for path in expected.paths:
        (before,) = [
            n for n, hop in enumerate(path.hops) if hop.place.startswith("lc1:lc1_sc") and hop.direction == "out"
        ]
        spine = path.hops[before + 1]
        asker, owner = lab["lc1"][path.hops[before].interface], lab[spine.node][spine.interface]
        asks = sighting(lab, "lc1", asker.name, "out", arp(asker, owner)[0], 9)
        there = replace(journey(expected, seen_path(lab, path)[:before]), resolution=(asks,))
        verdict = judged_leg(there, probe(lab, "cs1", "cs2"), lab).verdict
        assert f"waits at lc1:{asker.name} for the MAC of {owner.addresses[0].ip}" in verdict.note
        assert verdict.divergence is not None
        assert verdict.divergence.node == spine.node


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        (with_field("arp", op=3), False),
        (with_field("arp", psrc="0.0.0.0"), False),
        (with_field("ether", dst="02:00:00:00:00:01"), False),
        (with_field("ether", src="02:00:00:00:00:01"), True),
    ],
    ids=["reverse ARP", "looks for a duplicate", "confirms a known MAC", "request"],
)
def test_only_requests_to_all_count(change: Callable[[Layers], Layers], kept: bool) -> None:
    """An unknown operation, a search for duplicates and a question to a known MAC hold no packet back."""
    lab, hops, _ = case("ARP")
    assert (message_of(seen_hop(lab, hops[0], 0, change)) is not None) is kept


def test_cut_and_other_frames_are_no_messages() -> None:
    """What has no whole request in it is left alone."""
    lab = reference()
    seen = seen_path(lab, expect(lab, "cs1", "cs5").paths[0])
    request = taken("ARP", 4)
    ether = seen[0].headers.chain[0]
    pieces = [(ether, ("payload", {"load": one.frame[14:30]})) for one in request]
    cut = [sighting(lab, "cs1", "cs1_br1", "out", piece) for piece in pieces]
    assert [message_of(one) for one in [*seen, *cut]] == [None] * (len(seen) + len(cut))
