"""The forwarding state of live nodes is followed as the declaration is."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from topology.dataplane.live import live_fabric
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
    for source, target in permutations(customers, 2):
        probe = probe_between(fabric, source, target)
        assert expected_journey(live, probe) == expected_journey(fabric, probe)
