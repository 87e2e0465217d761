"""The map that journeys draw: from evidence made of expected hops, against what is declared."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from ipaddress import ip_address, ip_interface

import pytest

from reports.checks.seen import SeenTrip
from reports.evidence import Journey
from reports.judge import map as map_module
from reports.judge.map import FabricMap, map_of, pairs_to_probe
from reports.render.map import map_dot, map_lines
from tests.self.builders import expect, journey, known_lab, later, reference, seen_hop, seen_path, sighting, vxlan_lab
from topology.model import Device, Fabric, Node
from topology.packet import Layers
from topology.refs import PortRef


def trips(fabric: Fabric) -> Iterator[SeenTrip]:
    """Trips between all nodes of a fabric with every probe as expected."""
    for a, b in pairs_to_probe(fabric.nodes)[0]:
        out, back = expect(fabric, a.name, b.name), expect(fabric, b.name, a.name)
        there = journey(out, seen_path(fabric, out.paths[0]) if out.paths else [])
        arrives = bool(out.paths) and not out.dropped
        yield SeenTrip(there, journey(back, seen_path(fabric, back.paths[0]) if arrives and back.paths else []))


@cache
def drawn(name: str) -> FabricMap:
    fabric = vxlan_lab() if name == "vxlan" else known_lab(name)
    return map_of(fabric, list(trips(fabric)))


@pytest.mark.parametrize("name", ["vxlan", "ece792"])
def test_map_is_the_declared_links_that_carry_traffic(name: str) -> None:
    """Every link of these labs carries some probe, and only links are drawn: no tunnel, no bridge."""
    fabric = vxlan_lab() if name == "vxlan" else reference()
    assert drawn(name).links == {frozenset(link.ends) for link in fabric.links}


def test_link_that_carries_nothing_is_not_drawn() -> None:
    """A link without journeys is not on the map, and its lonely node is listed."""
    fabric = vxlan_lab()
    without = [trip for trip in trips(fabric) if "c5" not in (trip.out.source, trip.out.target)]
    half = map_of(fabric, without)
    missing = drawn("vxlan").links - half.links
    assert missing == {frozenset((PortRef("c5", "c5_v2"), PortRef("v2", "v2_c5")))}
    assert (half.unreached, half.unseen) == (("c5",), ("c5",))


def test_same_journeys_in_another_order_draw_the_same() -> None:
    """Map, text and graph depend on nothing but what was seen."""
    mixed = list(trips(vxlan_lab()))
    random.Random(7).shuffle(mixed)
    other = map_of(vxlan_lab(), mixed)
    assert list(map_lines(other)) == list(map_lines(drawn("vxlan")))
    assert map_dot(other) == map_dot(drawn("vxlan"))


def one_link(*layers: Layers) -> Journey:
    """c1's way out to v1, and what v1 gets: as it was sent, or otherwise."""
    fabric, expected = vxlan_lab(), expect(vxlan_lab(), "c1", "c2")
    sent = expected.paths[0].hops[0]
    got = [sighting(fabric, "v1", "v1_c1", "in", changed, number) for number, changed in enumerate(layers, 1)]
    return journey(expected, [seen_hop(fabric, sent, 0), *got])


def crossed(seen: Journey) -> bool:
    """True if that journey draws anything."""
    return bool(map_of(vxlan_lab(), [SeenTrip(seen, replace(seen, sightings=()))]).links)


def test_only_the_same_bytes_straight_after_make_a_link() -> None:
    """Another frame, another direction or another sighting between is no link."""
    hop = expect(vxlan_lab(), "c1", "c2").paths[0].hops[0]
    other = ((hop.layers[0][0], {**hop.layers[0][1], "src": "02:00:00:00:00:09"}), *hop.layers[1:])
    assert crossed(one_link(hop.layers))
    assert not crossed(one_link())
    assert not crossed(one_link(other))
    assert not crossed(one_link(other, hop.layers))
    back = one_link(hop.layers)
    assert not crossed(replace(back, sightings=back.sightings[::-1]))


