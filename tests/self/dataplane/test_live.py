"""The forwarding state of live nodes is followed as the declaration is."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address
from itertools import permutations
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from fixtures.instruments.grading.rows import Underlay, in_roles
from fixtures.instruments.live import LiveFabric
from reports.diagnosis.explain import explained
from reports.diagnosis.resolution import judged_leg
from reports.evidence import Sighting
from reports.record.fabric import map_of
from reports.words import COPY
from tests.self.builders import journey, reference, reference_text, seen_path, vxlan_lab
from tests.self.draws import draws
from tests.self.reports.states import parameter
from topology.dataplane.live import live_fabric
from topology.dataplane.reasons import link_local
from topology.expected import ExpectedJourney, expected_journey, probe_between
from topology.formats import load
from topology.formats.lab import load_lab_text
from topology.kernels.rtnl.links import LinkEnd
from topology.model import Fabric, Link
from topology.plan import uses_ipv6
from topology.refs import PortRef
from topology.state import NodeState, declared_state

LABS = [lab for lab in sorted(Path("topology/labs").glob("*.yaml")) if "vrfs:" not in lab.read_text()]
"""Those whose routes are declared: in a VRF a daemon makes them."""


def as_read(fabric: Fabric) -> Fabric:
    states = {node.name: declared_state(node, uses_ipv6(fabric), fabric.routing) for node in fabric.nodes}
    return live_fabric(fabric.name, states, fabric.links)


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.stem)
def test_a_fabric_as_declared_has_the_declared_journeys(lab: Path) -> None:
    fabric = load(lab)
    live = as_read(fabric)
    customers = [node.name for node in fabric.role("customer")]
    assert customers
    pairs = [*permutations(customers, 2)]
    for source, target in random.Random(lab.stem).sample(pairs, min(len(pairs), draws(60))):
        probe = probe_between(fabric, source, target)
        assert expected_journey(live, probe) == expected_journey(fabric, probe)


def test_fabric_numbered_in_169_254_is_like_any_other() -> None:
    """Linux routes addresses of 169.254.0.0/16 that it is given; only IPv6 link-local ones are a link's own."""
    lab = load_lab_text(re.sub(r"\b2([0-8])\.0\.0\.", r"169.254.2\1.", reference_text()))
    live = as_read(lab)
    for pair in lab.pairs:
        probe = probe_between(lab, pair.source, pair.target)
        assert expected_journey(live, probe) == expected_journey(lab, probe)
    assert "via 169.254.26.1" in " ".join(map(str, live["lc1"].routes))


def test_next_hop_by_link_local_address_is_followed() -> None:
    """An unnumbered underlay leads IPv4 packets to the link-local address that a neighbour forms from its MAC."""
    lab = reference()
    owners = {interface.ip: device for device in lab.devices for interface in device.addresses}
    states = {node.name: declared_state(node, False, lab.routing) for node in lab.nodes}
    for name, state in states.items():
        routes = (replace(r, via=link_local(owners[r.via])) if r.via and r.dev else r for r in state.routes)
        states[name] = replace(state, routes=frozenset(routes))
    live, probe = live_fabric("live", states, lab.links), probe_between(lab, "cs1", "cs5")
    assert str(link_local(owners[ip_address("26.0.0.1")])) in " ".join(map(str, live["lc1"].routes))
    assert expected_journey(live, probe) == expected_journey(lab, probe)


def test_nothing_is_wrong_where_a_device_is_not_followed() -> None:
    """A customer by ipvlan: what is seen behind it is neither expected nor wrong, a copy of it is a copy."""
    lab = reference()
    sent = probe_between(lab, "cs1", "cs5")
    expected = expected_journey(lab, sent)
    states = {node.name: declared_state(node, False, lab.routing) for node in lab.nodes}
    customer = states["cs1"]
    links = {name: replace(link, kind="ipvlan") for name, link in customer.links.items()}
    live = live_fabric("live", {**states, "cs1": replace(customer, links=links)}, [])
    seen = seen_path(lab, expected.paths[0])
    copied = replace(seen[-1], order=99)

    def wrong(*more: Sighting) -> list[str]:
        judged = judged_leg(journey(expected, [*seen, *more]), sent, live)
        return [rung.wrong for rung in judged.verdict.rungs if rung.wrong]

    assert wrong() == []
    assert wrong(copied) == [COPY]


def test_ttl_that_a_tunnel_copies_is_followed() -> None:
    """A VTEP with ``ttl inherit`` gives its packets the TTL of those in their frames."""
    lab = reference()
    states = {node.name: declared_state(node, False, lab.routing) for node in lab.nodes}
    states["con_ns1"] = parameter(states["con_ns1"], "vxlan-cont", ttl="inherit")
    probe = replace(probe_between(lab, "cs1", "cs5"), ttl=9)
    assert "ttl 9" in _outer(expected_journey(live_fabric("live", states, lab.links), probe))
    assert "ttl 64" in _outer(expected_journey(lab, probe))


def _outer(journey: ExpectedJourney) -> str:
    """The outer IP header with which a journey's packet leaves the first VTEP."""
    (path,) = journey.paths
    hop = next(hop for hop in path.hops if (str(hop.ref), hop.direction) == ("con_ns1:br1_lc1", "out"))
    return f"ttl {hop.layers[1][1]['ttl']}"


def bare(state: NodeState) -> NodeState:
    """A node whose interfaces are up, and that is all."""
    links = {name: replace(link, master=None) for name, link in state.links.items() if link.kind == "veth"}
    return replace(state, links=links, addresses=frozenset(), routes=frozenset())


