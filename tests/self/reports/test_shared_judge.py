"""Two segments in one tunnel are named by node, interface and number, from the probes of their pairs alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.checks.seen import SeenTrip
from reports.checks.shared import TwoSegments, carriers, judge_shared, note_on, of_frames
from reports.evidence import Finding, Journey
from tests.self.builders import Change, expect, journey, seen_hop, with_field
from topology.errors import NotProven
from topology.formats.lab import load_lab
from topology.formats.pairs_files import load_pairs_text
from topology.model import Fabric
from topology.packet import Layer, Layers
from topology.promises import Pair, Segment

LAB = load_lab("two-tenants")
RED, BLUE = (Segment(name, "l2-overlay", (f"{name}1", f"{name}3")) for name in ("red", "blue"))
TWO = TwoSegments(RED, BLUE)
PAIRS = [Pair(one.hosts[0], one.hosts[1], "l2-overlay", segment=one.name) for one in (RED, BLUE)]
PROMISED: Fabric = replace(LAB, pairs=tuple(PAIRS))


def unchanged(layers: Layers) -> Layers:
    return layers


def in_tunnel(change: Change) -> Change:
    """The change, where a packet is in VXLAN."""
    return lambda layers: change(layers) if any(name == "vxlan" for name, _ in layers) else layers


def leg(source: str, target: str, change: Change = unchanged, hops: int = 99) -> Journey:
    """A packet of a pair as the lab carries it, or changed in its tunnel."""
    expected = expect(LAB, source, target)
    path = expected.paths[0].hops[:hops]
    return journey(expected, [seen_hop(LAB, hop, n, in_tunnel(change)) for n, hop in enumerate(path)])


def trip(pair: Pair, change: Change = unchanged, hops: int = 99) -> SeenTrip:
    return SeenTrip(leg(pair.source, pair.target, change, hops), leg(pair.target, pair.source, change, hops))


def judged(change: Change = unchanged, hops: int = 99) -> Finding:
    """The finding where blue's packets are changed, or end early."""
    return judge_shared(PROMISED, [trip(PAIRS[0]), trip(PAIRS[1], change, hops)], TWO)


ONE_VNI = with_field("vxlan", vni=100)


def tagged(layers: Layers) -> Layers:
    """The frame in VNI 100 with a VLAN tag."""
    whole = ONE_VNI(layers)
    at = max(place for place, (name, _) in enumerate(whole) if name == "ether")
    name, ether = whole[at]
    tag: Layer = ("dot1q", {"prio": 0, "dei": 0, "vlan": 7, "type": 0x0800})
    return (*whole[:at], (name, {**ether, "type": 0x8100}), tag, *whole[at + 1 :])


@pytest.mark.parametrize(
    "change",
    [unchanged, lambda layers: with_field("ipv4", dst="10.1.0.1")(ONE_VNI(layers)), tagged],
    ids=["own VNIs", "another VTEP", "another VLAN"],
)
def test_segments_that_a_vtep_can_tell_apart_pass(change: Change) -> None:
    """Another VNI, another VTEP or another VLAN in the same VNI is another tunnel."""
    assert judged(change)


def test_one_vni_of_both_is_named() -> None:
    """The VTEP's node, the interface at which it was seen, and the number, though no frame leaked."""
    found = judged(ONE_VNI)
    assert not found
    expected = "l2:l2_s1 - red-blue - expected a tunnel of its own for each of red and blue - seen "
    assert found.message == f"{expected}red1-red3-l2-overlay and blue1-blue3-l2-overlay in vxlan VNI 100 to 10.2.0.2"
    assert found.cause is not None
    assert (found.cause.node, found.cause.interface, found.cause.source) == ("l2", "l2_s1", "traffic")


def test_pair_that_is_lost_proves_nothing_unless_it_was_seen_in_the_other_ones_tunnel() -> None:
    """A packet that comes to the VTEP and no further has shown its number; of one that does not, nothing is known."""
    at = next(n for n, hop in enumerate(expect(LAB, "blue1", "blue3").paths[0].hops) if hop.node == "l2")
    assert not judged(ONE_VNI, at + 1)
    for change, hops in ((unchanged, at + 1), (ONE_VNI, 1)):
        with pytest.raises(NotProven, match="expected to arrive"):
            judged(change, hops)


def test_tunnel_that_two_pairs_share_is_a_note_where_nothing_is_promised() -> None:
    """The second pair says with which it shares; one of its own segment is expected there."""
    alone = [replace(pair, segment="") for pair in PAIRS]
    firsts = dict.fromkeys(carriers(trip(PAIRS[0]), LAB), alone[0])
    assert len(firsts) == 2
    note = note_on(alone[1], trip(PAIRS[1], ONE_VNI), LAB, firsts)
    assert note == "in vxlan VNI 100 to 10.2.0.2, as red1-red3-l2-overlay"
    assert note_on(alone[1], trip(PAIRS[1]), LAB, dict(firsts)) == ""
    same = dict.fromkeys(firsts, PAIRS[0])
    assert note_on(replace(alone[1], segment="red"), trip(PAIRS[1], ONE_VNI), LAB, same) == ""


def test_only_overlays_of_frames_without_a_lab_are_compared() -> None:
    """Of routed segments that share a tunnel nothing is said, and a lab's own declaration is judged hop by hop."""
    kinds = {"red": "l2-overlay", "blue": "l2-overlay", "grey": "l3-overlay"}
    lines = [f"  {name}: {{kind: {kind}, hosts: [{name}1, {name}2]}}" for name, kind in kinds.items()]
    alone = load_pairs_text("\n".join(["segments:", *lines]))
    assert [str(two) for two in of_frames(alone)] == ["red-blue"]
    assert [*of_frames(replace(LAB, segments=alone.segments))] == []
