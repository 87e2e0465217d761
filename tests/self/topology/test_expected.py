"""The reference lab's journeys, hop by hop, as its report describes them; and what each header must state there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.self.builders import (
    expect,
    probe,
    reference,
    reference_text,
    render,
    seen_path,
    sighting,
    with_field,
)
from topology.expected import ExpectedJourney, ExpectedPath
from topology.formats.lab import load_lab_text
from topology.model import Gre
from topology.packet import Protocol
from topology.wire.headers import Headers

ECHO = "icmp echo-request / 56 bytes"
L2 = f"ipv4 20.0.0.1>20.0.0.3 ttl 64 / {ECHO}"
VXLAN = f"udp 4900 / vxlan 30 / ether / {L2}"
L3 = "ipv4 20.0.0.1>30.0.0.2"
OUTER, RETURN = "ether / ipv4 26.0.0.2>28.0.0.2", "ether / ipv4 28.0.0.2>26.0.0.2"

L2_OVERLAY = f"""
cs1:cs1_br1 out ether / {L2}
con_ns1:bridge1_cs1 in ether / {L2}
con_ns1:vxlan-cont out ether / {L2}
con_ns1:br1_lc1 out ether / ipv4 21.0.0.1>23.0.0.1 ttl 64 / {VXLAN}
lc1:lc1_br1 in ether / ipv4 21.0.0.1>23.0.0.1 ttl 64 / {VXLAN}
lc1:gretun-cont out ipv4 21.0.0.1>23.0.0.1 ttl 63 / {VXLAN}
lc1:lc1_sc2 out {OUTER} ttl 63 / gre / ipv4 21.0.0.1>23.0.0.1 ttl 63 / {VXLAN}
sc2:sc2_lc1 in {OUTER} ttl 63 / gre / ipv4 21.0.0.1>23.0.0.1 ttl 63 / {VXLAN}
sc2:sc2_lc2 out {OUTER} ttl 62 / gre / ipv4 21.0.0.1>23.0.0.1 ttl 63 / {VXLAN}
lc2:lc2_sc2 in {OUTER} ttl 62 / gre / ipv4 21.0.0.1>23.0.0.1 ttl 63 / {VXLAN}
lc2:gretun-cont in ipv4 21.0.0.1>23.0.0.1 ttl 63 / {VXLAN}
lc2:lc2_br3 out ether / ipv4 21.0.0.1>23.0.0.1 ttl 62 / {VXLAN}
con_ns3:br3_lc2 in ether / ipv4 21.0.0.1>23.0.0.1 ttl 62 / {VXLAN}
con_ns3:vxlan-cont in ether / {L2}
con_ns3:bridge3_cs5 out ether / {L2}
cs5:cs5_br3 in ether / {L2}
"""

L3_OVERLAY = f"""
cs1:cs1_br1 out ether / {L3} ttl 64 / {ECHO}
con_ns1:bridge1_cs1 in ether / {L3} ttl 64 / {ECHO}
con_ns1:bridge1_lc1 out ether / {L3} ttl 64 / {ECHO}
lc1:lc1-bridge1 in ether / {L3} ttl 64 / {ECHO}
lc1:gretun-cont out {L3} ttl 63 / {ECHO}
lc1:lc1_sc2 out {OUTER} ttl 63 / gre / {L3} ttl 63 / {ECHO}
sc2:sc2_lc1 in {OUTER} ttl 63 / gre / {L3} ttl 63 / {ECHO}
sc2:sc2_lc2 out {OUTER} ttl 62 / gre / {L3} ttl 63 / {ECHO}
lc2:lc2_sc2 in {OUTER} ttl 62 / gre / {L3} ttl 63 / {ECHO}
lc2:gretun-cont in {L3} ttl 63 / {ECHO}
lc2:lc2-br2 out ether / {L3} ttl 62 / {ECHO}
con_ns2:bridge2_lc2 in ether / {L3} ttl 62 / {ECHO}
con_ns2:bridge2_cs4 out ether / {L3} ttl 62 / {ECHO}
cs4:cs4-br in ether / {L3} ttl 62 / {ECHO}
"""


BRIDGE = f"""
cs1:cs1_br1 out ether / ipv4 20.0.0.1>20.0.0.2 ttl 64 / {ECHO}
con_ns1:bridge1_cs1 in ether / ipv4 20.0.0.1>20.0.0.2 ttl 64 / {ECHO}
con_ns1:bridge1_cs2 out ether / ipv4 20.0.0.1>20.0.0.2 ttl 64 / {ECHO}
cs2:cs2_br1 in ether / ipv4 20.0.0.1>20.0.0.2 ttl 64 / {ECHO}
"""


def only(journey: ExpectedJourney) -> ExpectedPath:
    assert len(journey.paths) == 1
    assert journey.dropped == ""
    return journey.paths[0]


def written(path: ExpectedPath) -> list[str]:
    return [f"{hop.ref} {hop.direction} {hop.stack.summary()}" for hop in path.hops]


def headers_at(node: str, interface: str, source: str, target: str, protocol: Protocol = "icmp") -> Headers:
    """Decode an expected hop's bytes."""
    fabric = reference()
    seen = seen_path(fabric, expect(fabric, source, target, protocol).paths[0])
    return next(s for s in seen if (s.node, s.interface) == (node, interface)).headers


