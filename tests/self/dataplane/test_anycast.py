"""A gateway that is in two leaves on purpose, with one address and one MAC: the leaf that is silent is named."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_interface

import pytest

from reports.diagnosis.explain import explained
from tests.self.dataplane.changes import addressed
from tests.self.dataplane.test_endings import Change, link, sysctl
from topology.dataplane.live import live_fabric
from topology.expected import probe_between
from topology.formats.lab import load_lab_text
from topology.state import declared_state

LAB = load_lab_text("""
lab: anycast
nodes:
  s1:
    role: spine
    addresses: {s1_l1: 10.1.0.1/24, s1_l2: 10.2.0.1/24, s1_h3: 192.168.9.254/24}
    routes: [192.168.7.1/32 via 10.1.0.2, 192.168.7.2/32 via 10.2.0.2]
  l1:
    role: leaf
    addresses: {l1_s1: 10.1.0.2/24, br: 192.168.7.254/24}
    vxlan: {vx: {vni: 100, local: 10.1.0.2, remote: 10.2.0.2, dev: l1_s1, mtu: 1450}}
    bridges: {br: [l1_h1, vx]}
    routes: [default via 10.1.0.1]
  l2:
    role: leaf
    addresses: {l2_s1: 10.2.0.2/24, br: 192.168.7.253/24}
    vxlan: {vx: {vni: 100, local: 10.2.0.2, remote: 10.1.0.2, dev: l2_s1, mtu: 1450}}
    bridges: {br: [l2_h2, vx]}
    routes: [default via 10.2.0.1]
  h1: {role: customer, addresses: {eth0: 192.168.7.1/24}, routes: [default via 192.168.7.254]}
  h2: {role: customer, addresses: {eth0: 192.168.7.2/24}, routes: [default via 192.168.7.254]}
  h3: {role: customer, addresses: {eth0: 192.168.9.3/24}, routes: [default via 192.168.9.254]}
links: [[s1:s1_l1, l1:l1_s1], [s1:s1_l2, l2:l2_s1], [s1:s1_h3, h3:eth0], [l1:l1_h1, h1:eth0], [l2:l2_h2, h2:eth0]]
""")
GATEWAY = ip_interface("192.168.7.254/24")
FAULTS: dict[str, tuple[Change, str]] = {
    "whole": (lambda state: state, "None"),
    "without the address": (addressed("br"), "l1:br: no address"),
    "without ARP": (link("br", arp=False), "l1:br: resolves no addresses (arp off)"),
    "down": (link("br", up=False), "l1:br: down"),
    "not forwarding": (sysctl(4, "br", "forwarding", "0"), "l1: forwards no IPv4 packets from br"),
}
CASES = [(name, has_one_mac) for name in FAULTS for has_one_mac in (True, False)]
CASES.remove(("without the address", False))
"""With two MACs the address may be one leaf's alone, by intent."""


@pytest.mark.parametrize(("name", "has_one_mac"), CASES)
def test_silent_gateway_of_two_is_named(name: str, has_one_mac: bool) -> None:
    """What is wrong with a leaf's device comes before that another leaf has its address, too."""
    fault, words = FAULTS[name]
    states = {node.name: declared_state(node, False, LAB.routing) for node in LAB.nodes}
    own = frozenset(one for one in states["l2"].addresses if one[0] != "br")
    other = replace(states["l2"], addresses=own | {("br", GATEWAY)})
    if has_one_mac:
        other = link("br", mac=states["l1"].links["br"].mac)(other)
    live = live_fabric("live", states | {"l1": fault(states["l1"]), "l2": other}, LAB.links)
    if name == "whole" and not has_one_mac:
        words = "l1:br: 192.168.7.254; l2:br: 192.168.7.254"
    assert str(explained(live, probe_between(LAB, "h1", "h3"), "routed")).startswith(words)
