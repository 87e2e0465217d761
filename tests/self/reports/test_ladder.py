"""The ladder as a terminal shows it: literal pages for a good journey, a changed one, a lost one and a stray one."""

from __future__ import annotations

from dataclasses import replace

from reports.evidence import Cause
from reports.judge.journey import judge_journey
from reports.judge.trip import Leg
from reports.record.append import journey_of
from reports.render import ladder
from tests.self.builders import expect, journey, later, leg, reference, seen_hop, seen_path, with_field
from topology.expected import ExpectedJourney

EXPECTED = expect(reference(), "cs1", "cs2")
HOPS = EXPECTED.paths[0].hops
PING = "ether / ipv4 20.0.0.1>20.0.0.2 ttl 64 / icmp echo-request / 56 bytes"
NOT_FOUND = "cause: not found: of what is read (docs/adopting.md lists it), nothing that could explain it differs"
CAUSE = Cause("link", "con_ns1", "bridge1_cs2", "up", "down", "ip -n con_ns1 link set dev bridge1_cs2 up")


def ladder_lines(shown: Leg) -> list[str]:
    return ladder.ladder_lines(journey_of(shown))


def page(shown: Leg) -> str:
    return "\n".join(ladder_lines(shown)) + "\n"


def test_good_journey_is_one_line_a_hop() -> None:
    """Every hop with its time, its place and what was seen."""
    assert (
        page(leg(EXPECTED, seen_path(reference(), EXPECTED.paths[0])))
        == f"""\
cs1 -> cs2 (icmp): as declared at every hop
  ok      +0.0 us  cs1:cs1_br1 out          {PING}
  ok      +5.0 us  con_ns1:bridge1_cs1 in   {PING}
  ok     +10.0 us  con_ns1:bridge1_cs2 out  {PING}
  ok     +15.0 us  cs2:cs2_br1 in           {PING}
"""
    )


def test_changed_header_is_marked_with_expected_beside_seen() -> None:
    """The first divergence is marked; expected stands above seen, and why below."""
    sightings = seen_path(reference(), EXPECTED.paths[0])
    sightings[2] = seen_hop(reference(), HOPS[2], 2, with_field("ipv4", ttl=63))
    changed = PING.replace("ttl 64", "ttl 63")
    assert (
        page(leg(EXPECTED, sightings))
        == f"""\
cs1 -> cs2 (icmp): first divergence at con_ns1:bridge1_cs2 out
  ok      +0.0 us  cs1:cs1_br1 out          {PING}
  ok      +5.0 us  con_ns1:bridge1_cs1 in   {PING}
>>>>     +10.0 us  con_ns1:bridge1_cs2 out  expected {PING}
                                            seen     {changed}
                                            why      layer 1 ipv4.ttl - another value - expected 64 - seen 63
  ok     +15.0 us  cs2:cs2_br1 in           {PING}
{NOT_FOUND}
"""
    )


def test_lost_packet_shows_cause_and_mend() -> None:
    """Where a packet was lost the first missing hop is marked, those behind it are not, and the cause ends the page."""
    lost = leg(EXPECTED, seen_path(reference(), EXPECTED.paths[0])[:2], note="nobody answered")
    lost = replace(lost, verdict=replace(lost.verdict, cause=CAUSE))
    assert (
        page(lost)
        == f"""\
cs1 -> cs2 (icmp): first divergence at con_ns1:bridge1_cs2 out
  ok      +0.0 us  cs1:cs1_br1 out          {PING}
  ok      +5.0 us  con_ns1:bridge1_cs1 in   {PING}
>>>>            -  con_ns1:bridge1_cs2 out  expected {PING}
                                            seen     nothing
                -  cs2:cs2_br1 in           expected {PING}
                                            seen     nothing
note: nobody answered
cause: con_ns1 bridge1_cs2: link - expected up - seen down
fix:   ip -n con_ns1 link set dev bridge1_cs2 up
"""
    )


def test_hops_behind_a_loss_are_one_line() -> None:
    """Where nothing is seen any more there is nothing to compare: the hops are counted, with the first and the last."""
    lines = ladder_lines(leg(EXPECTED, seen_path(reference(), EXPECTED.paths[0])[:1]))
    assert lines[2].startswith(">>>>            -  con_ns1:bridge1_cs1 in   expected ether")
    behind = "seen at none of the 2 hops from con_ns1:bridge1_cs2 out to cs2:cs2_br1 in"
    assert lines[4] == f"                -  {behind}"
    assert lines[5:] == [NOT_FOUND]


def test_stray_packet_is_expected_nothing() -> None:
    """A sighting where nothing is expected stands at its place in time, with no reason but that."""
    sightings = seen_path(reference(), EXPECTED.paths[0])
    stray = replace(sightings[1], node="cs5", interface="x", order=9)
    lines = ladder_lines(leg(EXPECTED, [*sightings, stray]))
    assert lines[0] == "cs1 -> cs2 (icmp): first divergence at cs5:x in"
    assert lines[3] == ">>>>      +5.0 us  cs5:x in                 expected nothing"
    assert lines[4].strip() == f"seen     {PING}"
    assert lines[-1] == NOT_FOUND


def test_time_before_the_first_hop_is_negative() -> None:
    """A hop that is seen too early shows how much before the first one it was."""
    sightings = seen_path(reference(), EXPECTED.paths[0])
    sightings[1] = later(sightings[1], -3)
    lines = ladder_lines(leg(EXPECTED, sightings))
    assert lines[2].startswith(">>>>     -10.0 us  con_ns1:bridge1_cs1 in   expected ether")
    assert lines[4].strip() == "why      seen 10000 ns before the hop that must precede it"


def test_cause_without_an_interface_names_the_node() -> None:
    """A cause about a node as a whole leaves no gap for an interface."""
    lost = leg(EXPECTED, [])
    lost = replace(lost, verdict=replace(lost.verdict, cause=replace(CAUSE, interface=None)))
    assert "cause: con_ns1: link - expected up - seen down" in ladder_lines(lost)


def test_nothing_to_judge_is_not_as_declared() -> None:
    """A page without hops does not say that all is well."""
    nowhere = ExpectedJourney("cs1", "cs2", ())
    nothing = journey(nowhere, [])
    lines = ladder_lines(Leg(nothing, nowhere, judge_journey(nothing, nowhere)))
    assert lines == ["cs1 -> cs2 (icmp): no hops to judge", NOT_FOUND]
