"""Each way of carrying a pair has one name; the declaration and the packets seen give the same one."""

from __future__ import annotations

import pytest

from reports.checks.seen import SeenTrip, carried
from reports.judge.map import map_of
from reports.render.map import map_lines
from tests.self.builders import expect, journey, seen_hop, seen_path, vxlan_lab
from tests.self.topology.kind_labs import LABS, kind_lab
from topology.derived_pairs import with_derived_pairs
from topology.expected import check_pairs
from topology.model import Fabric
from topology.packet import Layers, Protocol
from topology.promises import KINDS

BOTH = (("c1", "c2"), ("c2", "c1"))


def seen_trip(fabric: Fabric, source: str, target: str, protocol: Protocol = "icmp") -> SeenTrip:
    """A packet and its answer, seen at every hop as declared."""
    legs = []
    for ends in ((source, target), (target, source)):
        expected = expect(fabric, *ends, protocol)
        legs.append(journey(expected, seen_path(fabric, expected.paths[0]), protocol))
    return SeenTrip(legs[0], legs[1])


@pytest.mark.parametrize("name", LABS)
def test_kind_is_derived_from_the_declaration(name: str) -> None:
    """Customers that declare no pair get one of the kind that their traffic takes, in either direction."""
    fabric = with_derived_pairs(kind_lab(name))
    assert [pair.kind for pair in fabric.pairs] == [LABS[name][1]]
    assert [expect(fabric, *ends).kind for ends in BOTH] == [LABS[name][1]] * 2


@pytest.mark.parametrize("protocol", ["icmp", "udp"])
@pytest.mark.parametrize("name", LABS)
def test_kind_is_derived_from_sightings(name: str, protocol: Protocol) -> None:
    """The journeys alone, without the declaration, give the same kind."""
    trip = seen_trip(kind_lab(name), "c1", "c2", protocol)
    assert [str(carried(leg)) for leg in trip.legs] == [LABS[name][1]] * 2


@pytest.mark.parametrize("name", LABS)
def test_another_kind_is_refused_with_the_right_one(name: str) -> None:
    """A pair that is declared as any other kind is refused, and the message has the kind to write."""
    right = LABS[name][1]
    assert list(check_pairs(kind_lab(name, f"pairs: [{{source: c1, target: c2, kind: {right}}}]"))) == []
    for wrong in set(KINDS) - {right}:
        problems = list(check_pairs(kind_lab(name, f"pairs: [{{source: c1, target: c2, kind: {wrong}}}]")))
        assert len(problems) == 2
        assert f"is declared {wrong} but this fabric carries it as {right}; kind: {right}" in str(problems[0])


def as_gretap(layers: Layers) -> Layers:
    """A packet with its VXLAN and UDP headers replaced by a GRE header around the same frame."""
    if [name for name, _ in layers[1:4]] != ["ipv4", "udp", "vxlan"]:
        return layers
    outer = ("ipv4", {key: value for key, value in layers[1][1].items() if key != "len"} | {"proto": 47})
    return (layers[0], outer, ("gre", {"proto": 0x6558}), *layers[4:])


@pytest.mark.parametrize(("ends", "kind"), [(("c1", "c5"), "l2-overlay"), (("l1", "l2"), "routed")])
def test_frames_inside_gre_are_a_layer_2_overlay(ends: tuple[str, str], kind: str) -> None:
    """A tunnel that carries a frame unchanged is a Layer 2 overlay; gretap is GRE around frames."""
    fabric = vxlan_lab()
    expected = expect(fabric, *ends)
    seen = journey(expected, [seen_hop(fabric, hop, n, as_gretap) for n, hop in enumerate(expected.paths[0].hops)])
    assert ("gre" in {layer for sighting in seen.sightings for layer in sighting.layers}) == (kind == "l2-overlay")
    assert str(carried(seen)) == kind


def way_of(name: str, source: str, target: str) -> str:
    """The line of a lab's map for one probe."""
    fabric = kind_lab(name)
    lines = map_lines(map_of(fabric, [seen_trip(fabric, source, target)]))
    return next(line for line in lines if line.startswith(f"  {source} -> {target}  "))


def test_map_counts_one_thing_as_one() -> None:
    """A map of a single link and a single probe speaks of one."""
    fabric = kind_lab("one link")
    lines = map_lines(map_of(fabric, [seen_trip(fabric, "c1", "c2")]))
    assert list(lines)[:2] == ["map of kinds: 2 nodes, 1 link seen", "1 probe, 1 of them arrived"]


@pytest.mark.parametrize(
    ("name", "ends", "said"),
    [
        ("one link", ("c1", "c2"), "direct  c1 c2"),
        ("routed VXLAN", ("l1", "s"), "direct  l1 s"),
        ("routed VXLAN", ("c1", "l1"), "direct  c1 l1"),
        ("routed VXLAN", ("c1", "s"), "routed  c1 l1 s"),
        ("routed VXLAN", ("c1", "c2"), "l3-overlay  c1 l1 s l2 c2"),
        ("VLAN trunk", ("c1", "c2"), "bridge  c1 w1 w2 c2"),
        ("router on a stick", ("c1", "r"), "bridge  c1 sw r"),
        ("from one VXLAN into another at a gateway", ("c1", "c2"), "hairpin  c1 l1 s l2 c2"),
    ],
)
def test_map_calls_a_way_what_it_is(name: str, ends: tuple[str, str], said: str) -> None:
    """A packet that only crosses the link to its neighbour crosses no bridge: its way is direct."""
    assert way_of(name, *ends) == f"  {ends[0]} -> {ends[1]}  {said}"
