"""Live state alone says what keeps two hosts apart where another tenant has the same addresses."""

from __future__ import annotations

from pathlib import Path

from reports.diagnosis.explain import explained
from tests.self.dataplane.changes import gone
from tests.self.dataplane.test_endings import both, link
from topology.dataplane.live import live_fabric
from topology.dataplane.paths import Ending
from topology.expected import probe_between
from topology.formats import load
from topology.model import Fabric
from topology.promises import Pair
from topology.state import NodeState, declared_state


def states(lab: Fabric) -> dict[str, NodeState]:
    return {node.name: declared_state(node, False, lab.routing) for node in lab.nodes}


LAB = load(Path("topology/labs/two-tenants.yaml"))


def said_of(live: Fabric, pair: Pair) -> Ending | None:
    return explained(live, probe_between(LAB, pair.source, pair.target), pair.kind)


def test_port_that_left_its_bridge_is_named_whoever_asks() -> None:
    """The port, not the host that gets no answer: that other tenant's hosts have the address is no answer."""
    left = {**states(LAB), "l2": link("l2_blue2", master=None)(states(LAB)["l2"])}
    live = live_fabric("live", left, LAB.links)
    for pair in (pair for pair in LAB.pairs if "blue2" in (pair.source, pair.target)):
        found = said_of(live, pair)
        assert found is not None
        assert (found.node, found.interface, found.kind, found.wanted) == ("l2", "l2_blue2", "bridge", "a bridge")


def test_missing_tunnel_is_not_the_other_tenants() -> None:
    """A node without one tenant's VXLAN device is blamed for that, and not the device of the other, which is whole."""
    live = live_fabric("live", {**states(LAB), "l1": gone("vx-red")(states(LAB)["l1"])}, LAB.links)
    found = said_of(live, next(pair for pair in LAB.pairs if (pair.source, pair.target) == ("red1", "red3")))
    assert found is not None
    assert str(found).startswith("l1: no VXLAN device for VNI 100")
    assert found.others == ()


def test_vnis_that_are_swapped_at_one_end_are_named_at_both() -> None:
    """A frame that comes out in the other tenant's segment, at a host of the same address, blames no host."""
    leaf = states(LAB)["l1"]
    red, blue = (dict(leaf.links[name].parameters)["vni"] for name in ("vx-red", "vx-blue"))
    swapped = both(link("vx-red", parameters={"vni": blue}), link("vx-blue", parameters={"vni": red}))(leaf)
    live = live_fabric("live", {**states(LAB), "l1": swapped}, LAB.links)
    for pair in LAB.pairs:
        found = said_of(live, pair)
        nodes = {one.node for one in (found, *found.others)} if found else set()
        assert nodes == ({"l1", "l2"} if pair.kind == "l2-overlay" else set())
