"""Of what may keep a pair apart nothing is blamed that works for other pairs."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from reports.diagnosis.explain import explained
from tests.self.builders import known_lab
from tests.self.dataplane.changes import addressed, gone, moved, routed
from tests.self.dataplane.test_endings import Change, link
from topology.dataplane.live import live_fabric
from topology.expected import probe_between
from topology.state import declared_state

CASES: dict[str, tuple[str, tuple[str, str], Mapping[str, Change], str]] = {
    "host in another tenant's bridge": (
        "two-tenants",
        ("red1", "red3"),
        {"l1": link("l1_red1", master="br-blue")},
        "l1:l1_red1: in br-blue",
    ),
    "host in a bridge whose only working tunnel is another's": (
        "gretap",
        ("blue1", "blue2"),
        {"l1": link("l1_blue1", master="br-red")},
        "l1:l1_blue1: in br-red",
    ),
    "host of a segment alone in a new bridge": (
        "geneve",
        ("red2", "red3"),
        {"l2": moved("l2_red2", "br-red", "new")},
        "l2:l2_red2: in new",
    ),
    "device missing from a mesh": (
        "gretap",
        ("red1", "red2"),
        {"l1": gone("red-l2")},
        "l1: no GRETAP device for packets from 10.255.0.2 to 10.255.0.1",
    ),
    "router without the address of a mesh": (
        "geneve",
        ("red1", "red2"),
        {"l1": addressed("l1_s1", "10.9.9.9/30")},
        "l1:l1_s1: 10.9.9.9/30",
    ),
    "tunnel's packets in a circle": (
        "vxlan-only",
        ("c1", "c3"),
        {"s2": routed("10.255.0.1/32 via 10.2.2.2 dev s2_l2")},
        "s2: 10.255.0.1/32 via 10.2.2.2 dev s2_l2: a circle of ",
    ),
}
"""Lab, pair, changes, and the words of the ending."""


@pytest.mark.parametrize("name", CASES)
def test_what_works_for_other_pairs_is_not_blamed(name: str) -> None:
    """The packets of the other pairs pass the devices that seem to differ."""
    source, pair, changes, words = CASES[name]
    lab = known_lab(source)
    states = {node.name: declared_state(node, False, lab.routing) for node in lab.nodes}
    live = live_fabric("live", states | {n: change(states[n]) for n, change in changes.items()}, lab.links)
    others = {probe_between(lab, one.source, one.target): one.kind for one in lab.pairs}
    found = explained(live, probe_between(lab, *pair), "l2-overlay", others=others)
    assert str(found).startswith(words)
