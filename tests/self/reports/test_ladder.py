"""Failures as a terminal shows them: literal ladders of a changed and a lost journey, the cause and its fix once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.evidence import Cause
from reports.judge.journey import judge_journey
from reports.judge.trip import Leg
from reports.record.append import journey_of
from reports.render import ladder
from reports.render.ladder import common_words, failure_line, failure_text, said
from tests.self.builders import expect, journey, later, leg, reference, seen_hop, seen_path, with_field
from topology.expected import ExpectedJourney

EXPECTED = expect(reference(), "cs1", "cs2")
HOPS = EXPECTED.paths[0].hops
PING = "ether / ipv4 20.0.0.1>20.0.0.2 ttl 64 / icmp echo-request / 56 bytes"
NOT_FOUND = "cause: not found: no difference in the state read (docs/adopting.md lists it) can explain it"
CAUSE = Cause("link", "con_ns1", "bridge1_cs2", "up", "down", "ip -n con_ns1 link set dev bridge1_cs2 up")
ENDING = "cause: con_ns1 bridge1_cs2: link - expected up - seen down\nfix:   ip -n con_ns1 link set dev bridge1_cs2 up"


def ladder_lines(shown: Leg) -> list[str]:
    return ladder.ladder_lines(journey_of(shown))


def test_good_journey_is_one_line_a_hop() -> None:
    """Every hop with its time, its place and what was seen."""
    assert ladder_lines(leg(EXPECTED, seen_path(reference(), EXPECTED.paths[0]))) == [
        "cs1 -> cs2 (icmp): as declared at every hop",
        f"  ok      +0.0 us  cs1:cs1_br1 out          {PING}",
        f"  ok      +5.0 us  con_ns1:bridge1_cs1 in   {PING}",
        f"  ok     +10.0 us  con_ns1:bridge1_cs2 out  {PING}",
        f"  ok     +15.0 us  cs2:cs2_br1 in           {PING}",
    ]


def test_changed_header_is_marked_with_expected_beside_seen() -> None:
    """The first divergence is marked; expected stands above seen, and why below."""
    sightings = seen_path(reference(), EXPECTED.paths[0])
    sightings[2] = seen_hop(reference(), HOPS[2], 2, with_field("ipv4", ttl=63))
    lines = ladder_lines(leg(EXPECTED, sightings))
    gap = " " * 44
    assert (lines[0], lines[-1]) == ("cs1 -> cs2 (icmp): first divergence at con_ns1:bridge1_cs2 out", NOT_FOUND)
    assert lines[3:6] == [
        f">>>>     +10.0 us  con_ns1:bridge1_cs2 out  expected {PING}",
        f"{gap}seen     {PING.replace('ttl 64', 'ttl 63')}",
        f"{gap}why      header 2 ipv4.ttl - another value - expected 64 - seen 63",
    ]


def test_lost_packet_shows_cause_and_fix() -> None:
    """The first missing hop is marked, those behind it are not; two and more of them are counted in one line."""
    path = seen_path(reference(), EXPECTED.paths[0])
    lost = leg(EXPECTED, path[:2], note="nobody answered")
    lines = ladder_lines(replace(lost, verdict=replace(lost.verdict, causes=(CAUSE,))))
    gap = " " * 44
    assert lines[3:] == [
        f">>>>            -  con_ns1:bridge1_cs2 out  expected {PING}",
        f"{gap}seen     nothing",
        f"                -  cs2:cs2_br1 in           expected {PING}",
        f"{gap}seen     nothing",
        "note: nobody answered",
        *ENDING.splitlines(),
    ]
    behind = "not seen at con_ns1:bridge1_cs2 out, cs2:cs2_br1 in"
    assert ladder_lines(leg(EXPECTED, path[:1]))[4:] == [f"                -  {behind}", NOT_FOUND]
    nameless = replace(lost, verdict=replace(lost.verdict, causes=(replace(CAUSE, interface=None),)))
    assert "cause: con_ns1: link - expected up - seen down" in ladder_lines(nameless)


def test_stray_and_early_sightings_stand_at_their_time() -> None:
    """A sighting where nothing is expected, and one before the first hop, which has a negative time."""
    sightings = seen_path(reference(), EXPECTED.paths[0])
    stray = replace(sightings[1], node="cs5", interface="x", order=9)
    lines = ladder_lines(leg(EXPECTED, [*sightings, stray]))
    assert lines[3] == ">>>>      +5.0 us  cs5:x in                 expected nothing"
    assert lines[4].strip() == f"seen     {PING}"
    sightings[1] = later(sightings[1], -3)
    lines = ladder_lines(leg(EXPECTED, sightings))
    assert lines[2].startswith(">>>>     -10.0 us  con_ns1:bridge1_cs1 in   expected ether")
    assert lines[4].strip() == "why      seen 10000 ns before the hop that must precede it"


def test_wrong_turn_says_where_the_packet_was_expected() -> None:
    """At the node's other interface; of many hops behind it the first and the last are named."""
    path = seen_path(reference(), EXPECTED.paths[0])
    turned = replace(path[2], interface="bridge1_lc1")
    lines = ladder_lines(leg(EXPECTED, [*path[:2], turned]))
    assert lines[3].endswith("con_ns1:bridge1_lc1 out  expected nothing here, but at con_ns1:bridge1_cs2 out")
    assert lines[5].endswith("-  not seen at con_ns1:bridge1_cs2 out, cs2:cs2_br1 in")
    far = expect(reference(), "cs1", "cs4")
    lines = ladder_lines(leg(far, seen_path(reference(), far.paths[0])[:9]))
    assert lines[-2].endswith("-  not seen at lc2:lc2-br2 out, con_ns2:bridge2_lc2 in, … cs4:cs4-br in (4 hops)")


