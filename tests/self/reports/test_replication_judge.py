"""Copies of a frame to all, judged: one for each remote of its VTEP."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.checks.replication import judge_replication
from reports.evidence import Direction, Sighting
from reports.judge.isolation import FrameSeen
from tests.self.builders import known_lab, sighting
from topology.isolation.domains import domains, stations_near, transit
from topology.model import Vxlan
from topology.packet import Layers, ip_layer
from topology.refs import PortRef

LAB = known_lab("vxlan-only")
(DOMAIN,) = domains(LAB)
VTEP = LAB["l1"].vxlan
FRAME: Layers = (("ether", {"src": "02:00:00:00:00:01", "dst": "ff:ff:ff:ff:ff:ff", "type": 0x88B6}),)


def copy(interface: str, target: str, way: Direction = "out", number: int = 0) -> Sighting:
    """One VXLAN packet that l1 sends to a VTEP."""
    outer = ("ether", {"src": "02:00:00:00:00:02", "dst": "02:00:00:00:00:03", "type": 0x0800})
    ends = ip_layer(VTEP.local, next(one for one in VTEPS if str(one) == target), 64, 17)
    layers = (outer, ends, ("udp", {"dport": VTEP.port}), ("vxlan", {"vni": VTEP.vni}), *FRAME)
    return sighting(LAB, "l1", interface, way, layers, number)


VTEPS = (VTEP.local, *VTEP.remotes)
ONE, TWO = (str(remote) for remote in VTEP.remotes)
COPIES = "l1:vx100 - copies of a broadcast frame of VNI-100 from c1:eth0"
SOUND = (copy("l1_s1", ONE), copy("l1_s2", TWO, number=1))


def seen(*sightings: Sighting) -> FrameSeen:
    """A broadcast of c1's."""
    return FrameSeen(DOMAIN, PortRef("c1", "eth0"), "broadcast", DOMAIN.members, transit(LAB, DOMAIN), sightings)


def test_a_copy_for_each_remote_is_right() -> None:
    """One packet to each remote, whichever spine it takes; what comes in, or is at other nodes, counts for nothing."""
    elsewhere = replace(copy("l1_s1", ONE), node="s1")
    finding = judge_replication(LAB, [seen(*SOUND, copy("l1_s1", TWO, "in"), elsewhere)], VTEP)
    assert finding
    assert finding.message == f"{COPIES} - one for each of 2 remotes"


@pytest.mark.parametrize(
    ("sightings", "words"),
    [
        ((), f"expected one from 10.255.0.1 to {ONE} - seen none"),
        (SOUND[:1], f"expected one from 10.255.0.1 to {TWO} - seen none"),
        ((*SOUND, copy("l1_s2", TWO, number=2)), f"expected one from 10.255.0.1 to {TWO} - seen 2"),
        ((*SOUND, copy("l1_s1", str(VTEP.local))), "expected none to 10.255.0.1 - seen one from 10.255.0.1"),
    ],
    ids=["none", "one lost", "one twice", "one too many"],
)
def test_another_number_of_copies_is_reported(sightings: tuple[Sighting, ...], words: str) -> None:
    """A remote that is left out, served twice or not declared is named with the VTEP."""
    finding = judge_replication(LAB, [seen(*sightings)], VTEP)
    assert not finding
    assert finding.message == f"{COPIES} - {words}"


def test_stations_near_a_vtep_send_by_it_first() -> None:
    """Each of three leaves has its own stations near its VTEP."""
    near = {vxlan.node: {str(ref) for ref in stations_near(LAB, DOMAIN, vxlan)} for vxlan in LAB.all(Vxlan)}
    assert near == {"l1": {"c1:eth0", "c4:eth0"}, "l2": {"c2:eth0"}, "l3": {"c3:eth0"}}
