"""The forwarding state of live nodes is followed as the declaration is."""

from __future__ import annotations

import random
from dataclasses import replace
from ipaddress import ip_address
from itertools import permutations
from pathlib import Path

import pytest

from tests.self.builders import reference
from tests.self.draws import draws
from topology.dataplane.live import live_fabric
from topology.dataplane.reasons import link_local
from topology.expected import expected_journey, probe_between
from topology.formats import load
from topology.model import Fabric
from topology.plan import uses_ipv6
from topology.state import declared_state

LABS = sorted(Path("topology/labs").glob("*.yaml"))


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