def test_nothing_to_judge_is_not_as_declared() -> None:
    """A ladder without hops does not say that all is well."""
    nowhere = ExpectedJourney("cs1", "cs2", ())
    nothing = journey(nowhere, [])
    lines = ladder_lines(Leg(nothing, nowhere, judge_journey(nothing, nowhere)))
    assert lines == ["cs1 -> cs2 (icmp): no hops to judge", NOT_FOUND]


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        ("assert c1 -> c2 lost: x\n +  where c1 -> c2 lost: x = the trip c1 -> c2.arrived", "c1 -> c2 lost: x"),
        ("assert c1 -> c2 (icmp): first\n    ok  c1\n  >>>>  c2", "c1 -> c2 (icmp): first\n  ok  c1\n>>>>  c2"),
        ("expected 3 - seen 2", "expected 3 - seen 2"),
        ("assert 1 == 2\n  +1\n  -2", "1 == 2\n+1\n-2"),
        ("", ""),
    ],
)
def test_words_of_an_assertion_come_without_pytests(raised: str, words: str) -> None:
    """Neither its keyword, nor its explanation of values, nor its indentation."""
    assert said(AssertionError(raised)) == words


def test_failure_shows_its_cause_once() -> None:
    """Promise, words, ladders, cause and fix; where a ladder ends with the cause nothing repeats it."""
    text = failure_text("All cross.", "seen 2", ["ladder"], [CAUSE])
    assert text == f"promise: All cross.\nseen 2\nladder\n{ENDING}\n"
    assert failure_text("All cross.", f"seen 2 - cause: {CAUSE}", [f"ladder\n{ENDING}"], [CAUSE]).count("cause: ") == 1
    assert "cause" not in failure_text("All cross.", "seen 2", (), [])
    text = "c1 -> c2 did not arrive: x - cause: l1 - …\n  ladder\n  more"
    assert failure_line(text, [CAUSE]) == f"c1 -> c2 did not arrive: x - cause: {CAUSE}"
    assert failure_line(text, []) == "c1 -> c2 did not arrive: x"


@pytest.mark.parametrize("before", ["", "an earlier test errored: ", "the fabric broke: ", "the underlay is broken: "])
def test_echo_of_an_error_is_counted_with_it(before: str) -> None:
    """Every form in which a promise that was not proven quotes the first error."""
    assert common_words(f"{before}the agent died\nmore") == "the agent died"