def test_interface_leads_to_one_peer() -> None:
    """A veth has one peer: what a flooded frame shows once gives way to what all others show."""
    fabric, expected = vxlan_lab(), expect(vxlan_lab(), "c1", "c2")
    good = seen_path(fabric, expected.paths[0])
    flooded = [good[0], replace(later(good[-1], -3), node="c2", interface="c2_v1")]
    ways = [SeenTrip(journey(expected, seen), journey(expected, [])) for seen in (good, flooded, good)]
    assert {(str(c.out), str(c.into)) for c in map_of(fabric, ways).crossings if c.out.node == "c1"} == {
        ("c1:c1_v1", "v1:v1_c1")
    }


def test_text_says_what_is_there_and_what_is_not() -> None:
    """Links with their stacks, ways with their kinds, what is lost together, and what was left out."""
    lines = list(map_lines(replace(drawn("vxlan"), left_out=("sw: it has no address",), unreached=("c9",))))
    assert lines[0] == "map of vxlan: 10 nodes, 9 links seen"
    assert re.fullmatch(r"90 probes, \d+ of them arrived", lines[1])
    link = re.compile(r"  s1:s1_l1 -> l1:l1_s1  ether/ipv4/icmp \(\d+\), ether/ipv4/udp/vxlan/ether/ipv4/icmp \(\d+\)")
    assert any(link.fullmatch(line) for line in lines)
    assert "  c1 -> c5  l2-overlay  c1 v1 l1 s1 l2 v2 c5" in lines
    assert "  c1 -> c3, c4, l1, l2, s1, v1, v2  lost: seen nowhere" in lines
    assert lines[-2:] == ["never reached: c9", "left out: sw: it has no address"]


def test_graph_is_what_graphviz_reads() -> None:
    """Each node and each way over a link once, every text quoted, what was never reached dashed."""
    odd = replace(drawn("vxlan"), name='a "b" \\c', unreached=("c5",))
    first, _, *rest = map_dot(odd).splitlines()
    assert first == 'digraph "a \\"b\\" \\\\c" {'
    assert [line for line in rest if "dashed" in line] == ['  "c5" [style=dashed];']
    arrows = [line for line in rest if "->" in line]
    assert len(arrows) == len(odd.crossings) == 18
    quoted = r'"(?:[^"\\]|\\.)*"'
    form = rf"  {quoted} -> {quoted} \[taillabel={quoted}, headlabel={quoted}, label={quoted}\];"
    assert all(re.fullmatch(form, line) for line in arrows)
    assert rest[-1] == "}"


def addressed(number: int, address: str = "10.0.0.1/24") -> Node:
    """A node with an address, or with none."""
    own = (Device(node=f"n{number:03}", name="eth1", addresses=(ip_interface(address),)),) if address else ()
    return Node(name=f"n{number:03}", role="customer", devices=own)


def test_what_is_not_probed_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes without an address, pairs of two IP versions, and what is beyond the bound, each with its reason."""
    nodes = [addressed(3), addressed(1), addressed(2, ""), addressed(4, "fd00::1/64")]
    pairs, left_out = pairs_to_probe(nodes)
    assert [(a.name, b.name) for a, b in pairs] == [("n001", "n003"), ("n003", "n001")]
    assert left_out == ["n002: it has no address", "4 probes: the two nodes' first addresses are of two IP versions"]
    others = {node.name: ip_address(f"10.0.0.{number}") for number, node in enumerate(nodes)}
    pairs, _ = pairs_to_probe(nodes, lambda one, other: (others[one.name], others[other.name]))
    assert len(pairs) == 6
    monkeypatch.setattr(map_module, "PROBES_MAX", 5)
    pairs, left_out = pairs_to_probe([addressed(n) for n in range(4)])
    assert len(pairs) == 5
    assert left_out == ["7 of 12 probes: at most 5 are sent, the first by name"]
