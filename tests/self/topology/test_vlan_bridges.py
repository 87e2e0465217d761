"""Tagged frames cross bridges that look at no tags: only hosts with the same VLAN reach each other."""

from __future__ import annotations

import pytest

from tests.self.builders import expect
from topology.errors import LabError
from topology.expected import expected_journey, probe_between
from topology.formats.lab import load_lab_text
from topology.isolation.domains import domains, reached, way
from topology.model import Fabric
from topology.refs import PortRef

HOSTS = """
lab: tagged
nodes:
  sw: {role: switch, bridges: {b: [p1, p2, p3]}}
  a: {role: customer, addresses: {e.9: 192.168.9.1/24}, vlan: {e.9: {dev: e, id: 9}}}
  b: {role: customer, addresses: {e.9: 192.168.9.2/24}, vlan: {e.9: {dev: e, id: 9}}}
  c: {role: customer, addresses: {e: 192.168.8.3/24}}
links: [[sw:p1, a:e], [sw:p2, b:e], [sw:p3, c:e]]
"""
THROUGH_VXLAN = """
lab: through
nodes:
  l:
    role: leaf
    addresses: {up: 10.0.0.1/30}
    bridges: {br: [vx, down]}
    vxlan: {vx: {vni: 5, local: 10.0.0.1, remote: 10.0.0.2}}
  r:
    role: leaf
    addresses: {up: 10.0.0.2/30}
    bridges: {br: [vx, down]}
    vxlan: {vx: {vni: 5, local: 10.0.0.2, remote: 10.0.0.1}}
  a: {role: customer, addresses: {e.9: 192.168.9.1/24}, vlan: {e.9: {dev: e, id: 9}}}
  b: {role: customer, addresses: {e.9: 192.168.9.2/24}, vlan: {e.9: {dev: e, id: 9}}}
links: [[l:up, r:up], [l:down, a:e], [r:down, b:e]]
"""
TWICE = """
lab: twice
nodes:
  sw: {role: switch, bridges: {b: [p1, p2]}}
  t: {role: switch, bridges: {b: [up.7, d1]}, vlan: {up.7: {dev: up, id: 7}}}
  u: {role: switch, bridges: {b: [up.7, d1]}, vlan: {up.7: {dev: up, id: 7}}}
  a: {role: customer, addresses: {e.9: 192.168.9.1/24}, vlan: {e.9: {dev: e, id: 9}}}
  b: {role: customer, addresses: {e.9: 192.168.9.2/24}, vlan: {e.9: {dev: e, id: 9}}}
links: [[sw:p1, t:up], [sw:p2, u:up], [t:d1, a:e], [u:d1, b:e]]
"""


def stacks(fabric: Fabric) -> dict[str, list[str]]:
    """The headers in front of IP at each interface on the way from a to b."""
    journey = expect(fabric, "a", "b")
    assert not journey.dropped
    return {
        str(hop.ref): [name for name, _ in hop.layers if name in ("dot1q", "vxlan")] for hop in journey.paths[0].hops
    }


@pytest.mark.parametrize("text", [HOSTS, THROUGH_VXLAN, TWICE], ids=["bridge", "vxlan", "twice"])
def test_hosts_of_one_vlan_reach_each_other(text: str) -> None:
    """Both hosts are on one segment, whatever the frames cross between them."""
    fabric = load_lab_text(text)
    assert [far.ref for far in fabric.far_ends(fabric["a"]["e.9"])] == [PortRef("b", "e.9")]
    assert expect(fabric, "a", "b").kind == ("l2-overlay" if text is THROUGH_VXLAN else "bridge")
    assert not expect(fabric, "b", "a").dropped


def test_frames_have_the_tags_of_their_place() -> None:
    """A frame is tagged from the host's port on, keeps its tag in bridge and VXLAN, and has a second one on a trunk."""
    assert stacks(load_lab_text(HOSTS)) == {
        "a:e.9": [],
        "a:e": ["dot1q"],
        "sw:p1": ["dot1q"],
        "sw:p2": ["dot1q"],
        "b:e": ["dot1q"],
        "b:e.9": [],
    }
    through = stacks(load_lab_text(THROUGH_VXLAN))
    assert (through["l:vx"], through["l:up"], through["r:down"]) == (["dot1q"], ["vxlan", "dot1q"], ["dot1q"])
    twice = stacks(load_lab_text(TWICE))
    assert (twice["t:d1"], twice["t:up.7"], twice["sw:p1"], twice["u:up.7"]) == (
        ["dot1q"],
        ["dot1q"],
        ["dot1q", "dot1q"],
        ["dot1q"],
    )


def test_vlan_is_a_domain_of_its_own() -> None:
    """The VLAN's frames reach every port of the bridge tagged, its hosts untagged, and the untagged domain has other
    stations."""
    fabric = load_lab_text(HOSTS)
    untagged, vlan = domains(fabric)
    assert ({str(s) for s in untagged.stations}, {str(s) for s in vlan.stations}) == ({"c:e"}, {"a:e.9", "b:e.9"})
    tagged = {"a:e", "sw:p1", "sw:p2", "sw:p3", "sw:b", "b:e", "c:e"}
    assert {str(ref) for ref, vid in vlan.tags if vid == 9} == tagged
    assert {str(ref) for ref in vlan.members} == tagged | {"a:e.9", "b:e.9"}
    ends = PortRef("a", "e.9"), PortRef("b", "e.9")
    assert {str(ref) for ref in reached(fabric, vlan, "unicast", *ends)} == {
        "a:e.9",
        "a:e",
        "sw:p1",
        "sw:p2",
        "b:e",
        "b:e.9",
    }
    assert way(fabric, ends[0], PortRef("c", "e")) == frozenset()
    assert expected_journey(fabric, probe_between(fabric, "a", "c")).dropped


def test_domain_in_vxlan_has_its_tunnels() -> None:
    """A VLAN whose frames cross VXLAN is named after itself, and may be in that tunnel."""
    found = {str(domain): domain for domain in domains(load_lab_text(THROUGH_VXLAN))}
    assert set(found) == {"VNI-5", "a:e.9"}
    assert found["a:e.9"].tunnels == {"VXLAN VNI 5 port 4789"}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "b: {role: customer, addresses: {e.9: 192.168.9.2/24}, vlan: {e.9: {dev: e, id: 9}}}",
            "b: {role: customer, addresses: {e.9: 192.168.9.2/24}, vlan: {e.9: {dev: e, id: 8}}}",
            "nor beyond the bridge there",
        ),
        ("e.9: 192.168.9.2/24", "e.9: 192.168.7.2/24", "its segment is 192.168.9.0/24"),
    ],
)
def test_vlan_that_ends_nowhere_is_refused(old: str, new: str, words: str) -> None:
    """A VLAN that no port takes beyond the bridges is refused, and so is one with two subnets."""
    with pytest.raises(LabError, match=words):
        load_lab_text(HOSTS.replace(old, new))
