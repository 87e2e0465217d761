"""Ladders as nested boxes, hop by hop: what is shown of each header, and what is marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from reports.record.append import journey_of
from reports.record.exhibits import Header
from reports.render.boxes import FIELDS, boxes_of, envelopes, side_by_side, stack
from reports.render.ladder import protocol
from reports.render.steps import Lost, Step, profile, steps
from tests.self.builders import (
    Change,
    expect,
    good_leg,
    leg,
    reference,
    seen_hop,
    seen_path,
    with_field,
    without_gre,
)

IP = Header("ipv4", {"src": "26.0.0.2", "dst": "28.0.0.2", "ttl": 63, "len": 122, "proto": 47})
GRE = Header("gre", {"proto": 0x0800})
INNER = Header("ipv4", {"src": "20.0.0.1", "dst": "30.0.0.2", "ttl": 63, "len": 84})
ICMP = Header("icmp", {"type": 8, "code": 0, "id": 1, "seq": 2})


def marked(want: Sequence[Header], got: Sequence[Header]) -> tuple[list[str], list[str]]:
    """What is marked on both sides: fields by their words, headers by their name and state."""
    sides = side_by_side(want, got)
    return tuple(  # type: ignore[return-value]
        [words for box in side for words in ([f"{box.name} {box.state}"] if box.state else _fields(box))]
        for side in sides
    )


def _fields(box: object) -> list[str]:
    return [part.words for part in getattr(box, "parts") if part.differs]  # noqa: B009


@pytest.mark.parametrize(
    ("got", "differs"),
    [
        ([IP, GRE, INNER, ICMP], ([], [])),
        ([replace(IP, fields={**IP.fields, "ttl": 9}), GRE, INNER, ICMP], (["63"], ["9"])),
        ([INNER, ICMP], (["IPv4 missing", "GRE missing"], [])),
        ([IP, GRE, IP, GRE, INNER, ICMP], ([], ["IPv4 extra", "GRE extra"])),
        ([IP, GRE, INNER, replace(ICMP, fields={**ICMP.fields, "id": 7})], (["1"], ["7"])),
        ([replace(IP, fields={**IP.fields, "flags": 2}), GRE, INNER, ICMP], ([], [])),
        ([], (["IPv4 missing", "GRE missing", "IPv4 missing", "ICMP missing"], [])),
    ],
)
def test_what_differs_is_marked_on_both_sides(got: list[Header], differs: tuple[list[str], list[str]]) -> None:
    """Fields that are promised, headers that one side lacks; a field that is else not shown is then."""
    left, right = marked([IP, GRE, INNER, ICMP], got)
    assert (sorted(left), sorted(right)) == (sorted(differs[0]), sorted(differs[1]))


def test_a_tunnels_header_ends_its_packet() -> None:
    """Boxes nest where one packet is inside another."""
    packets = envelopes(boxes_of([IP, GRE, INNER, ICMP], None))
    assert [[box.name for box in packet] for packet in packets] == [["IPv4", "GRE"], ["IPv4", "ICMP"]]
    assert stack(packets).count("<div") == stack(packets).count("</div>") == 2
    assert "ttl</i> 63" in stack(packets)
    assert [box.name for box in boxes_of((), "ipv4 a>b ttl 64 / ARP who-has")] == ["IPv4", "ARP who-has"]


def test_a_layer_from_outside_is_no_class() -> None:
    """A record's unknown layer is shown by its name and drawn as any other."""
    (box,) = boxes_of([Header('x" onload="', {"a": 1})], None)
    assert (box.layer, box.name) == ("other", 'x" onload="')
    assert "onload=&#34;" in stack([(box,)])


def test_a_ladder_is_told_step_by_step() -> None:
    """As declared until the tunnel is missing; what follows is beside itself too, and what is lost is counted."""
    expected = expect(reference(), "cs1", "cs4")
    good = list(steps(journey_of(good_leg(reference(), "cs1", "cs4"))))
    assert {step.mark for step in good} == {"good"}
    assert [step.node for step in good if isinstance(step, Step) and step.begins] == [
        "cs1", "con_ns1", "lc1", "sc2", "lc2", "con_ns2", "cs4",
    ]  # fmt: skip
    lost = list(steps(journey_of(leg(expected, seen_path(reference(), expected.paths[0])[:4]))))
    assert [step.mark for step in lost] == ["good"] * 4 + ["bad", "lost"]
    assert isinstance(lost[-1], Lost)
    assert lost[-1].words.endswith(f" in ({len(expected.paths[0].hops) - 5} hops)")
    assert isinstance(lost[-2], Step)
    assert (bool(lost[-2].expected), lost[-2].seen) == (True, [])


