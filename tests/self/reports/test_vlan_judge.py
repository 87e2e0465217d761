"""A frame on a trunk, judged by its 802.1Q tag: another VLAN's is a stray."""

from __future__ import annotations

import pytest

from reports.checks.domains import judge_frame
from reports.checks.seen import carried
from reports.evidence import Sighting
from reports.judge.isolation import FrameSeen
from tests.self.builders import expect, journey, known_lab, seen_path, sighting
from topology.isolation.domains import domains, transit
from topology.packet import Layer, tagged
from topology.refs import PortRef
from topology.wire.headers import Vlan


def on_trunk(vid: int | None, place: str = "l1:trunk") -> FrameSeen:
    """A broadcast of red1's in the lab vlan-trunk, seen everywhere as declared but at one port, under another tag."""
    fabric = known_lab("vlan-trunk")
    red = domains(fabric)[0]
    tags = dict(red.tags)
    ether: Layer = ("ether", {"src": "02:00:00:00:00:01", "dst": "ff:ff:ff:ff:ff:ff", "type": 0x88B6})
    seen: list[Sighting] = []
    for number, ref in enumerate(sorted(red.members)):
        tag = vid if str(ref) == place else tags.get(ref)
        layers = (ether,) if tag is None else tagged((ether,), tag)
        seen.append(sighting(fabric, ref.node, ref.interface, "in", layers, number))
    source = PortRef("red1", "eth0")
    return FrameSeen(red, source, "broadcast", red.members, transit(fabric, red), tuple(seen))


def test_frame_under_its_tag_is_right() -> None:
    """On a trunk a domain's frame has the domain's tag, at all its other members none."""
    assert judge_frame(on_trunk(10))


@pytest.mark.parametrize(
    ("vid", "place", "words"),
    [
        (20, "l1:trunk", "expected VLAN 10"),
        (None, "l1:trunk", "expected VLAN 10"),
        (110, "l1:trunk", "expected VLAN 10"),
        (110, "l1:trunk.10", "expected no VLAN tag"),
        (10, "red1:eth0", "expected no VLAN tag"),
    ],
)
def test_frame_under_another_tag_is_a_stray(vid: int | None, place: str, words: str) -> None:
    """Another tag than the domain's, none at all on the trunk, or an extra one is reported with its place."""
    finding = judge_frame(on_trunk(vid, place))
    assert not finding
    assert finding.message.startswith(f"{place} - broadcast frame of VNI-10010 from red1:eth0 - {words} - seen ether")


def test_tag_beside_a_frame_is_as_good_as_one_in_it() -> None:
    """The kernel hands tags over beside the frame; the customer's frame is the same on both sides of the trunk."""
    lab = known_lab("vlan-trunk")
    (path,) = expect(lab, "red1", "red2").paths
    seen = seen_path(lab, path)
    for number, hop in enumerate(path.hops):
        if hop.layers[1][0] == "dot1q":
            (name, ether), (_, tag), *rest = hop.layers
            bare, vlan = ((name, {**ether, "type": tag["type"]}), *rest), Vlan(int(str(tag["vlan"])))
            seen[number] = sighting(lab, hop.node, hop.interface, hop.direction, bare, number, vlan)
            assert hop.stack == seen[number].headers
    assert sum(one.vlan is not None for one in seen) == 4
    assert str(carried(journey(expect(lab, "red1", "red2"), seen))) == "l2-overlay"