def handed_on(state: NodeState) -> NodeState:
    """The same with each interface in a bridge, together with a veth that leads to nobody."""
    links = dict(bare(state).links)
    for name, link in list(links.items()):
        bridge = replace(link, name=f"b-{name}", kind="bridge")
        links |= {name: replace(link, master=bridge.name), bridge.name: bridge}
        links[f"v-{name}"] = replace(link, name=f"v-{name}", master=bridge.name)
    return replace(bare(state), links=links)


def with_guest(state: NodeState) -> NodeState:
    """A node with one more port in each bridge, of a virtual machine."""
    cable = next(link for link in state.links.values() if link.master)
    return replace(state, links={**state.links, "tap": replace(cable, name="tap", kind="tun")})


OPAQUE: dict[str, tuple[str, Callable[[NodeState], NodeState], str]] = {
    "as declared": ("s1", lambda state: state, ""),
    "not set up": ("s1", bare, "its state says nothing of frames from s1_l1, s1_l2"),
    "a VM's": ("s1", handed_on, "its state says nothing of frames from s1_l1, s1_l2"),
    "a host without its address": ("c1", bare, ""),
    "a VM's beside others": ("v1", with_guest, ""),
}


@pytest.mark.parametrize("name", OPAQUE)
def test_node_whose_state_says_nothing_of_its_cables_is_not_followed(name: str) -> None:
    """What may forward by other means than those that are read ends a walk without a reason; a port that lacks
    something beside others that do not is a mistake, and a reason."""
    node, change, words = OPAQUE[name]
    lab = vxlan_lab()
    states = {one.name: declared_state(one, False, lab.routing) for one in lab.nodes}
    live = live_fabric("live", {**states, node: change(states[node])}, lab.links)
    assert {one.name: one.opaque for one in live.nodes if one.opaque} == ({node: words} if words else {})
    (pair,) = [pair for pair in lab.pairs if (pair.source, pair.target) == ("c1", "c5")]
    found = explained(live, probe_between(lab, pair.source, pair.target))
    assert (found is None) == (name != "a host without its address"), found


REDUNDANT = """
lab: triangle
nodes:
  s1: {role: switch, bridges: {b1: [p12, p13, p1]}}
  s2: {role: switch, bridges: {b2: [p21, p23, p2]}}
  s3: {role: switch, bridges: {b3: [p31, p32]}}
  h1: {role: customer, addresses: {e1: 10.5.0.1/24}}
  h2: {role: customer, addresses: {e2: 10.5.0.2/24}}
  x: {role: switch}
links: [[s1:p12, s2:p21], [s1:p13, s3:p31], [s1:p1, h1:e1], [s2:p2, h2:e2], [s2:p23, x:e2], [s3:p32, x:e3]]
"""


def spanning(state: NodeState, *blocked: str) -> NodeState:
    """A node of which the bridges speak STP, which blocks some of its ports."""
    links = dict(state.links)
    for name, link in links.items():
        if link.kind == "bridge":
            links[name] = replace(link, parameters=(*link.parameters, ("stp", "on")))
        elif name in blocked:
            links[name] = replace(link, port=(("state", "blocking"),))
    return replace(state, links=links)


def redundant(blocked: dict[str, list[str]]) -> tuple[Fabric, Fabric]:
    """The declared triangle, and what stands: with its third cable, and with these ports of each node blocked."""
    lab = load_lab_text(REDUNDANT)
    states = {n.name: spanning(declared_state(n, False, lab.routing), *blocked.get(n.name, ())) for n in lab.nodes}
    return lab, live_fabric("live", states, [*lab.links[:-2], Link(PortRef("s2", "p23"), PortRef("s3", "p32"))])


@pytest.mark.parametrize(
    ("blocked", "words"),
    [({"s3": ["p32"]}, ""), ({"s2": ["p21"]}, ""), ({"s1": ["p1"]}, "s1:p1: state blocking")],
)
def test_cable_that_a_spanning_tree_blocks_is_no_fault(blocked: dict[str, list[str]], words: str) -> None:
    """Frames take the other way round; a port that leads to a host must forward."""
    lab, live = redundant(blocked)
    found = explained(live, probe_between(lab, "h1", "h2"))
    assert str(found or "").startswith(words)
    assert bool(found) == bool(words)


def test_cable_that_a_spanning_tree_blocks_is_still_one() -> None:
    """It does not lead out of the fabric, and a picture of the fabric shows it."""
    lab, live = redundant({"s3": ["p32"]})
    ends = [(end, LinkEnd(end.interface, 1, up=True, peer=1)) for link in lab.links for end in link.ends]
    looked_at = SimpleNamespace(_netlink=SimpleNamespace(devices=lambda _: ends), names=[])
    loose = LiveFabric.loose_ends(cast(LiveFabric, looked_at), live)
    assert loose == {PortRef("x", "e2"), PortRef("x", "e3")}
    assert ("s2", "s3") in map_of(in_roles(live, Underlay({}, {}), ())).links


def test_swapped_cables_are_named_as_such() -> None:
    """The next hop is there, but behind another device of the node; the packets of either cable say so."""
    lab, one, other = reference(), PortRef("lc1", "lc1_sc2"), PortRef("lc1", "lc1_br1")
    states = {node.name: declared_state(node, False, lab.routing) for node in lab.nodes}
    swapped = {one: other, other: one}
    ends = ((swapped.get(one, one) for one in link.ends) for link in lab.links)
    links = [Link(near, far) for near, far in ends]
    found = explained(live_fabric("live", states, links), probe_between(lab, "cs1", "cs5"))
    assert found is not None
    assert (found.node, found.interface, found.kind) == ("lc1", "lc1_sc2", "cable")
    assert found.live == "cabled to con_ns1:br1_lc1: 26.0.0.1 is behind lc1_br1"