def test_a_hop_that_shows_other_headers_has_both_sides() -> None:
    """The missing GRE header is marked where it is expected."""
    expected = expect(reference(), "cs1", "cs4")
    seen = seen_path(reference(), expected.paths[0])
    at = next(n for n, hop in enumerate(seen) if "gre" in hop.layers)
    seen[at] = seen_hop(reference(), expected.paths[0].hops[at], at, without_gre)
    wrong = [step for step in steps(journey_of(leg(expected, seen))) if step.mark != "good"]
    assert isinstance(wrong[0], Step)
    assert [box.name for packet in wrong[0].expected or () for box in packet if box.state == "missing"] == [
        "IPv4",
        "GRE",
    ]
    assert wrong[0].length is not None


@pytest.mark.parametrize(
    ("change", "sides"),
    [
        (with_field("gre", key=77), (["158", "none (no key)"], ["162", "77"])),
        (with_field("vxlan", flags=0), (["the I flag (0x08)"], ["0"])),
    ],
)
def test_field_that_is_implied_is_marked_on_both_sides(change: Change, sides: tuple[list[str], ...]) -> None:
    """What a pattern asks for without giving it: no key, the I flag."""
    expected = expect(reference(), "cs1", "cs5")
    seen = seen_path(reference(), expected.paths[0])
    at = next(n for n, hop in enumerate(seen) if "gre" in hop.layers)
    seen[at] = seen_hop(reference(), expected.paths[0].hops[at], at, change)
    wrong = next(step for step in steps(journey_of(leg(expected, seen))) if step.mark != "good")
    assert isinstance(wrong, Step)
    found = (
        [part.words for packet in side or () for box in packet for part in box.parts if part.differs]
        for side in (wrong.expected, wrong.seen)
    )
    assert tuple(found) == sides


def test_field_that_is_not_promised_is_not_compared() -> None:
    """DF on one side alone would look like a difference."""
    sides = side_by_side([IP], [replace(IP, fields={**IP.fields, "flags": 2})])
    assert sides[0] == sides[1]


def test_text_where_a_number_belongs_is_shown() -> None:
    """A record from outside may have it in any field; a chosen few are compared or counted."""
    made = [Header(layer, {rule.name: "<x>" for rule in rules}) for layer, rules in FIELDS.items()]
    for box, rules in zip(boxes_of(made, None), FIELDS.values(), strict=True):
        assert [part.words for part in box.parts] == ["1 bytes" if box.layer == "payload" else "<x>" for _ in rules]


@pytest.mark.parametrize("asked", ["arp who-has 20.0.0.3", "icmp neighbour-solicitation / 24 bytes"])
def test_request_for_an_address_is_told_from_the_packet_that_waits(asked: str) -> None:
    """Where it begins, by its protocol; a ladder of such packets alone is not called by the waiting packet's."""
    whole = journey_of(good_leg(reference(), "cs1", "cs5"))
    asking = [replace(rung, seen=f"ether / {asked}") for rung in whole.ladder[3:]]
    made = replace(whole, note="cs1 -> cs5 waits at lc1:x for the MAC of y", ladder=[*whole.ladder[:3], *asking])
    what = "ARP" if "arp" in asked else "neighbour discovery"
    assert [step.asks for step in steps(made) if isinstance(step, Step)][2:5] == ["", what, ""]
    assert protocol(made) == f"icmp, waits for {what}"
    assert protocol(replace(made, note="")) == "icmp"


def test_profile_has_a_column_for_each_hop_as_high_as_its_stack() -> None:
    """The longest stack, VXLAN inside GRE, sets the height."""
    journey = journey_of(good_leg(reference(), "cs1", "cs5"))
    drawn = profile(journey)
    assert len(drawn.columns) == len(journey.ladder)
    assert drawn.height == 11 * max(len(hop.stack) for hop in journey.hops)
    assert drawn.layers["vxlan"].count("M") == sum("vxlan" in str(hop.stack) for hop in journey.hops)
    assert [span.name for span in drawn.spans] == ["cs1", "con_ns1", "lc1", "sc2", "lc2", "con_ns3", "cs5"]
