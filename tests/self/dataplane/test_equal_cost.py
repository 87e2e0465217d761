"""What a walk over live state says of a fabric with equal-cost routes."""

from __future__ import annotations

from reports.diagnosis.explain import explained
from tests.self.builders import known_lab
from tests.self.dataplane.test_endings import both, sysctl
from topology.dataplane.live import live_fabric
from topology.expected import probe_between
from topology.state import declared_state


def test_equal_cost_routes_are_no_wrong_turn() -> None:
    """Where one of two spines does not forward, it is named; that the answer comes by the other spine is by intent."""
    lab = known_lab("ecmp")
    states = {node.name: declared_state(node) for node in lab.nodes}
    off = both(sysctl(4, "sc2_lc1", "forwarding", "0"), sysctl(4, "sc2_lc2", "forwarding", "0"))
    live = live_fabric(lab.name, {**states, "sc2": off(states["sc2"])}, lab.links)
    for ends in (("cs1", "cs2"), ("cs2", "cs1")):
        found = explained(live, probe_between(lab, *ends), "l3-overlay")
        assert found is not None
        assert (found.node, found.kind) == ("sc2", "sysctl")
