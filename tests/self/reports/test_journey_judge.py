"""The verdict on a journey: passed only when everything expected was seen, in order, and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from reports.evidence import Cause, Sighting
from reports.judge.journey import Rung, Verdict, is_leg, judge_journey
from reports.words import COPY
from tests.self.builders import (
    STEP_NS,
    Change,
    expect,
    journey,
    later,
    reference,
    seen_hop,
    seen_path,
    sighting,
    with_field,
    without_gre,
)
from topology.dataplane.paths import ExpectedPath, ending
from topology.expected import ExpectedJourney, expected_journey, probe_between, reply_to
from topology.packet import Protocol
from topology.wire.headers import Vlan

GRAMMAR = re.compile(r"\S+ - \S+ -> \S+ at \S+ (in|out) - expected .+ - seen .+")
L2 = expect(reference(), "cs1", "cs5")
HOPS = range(len(L2.paths[0].hops))
SPINE = 7
"""Where sc2 first sees the packet: VXLAN in GRE."""
OTHER_MAC = "02:00:00:00:00:99"


def seen() -> list[Sighting]:
    """Every hop from cs1 to cs5 as it must be."""
    return seen_path(reference(), L2.paths[0])


def judged(sightings: list[Sighting], expected: ExpectedJourney = L2) -> Verdict:
    return judge_journey(journey(expected, sightings), expected)


def divergence(sightings: list[Sighting]) -> Rung:
    """The first divergence of a verdict that must not be good; its message keeps the grammar."""
    verdict = judged(sightings)
    assert not verdict.passed
    assert verdict.divergence is not None
    assert GRAMMAR.fullmatch(verdict.message), verdict.message
    return verdict.divergence


def place(rung: Rung | None) -> str:
    return rung.place if rung else "nowhere"


def hop_place(number: int) -> str:
    hop = L2.paths[0].hops[number]
    return f"{hop.ref} {hop.direction}"


@pytest.mark.parametrize("protocol", ["icmp", "udp"])
@pytest.mark.parametrize(("source", "target"), [("cs1", "cs5"), ("cs1", "cs4"), ("cs5", "cs4"), ("cs1", "cs2")])
def test_journey_as_declared_passes(source: str, target: str, protocol: Protocol) -> None:
    """Every expected hop, seen in order with its headers, on any legal path, is a passed journey."""
    expected = expect(reference(), source, target, protocol)
    for path in expected.paths:
        verdict = judged(seen_path(reference(), path), expected)
        assert verdict.passed
        assert verdict.divergence is None
        assert verdict.last_good is verdict.rungs[-1]
        assert verdict.message == f"{source} -> {target} as declared"


@pytest.mark.parametrize("number", HOPS)
def test_each_missing_hop_fails_there(number: int) -> None:
    """A packet that was not seen at a hop diverges there, and was good up to the hop before."""
    sightings = seen()
    del sightings[number]
    verdict = judged(sightings)
    rung = divergence(sightings)
    assert (place(rung), rung.seen, rung.wrong) == (hop_place(number), None, "nothing")
    assert verdict.message.endswith(" - seen nothing")
    assert place(verdict.last_good) == (hop_place(number - 1) if number else "nowhere")
    assert sum(1 for other in verdict.rungs if other.wrong) == 1


@pytest.mark.parametrize("number", HOPS)
def test_each_hop_seen_twice_fails(number: int) -> None:
    """A packet that is there twice was duplicated: nothing expects the second one."""
    sightings = seen()
    again = replace(sightings[number], order=99)
    rung = divergence([*sightings, again])
    assert (place(rung), rung.expected) == (hop_place(number), None)
    assert rung.seen is again
    assert rung.wrong == COPY
    assert judged([*sightings, again]).message.endswith(
        f" - expected nothing - seen {again.headers.summary()} - {COPY}"
    )


@pytest.mark.parametrize("number", HOPS[:-1])
def test_each_swap_in_time_fails(number: int) -> None:
    """A hop that is seen before the one that must precede it is out of order, by so many nanoseconds."""
    sightings = seen()
    sightings[number] = later(sightings[number], 1)
    sightings[number + 1] = later(sightings[number + 1], -1)
    rung = divergence(sightings)
    assert place(rung) == hop_place(number + 1)
    assert rung.wrong == f"seen {STEP_NS} ns before the hop that must precede it"


def test_equal_timestamps_are_in_order() -> None:
    """Decapsulation keeps the timestamp: a tie is no disorder, whichever socket read it first."""
    tied = [replace(s, time_ns=seen()[0].time_ns, order=99 - s.order) for s in seen()]
    assert judged(tied).passed


CHANGES: dict[str, tuple[Change, str]] = {
    "outer ttl": (with_field("ipv4", ttl=64), "header 2 ipv4.ttl - another value - expected 63 - seen 64"),
    "middle ttl": (with_field("ipv4", 1, ttl=62), "header 4 ipv4.ttl - another value - expected 63 - seen 62"),
    "outer source": (with_field("ipv4", src="25.0.0.2"), "header 2 ipv4.src - another value - expected 26.0.0.2"),
    "vni": (with_field("vxlan", vni=31), "header 6 vxlan.vni - another value - expected 30 - seen 31"),
    "vxlan's port": (with_field("udp", dport=4789), "header 5 udp.dport - another value - expected 4900 - seen 4789"),
    "customer's mac": (with_field("ether", 1, src=OTHER_MAC), "header 7 ether.src - another value"),
    "gre key": (with_field("gre", key=7), "header 3 gre.key - another value - expected none (no key) - seen 7"),
    "payload": (with_field("payload", load=bytes(56)), "header 10 payload.load - another value"),
    "missing gre": (without_gre, "header 2 ipv4.src - another value - expected 26.0.0.2 - seen 21.0.0.1"),
    "malformed": (with_field("ipv4", len=9000), "frame - malformed - expected whole, well-formed headers"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_changed_field_fails_there(name: str) -> None:
    """A hop that shows another header than declared diverges there, in the words of what is different."""
    change, words = CHANGES[name]
    sightings = seen()
    sightings[SPINE] = seen_hop(reference(), L2.paths[0].hops[SPINE], SPINE, change)
    rung = divergence(sightings)
    assert place(rung) == "sc2:sc2_lc1 in"
    assert rung.wrong.startswith(words), rung.wrong
    assert words in judged(sightings).message


def test_undeclared_vlan_tag_fails() -> None:
    """A tag that the kernel took out of the frame is still a header of it."""
    sightings, hop = seen(), L2.paths[0].hops[SPINE]
    sightings[SPINE] = sighting(reference(), hop.node, hop.interface, hop.direction, hop.layers, SPINE, Vlan(100))
    rung = divergence(sightings)
    assert place(rung) == "sc2:sc2_lc1 in"
    assert rung.wrong.startswith("header 1 ether.type - another value - expected 0x0800 - seen 0x8100")


def test_direction_is_part_of_a_hop() -> None:
    """A packet that leaves where it should come in has not been seen coming in."""
    sightings = seen()
    sightings[SPINE] = replace(sightings[SPINE], direction="out")
    assert [(rung.place, rung.wrong) for rung in judged(sightings).rungs if rung.wrong] == [
        ("sc2:sc2_lc1 out", "nothing is expected here"),
        ("sc2:sc2_lc1 in", "nothing"),
    ]


def test_sighting_elsewhere_fails_though_all_else_is_good() -> None:
    """A packet that also shows up at a node where nothing is expected is a divergence between its hops."""
    hop = L2.paths[0].hops[SPINE]
    stray = replace(sighting(reference(), "sc1", "sc1_lc1", "in", hop.layers, SPINE), order=50)
    rung = divergence([*seen(), stray])
    assert place(rung) == "sc1:sc1_lc1 in"
    verdict = judged([*seen(), stray])
    assert place(verdict.last_good) == hop_place(SPINE)
    assert " - expected nothing - seen ether / ipv4 26.0.0.2>28.0.0.2" in verdict.message
    assert len(verdict.rungs) == len(HOPS) + 1


def test_wrong_way_is_reported_where_it_was_taken() -> None:
    """A packet that goes over the other spine diverges where it turns off, before the hop that missed it."""
    sightings = seen()
    taken = [replace(s, node="sc1", interface=s.interface.replace("sc2", "sc1")) for s in sightings if s.node == "sc2"]
    kept = [s for s in sightings if s.node != "sc2"]
    verdict = judged([*kept, *taken])
    assert place(verdict.divergence) == "sc1:sc1_lc1 in"
    assert place(verdict.last_good) == "lc1:lc1_sc2 out"


def test_nothing_is_wrong_behind_a_path_that_is_not_followed() -> None:
    """The ladder says from where on; before that it is judged as ever, and the journey does not pass."""
    whole, hops = seen(), L2.paths[0].hops[:SPINE]
    device = ending(reference()["lc1"]["gretun-cont"], "what it is joined to is not followed")
    cut = replace(L2, paths=(ExpectedPath(hops, device),))
    verdict = judged(whole, cut)
    assert verdict.divergence is None
    assert not verdict.passed
    assert [rung.seen for rung in verdict.rungs] == whole
    assert (
        verdict.note
        == f"not followed from {hop_place(SPINE)} on: lc1:gretun-cont: what it is joined to is not followed"
    )
    assert place(judged(whole[1:], cut).divergence) == hop_place(0)
    lost = replace(L2, paths=(ExpectedPath(hops, ending(reference()["lc1"], "no route")),))
    assert place(judged(whole, lost).divergence) == hop_place(SPINE)


def test_no_evidence_is_no_pass() -> None:
    """Nothing seen fails at the first hop; nothing expected is no verdict to be proud of either."""
    assert place(divergence([])) == "cs1:cs1_br1 out"
    nothing = judge_journey(journey(L2, []), ExpectedJourney("cs1", "cs5", ()))
    assert not nothing.passed
    assert nothing.message == "no hops to judge"
    assert nothing.last_good is None


def test_second_legal_path_is_legal() -> None:
    """The legal path that the packet follows furthest is the one that judges it."""
    expected = expect(reference(), "cs1", "cs5", "udp")
    first, second = (seen_path(reference(), path) for path in expected.paths)
    assert judged(second, expected).passed
    broken = [*second[:-1]]
    verdict = judged(broken, expected)
    assert place(verdict.divergence) == "cs5:cs5_br3 in"
    mixed = judged([*first[:7], *second[7:]], expected)
    assert place(mixed.divergence) == "sc2:sc2_lc1 in"
    assert "expected 63 - seen 64" in mixed.message


def test_neither_path_is_judged_by_the_nearer() -> None:
    """A packet on no legal path is held against the one with the fewest wrong hops."""
    expected = expect(reference(), "cs1", "cs5", "udp")
    second = seen_path(reference(), expected.paths[1])
    hop = expected.paths[1].hops[0]
    second[0] = seen_hop(reference(), hop, 0, with_field("ipv4", ttl=1))
    verdict = judged(second, expected)
    assert sum(1 for rung in verdict.rungs if rung.wrong) == 1


def test_note_is_in_the_message() -> None:
    """A note, such as a refusal to send, ends the message."""
    seen_nothing = journey(L2, [], note="cs1 refused to send: Network is unreachable")
    message = judge_journey(seen_nothing, L2).message
    assert message.endswith(" - seen nothing - cs1 refused to send: Network is unreachable")


def test_unsorted_evidence_is_sorted() -> None:
    """Taps of many namespaces are read in any order; the verdict goes by time."""
    shuffled = replace(journey(L2, []), sightings=tuple(reversed(seen())))
    assert judge_journey(shuffled, L2).passed


def test_first_cause_is_the_likeliest() -> None:
    """Of ranked causes the first is the verdict's; without any there is none."""
    causes = (Cause("route", "lc1", "", "there", "missing", ""), Cause("link", "lc2", "", "up", "down", ""))
    assert Verdict("a", "b", (), causes=causes).cause == causes[0]
    assert Verdict("a", "b", ()).cause is None


def test_broken_promise_fails_a_journey_whose_every_hop_is_as_expected() -> None:
    """The nodes' own state may have a packet end where it did: then the promise says what is wrong, else the hop."""
    whole = replace(judge_journey(journey(L2, seen()), L2), unkept="cs1 -> cs5 - expected to arrive")
    assert (whole.passed, whole.message) == (False, "cs1 -> cs5 - expected to arrive")
    lost = judge_journey(journey(L2, seen()[:2]), L2)
    assert replace(lost, unkept="cs1 -> cs5 - expected to arrive").message == lost.message


def test_request_is_known_by_one_end_where_the_other_may_be_rewritten() -> None:
    """Source NAT leaves it the request, and makes no answer of it."""
    lab = reference()
    probe = probe_between(lab, "cs1", "cs3")
    sent, *_ = seen_path(lab, expected_journey(lab, replace(probe, src=lab["lc1"].address, source="lc1")).paths[0])
    answer, *_ = seen_path(lab, expected_journey(lab, reply_to(probe)).paths[0])
    assert [is_leg(one, probe, rewritten=may) for one in (sent, answer) for may in (False, True)] == [
        False,
        True,
        False,
        False,
    ]
