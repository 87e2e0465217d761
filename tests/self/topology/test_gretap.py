"""Ethernet in GRE: its lab keys, its packets, its sizes, and what is read of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.self.builders import known_lab
from topology.dataplane.live import live_fabric
from topology.errors import LabError
from topology.expected import ExpectedJourney, expected_journey, probe_between
from topology.export.dot import to_dot
from topology.formats.clab import load_clab_text
from topology.formats.lab import LABS, load_lab_text
from topology.isolation.domains import domains
from topology.isolation.forgery import forgeries, targets
from topology.links import Gretap
from topology.model import Fabric
from topology.mtu import device_mtu
from topology.plan import make_plan
from topology.refs import PortRef
from topology.state import declared_state

LAB = known_lab("gretap")
TEXT = (LABS / "gretap.yaml").read_text(encoding="utf-8")
CLAB = """
name: two
topology:
  nodes:
    a:
      kind: linux
      group: leaf
      network-mode: none
      exec:
        - ip addr add 10.0.0.1/24 dev eth1
        - ip link add tap type gretap local 10.0.0.1 remote 10.0.0.2 key 7 ttl 64
        - ip link set tap up
    b:
      kind: linux
      group: leaf
      network-mode: none
      exec:
        - ip addr add 10.0.0.2/24 dev eth1
        - ip link add tap type gretap local 10.0.0.2 remote 10.0.0.1 ikey 7 okey 7 ttl 64
        - ip link set tap up
  links:
    - endpoints: ["a:eth1", "b:eth1"]
"""


def journey(source: str, target: str, lab: Fabric = LAB) -> ExpectedJourney:
    return expected_journey(lab, probe_between(lab, source, target))


def device(node: str, name: str, lab: Fabric = LAB) -> Gretap:
    found = lab[node][name]
    assert isinstance(found, Gretap)
    return found


@pytest.mark.parametrize(
    ("ends", "header", "ttl"),
    [
        (("red1", "red2"), {"proto": 0x6558}, 64),
        (("blue1", "blue2"), {"proto": 0x6558, "key": 9}, 32),
        (("red1", "red3"), {"proto": 0x6558}, 64),
    ],
)
def test_frame_crosses_the_spine_in_gre_under_its_key(ends: tuple[str, str], header: dict[str, int], ttl: int) -> None:
    """The frame is whole inside GRE whose protocol type is Ethernet's, with the tunnel's key and TTL."""
    found = journey(*ends)
    (path,) = found.paths
    spine = next(hop for hop in path.hops if hop.node == "s1")
    assert not found.dropped
    assert found.kind == "l2-overlay"
    assert [name for name, _ in spine.layers] == ["ether", "ipv4", "gre", "ether", "ipv4", "icmp", "payload"]
    assert dict(spine.layers[2][1]) == header
    assert spine.layers[1][1]["ttl"] == ttl


def test_inherited_ttl_is_that_of_a_packet_in_the_frame() -> None:
    """A frame without an IP packet, such as an ARP request, has none to copy: it gets the default."""
    (path,) = journey("red1", "red3").paths
    inherits, frame = device("l1", "red-l3"), path.hops[0].layers
    assert inherits.ttl is None
    lower = (frame[0], (frame[1][0], {**frame[1][1], "ttl": 9}), *frame[2:])
    assert (inherits.ttls(lower), inherits.ttls((frame[0], ("arp", {})))) == ((9,), (64,))


def test_tunnels_of_one_pair_of_leaves_are_told_apart_by_their_keys() -> None:
    """Each domain has its own tunnels; a tunnel whose key is another one than its peer's reaches no device."""
    assert {str(one.first): sorted(one.tunnels) for one in domains(LAB)} == {
        "l1:br-red": ["GRETAP"],
        "l1:br-blue": ["GRETAP key 9"],
    }
    with pytest.raises(LabError, match="blue-l2 says key 8"):
        load_lab_text(TEXT.replace("key: 9", "key: 8", 1))
    with pytest.raises(LabError, match="cannot tell blue-l2 from red-l2"):
        load_lab_text(TEXT.replace("key: 9, ", ""))


