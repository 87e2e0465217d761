"""TTLs of outer headers, judged: those that the lab says, and every other one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.checks.outer_ttl import judge_outer_ttl, outer_ttls
from reports.evidence import Cause
from reports.judge.trip import Leg, Trip
from tests.self.builders import expect, known_lab, leg, reference, seen_hop, seen_path
from topology.expected import ExpectedJourney
from topology.model import Fabric
from topology.packet import Layers

TUNNELS = {"gre": ("cs1", "cs4"), "vxlan": ("cs1", "cs5")}
CAUSE = Cause("gre", "lc1", "gretun-cont", "inherit", "9", "ip -n lc1 link set dev gretun-cont type gre ttl inherit")


def with_ttl(layers: Layers, ttl: int, at: int = 0) -> Layers:
    """The packet with another TTL in one of its IP headers, counted from the outermost."""
    places = [number for number, (name, _) in enumerate(layers) if name in ("ipv4", "ipv6")]
    name, fields = layers[places[at]]
    key = "ttl" if name == "ipv4" else "hlim"
    return (*layers[: places[at]], (name, {**fields, key: ttl}), *layers[places[at] + 1 :])


def seen_with(lab: Fabric, expected: ExpectedJourney, number: int, ttl: int, at: int = 0) -> Leg:
    """A way on which one hop shows another TTL."""
    hops = expected.paths[0].hops
    seen = seen_path(lab, expected.paths[0])
    seen[number] = seen_hop(lab, hops[number], number, lambda layers: with_ttl(layers, ttl, at))
    return leg(expected, seen)


def trip(lab: Fabric, source: str, target: str, *wrong: int) -> Trip:
    """A trip with the answer as declared, and of the request one hop with another outer TTL: its number, the TTL."""
    there, back = expect(lab, source, target), expect(lab, target, source)
    out = seen_with(lab, there, *wrong) if wrong else leg(there, seen_path(lab, there.paths[0]))
    return Trip(out, leg(back, seen_path(lab, back.paths[0])))


def wrapped_hops(lab: Fabric, source: str, target: str) -> list[int]:
    """The numbers of the hops at which a packet has an outer header."""
    hops = expect(lab, source, target).paths[0].hops
    return [number for number, hop in enumerate(hops) if [*outer_ttls("", hop.layers)]]


@pytest.mark.parametrize(
    ("lab", "source", "target", "outermost"),
    [
        ("ece792", "cs1", "cs4", [63, 63, 62, 62]),
        ("ece792", "cs1", "cs5", [64, 64, 63, 63, 63, 62, 62, 63, 62, 62]),
        ("ipv6-underlay", "cs3", "cs4", None),
        ("geneve", "red1", "red3", None),
    ],
)
def test_declared_ttls_hold(lab: str, source: str, target: str, outermost: list[int] | None) -> None:
    """GRE has the TTL of what it wraps, VXLAN and Geneve 64; each router lowers the outermost header of a packet."""
    fabric = known_lab(lab)
    assert judge_outer_ttl(trip(fabric, source, target))
    hops = expect(fabric, source, target).paths[0].hops
    found = [next(iter(outers))[1] for hop in hops if (outers := [*outer_ttls("", hop.layers)])]
    assert outermost in (None, found)
    assert found


@pytest.mark.parametrize(("source", "target"), TUNNELS.values(), ids=TUNNELS)
def test_another_ttl_is_named_at_its_place(source: str, target: str) -> None:
    """Wherever an outer header has another TTL, the place, both TTLs and the packet are named."""
    for number in wrapped_hops(reference(), source, target):
        finding = judge_outer_ttl(trip(reference(), source, target, number, 9))
        hop = expect(reference(), source, target).paths[0].hops[number]
        ((outer, ttl), *_) = outer_ttls(hop.place, hop.layers)
        assert not finding
        words = f"{source} -> {target}, TTL of the header from {outer.src} to {outer.dst}"
        assert finding.message.startswith(f"{hop.place} - {words} - expected {ttl} - seen 9 - evidence: ")


def test_a_router_that_does_not_lower_it_is_noticed() -> None:
    """The TTL before a router is no right one behind it."""
    first, *_, last = wrapped_hops(reference(), "cs1", "cs4")
    finding = judge_outer_ttl(trip(reference(), "cs1", "cs4", last, 63))
    assert first < last
    assert not finding
    assert "expected 62 - seen 63" in finding.message


def test_cause_of_the_way_is_part_of_it() -> None:
    """The difference that was found for the way explains the TTL."""
    bad = trip(reference(), "cs1", "cs4", wrapped_hops(reference(), "cs1", "cs4")[0], 9)
    out = replace(bad.out, verdict=replace(bad.out.verdict, causes=(CAUSE,)))
    finding = judge_outer_ttl(replace(bad, out=out))
    assert finding.cause == CAUSE
    assert finding.message.endswith(f" - cause: {CAUSE}")


def test_the_customers_own_ttl_is_another_checks() -> None:
    """A wrong TTL of the innermost header is not held against the outer ones."""
    number = wrapped_hops(reference(), "cs1", "cs4")[0]
    assert judge_outer_ttl(trip(reference(), "cs1", "cs4", number, 9, -1))


def test_packet_without_an_outer_header_proves_nothing() -> None:
    """A way on which no declared tunnel was seen does not hold."""
    bare = expect(reference(), "lc1", "sc2")
    way = leg(bare, seen_path(reference(), bare.paths[0]))
    finding = judge_outer_ttl(Trip(way, way))
    assert finding.message == "lc1 -> sc2 - expected an outer header where it is declared - seen none"
    assert not finding