@pytest.mark.parametrize(
    ("source", "target", "kind", "hops"),
    [
        ("cs1", "cs5", "l2-overlay", L2_OVERLAY),
        ("cs1", "cs4", "l3-overlay", L3_OVERLAY),
        ("cs1", "cs2", "bridge", BRIDGE),
    ],
)
def test_ping_takes_exactly_these_hops(source: str, target: str, kind: str, hops: str) -> None:
    """A ping through the reference lab, at every interface, in either direction, with all its headers."""
    journey = expect(reference(), source, target)
    assert written(only(journey)) == hops.strip().splitlines()
    assert journey.kind == kind


@pytest.mark.parametrize(("source", "target"), [("cs1", "cs5"), ("cs1", "cs4"), ("cs5", "cs4"), ("cs1", "cs2")])
@pytest.mark.parametrize("protocol", ["icmp", "udp"])
def test_every_stack_matches_the_packet_it_describes(source: str, target: str, protocol: Protocol) -> None:
    """Rendered to bytes and decoded, each expected hop shows its own stack; a byte more, and it does not."""
    fabric = reference()
    for path in expect(fabric, source, target, protocol).paths:
        for hop in path.hops:
            assert sighting(fabric, hop.node, hop.interface, hop.direction, hop.layers) == hop.stack
            longer = with_field("payload", load=probe(fabric, source, target).payload + b"!")(hop.layers)
            assert sighting(fabric, hop.node, hop.interface, hop.direction, longer) != hop.stack


@pytest.mark.parametrize(
    ("node", "interface", "lengths"),
    [
        ("cs1", "cs1_br1", [84]),
        ("lc1", "lc1_br1", [134, 114, 84]),
        ("lc1", "gretun-cont", [134, 114, 84]),
        ("sc2", "sc2_lc1", [158, 134, 114, 84]),
        ("lc2", "lc2_br3", [134, 114, 84]),
        ("cs5", "cs5_br3", [84]),
    ],
)
def test_lengths_are_those_of_the_captures(node: str, interface: str, lengths: list[int]) -> None:
    """A ping of 56 bytes makes UDP of 114, an outer IP packet of 158 bytes, and stays 84 bytes itself."""
    headers = headers_at(node, interface, "cs1", "cs5")
    assert [header["len"] for header in headers if header.layer in ("ipv4", "udp")] == lengths


def test_udp_through_vxlan_in_gre_has_two_legal_paths() -> None:
    """The GRE header inherits the VXLAN packet's TTL, or the customer's where its checksum is left to offload."""
    paths = expect(reference(), "cs1", "cs5", "udp").paths
    outer = [{h.layers[1][1]["ttl"] for h in path.hops if h.node == "sc2"} for path in paths]
    assert outer == [{63, 62}, {64, 63}]
    assert [str(path) for path in paths] == [str(paths[0])] * 2


def test_udp_of_ipv6_through_vxlan_in_gre_may_get_its_sources_first_byte_for_a_ttl() -> None:
    """A TTL inherited from the customer's header is read at IPv4's offset, also in an IPv6 header."""
    text = reference_text()
    for name, address, six in (("cs1_br1", "20.0.0.1/24", "fd00::1/64"), ("cs5_br3", "20.0.0.3/24", "fd00::5/64")):
        assert f"{name}: {address}" in text
        text = text.replace(f"{name}: {address}", f'{name}: ["{six}", {address}]')
    paths = expect(load_lab_text(text), "cs1", "cs5", "udp").paths
    outer = [{h.layers[1][1]["ttl"] for h in path.hops if h.node == "sc2"} for path in paths]
    assert outer == [{63, 62}, {0xFD, 0xFC}]


@pytest.mark.parametrize(("target", "protocol", "paths"), [("cs5", "icmp", 1), ("cs4", "udp", 1), ("cs2", "udp", 1)])
def test_everything_else_has_one_legal_path(target: str, protocol: Protocol, paths: int) -> None:
    """ICMP has no checksum to offload, and plain GRE inherits the only TTL there is."""
    assert len(expect(reference(), "cs1", target, protocol).paths) == paths


def test_tunnels_own_ttl_leaves_nothing_to_inherit() -> None:
    """A tunnel with a TTL of its own uses it, for UDP in VXLAN too."""
    fabric = reference()
    nodes = tuple(
        replace(n, devices=tuple(replace(d, ttl=99) if isinstance(d, Gre) else d for d in n.devices))
        for n in fabric.nodes
    )
    path = only(expect(replace(fabric, nodes=nodes), "cs1", "cs5", "udp"))
    assert [h.layers[1][1]["ttl"] for h in path.hops if h.node == "sc2"] == [99, 98]


def test_key_is_in_every_gre_header() -> None:
    """A tunnel with a key puts it into each packet, which is four bytes longer."""
    fabric = reference()
    nodes = tuple(
        replace(n, devices=tuple(replace(d, key=7) if isinstance(d, Gre) else d for d in n.devices))
        for n in fabric.nodes
    )
    hop = next(h for h in only(expect(replace(fabric, nodes=nodes), "cs1", "cs4")).hops if h.node == "sc2")
    assert "/ gre key 7 /" in hop.stack.summary()
    assert len(render(hop.layers)) == 14 + 20 + 8 + 84