def test_gretap_over_ipv6_is_refused() -> None:
    """Linux has another kind for it."""
    with pytest.raises(LabError, match="fd00::1 is an address of IPv6, which carries no GRETAP"):
        load_lab_text(TEXT.replace("local: 10.255.0.1", "local: fd00::1"))


def test_plan_and_state_agree_on_the_kernels_settings() -> None:
    """The arguments are GRE's, and the declared parameters those that the kernel is asked for."""
    made = [op.arguments for phase in make_plan(LAB).phases for op in phase if op.arguments.get("kind") == "gretap"]
    keyed = next(arguments for arguments in made if arguments["ifname"] == "blue-l2")
    assert (keyed["gre_local"], keyed["gre_ikey"], keyed["gre_ttl"]) == ("10.255.0.1", 9, 32)
    parameters = dict(declared_state(LAB["l1"]).links["blue-l2"].parameters)
    assert (parameters["key"], parameters["ttl"], parameters["remote"]) == ("9", "32", "10.255.0.2")


def test_live_state_makes_the_same_devices() -> None:
    """What is read of a node is followed as its declaration is."""
    states = {node.name: declared_state(node) for node in LAB.nodes}
    live = live_fabric("live", states, LAB.links)
    assert device("l1", "blue-l2", live).lookup == device("l1", "blue-l2").lookup
    assert not journey("blue1", "blue2", live).dropped
    links = states["l2"].links
    parameters = {**dict(links["blue-l1"].parameters), "key": "8"}
    other = replace(links["blue-l1"], parameters=tuple(parameters.items()))
    states["l2"] = replace(states["l2"], links={**links, "blue-l1": other})
    ends = journey("blue1", "blue2", live_fabric("live", states, LAB.links)).dropped
    assert ends.startswith("l2:blue-l1: key 8; l1:blue-l2: key 9")


@pytest.mark.parametrize(("key", "mtu"), [("", 1462), ("key: 9, ", 1458)])
def test_mtu_is_what_the_way_to_the_far_end_leaves(key: str, mtu: int) -> None:
    """Less the outer IP header, GRE's, its key, and the frame's."""
    text = f"""
lab: two
nodes:
  a: {{role: leaf, addresses: {{eth1: 10.0.0.1/24}}, gretap: {{tap: {{{key}local: 10.0.0.1, remote: 10.0.0.2}}}}}}
  b: {{role: leaf, addresses: {{eth1: 10.0.0.2/24}}, gretap: {{tap: {{{key}local: 10.0.0.2, remote: 10.0.0.1}}}}}}
links: [[a:eth1, b:eth1]]
"""
    lab = load_lab_text(text)
    assert device_mtu(lab["a"], lab["a"]["tap"]) == mtu


def test_containerlab_commands_make_it() -> None:
    """The words of ip-link(8) are those of GRE."""
    made = device("b", "tap", load_clab_text(CLAB))
    assert (made.key, made.ttl, str(made.remote)) == (7, 64, "10.0.0.1")


def test_it_is_drawn() -> None:
    """Each tunnel is a dashed line with its key."""
    assert to_dot(LAB).count("GRETAP key 9") == 1


def test_forgeries_are_refused_but_for_the_same_peers_other_tunnel() -> None:
    """Another key, and a foreign source; the packets without a key are red's, whose peer is the same leaf."""
    target = next(found for found in targets(LAB) if str(found) == "l2:blue-l1")
    made = {forged.kind: forged for forged in forgeries(LAB, target.attack_paths[0])}
    assert {kind: str(forged) for kind, forged in made.items() if kind != "foreign-source"} == {
        "undeclared-vni": "GRETAP from 10.255.0.1 with KEY 10",
        "other-vni": "GRETAP from 10.255.0.1 with no key",
    }
    assert made["foreign-source"].expected == made["undeclared-vni"].expected == frozenset()
    assert PortRef("red2", "eth0") in made["other-vni"].expected
