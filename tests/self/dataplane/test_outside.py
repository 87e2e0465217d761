"""A packet that is lost in a tunnel which is not followed is explained by the packet that the tunnel made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from reports.diagnosis.explain import explained, explained_outside
from reports.evidence import Journey
from tests.self.builders import expect, journey, reference, seen_hop, with_field
from tests.self.dataplane.changes import changed, routed
from tests.self.dataplane.test_endings import Change, neighbour, of_another_kind, sysctl
from topology.expected import probe_between
from topology.packet import ends_of, outer_ip

ENDS = ("cs1", "cs3")
HIDDEN: Mapping[str, Change] = {"lc1": of_another_kind("gretun-cont"), "lc2": of_another_kind("gretun-cont")}
"""The GRE tunnel is of a kind that is not followed."""
INNER = probe_between(reference(), *ENDS).layers[0][1]


def lost(at: str, ttl: int = 64) -> Journey:
    """The packet as it was seen up to a node, with this TTL outside."""
    expected = expect(reference(), *ENDS)
    hops = expected.paths[0].hops
    outside = [n for n, hop in enumerate(hops) if ends_of(outer_ip(hop.layers) or {}) != ends_of(INNER)]
    last = max(n for n in outside if hops[n].node == at)
    change = with_field("ipv4", ttl=ttl)
    seen = (seen_hop(reference(), hop, n, change if n in outside else None) for n, hop in enumerate(hops[: last + 1]))
    return journey(expected, list(seen))


FOUND: Mapping[str, tuple[Mapping[str, Change], str, int, str]] = {
    "a circle": ({"sc2": routed("28.0.0.2/32 via 26.0.0.2 dev sc2_lc1")}, "sc2", 64, "sc2: 28.0.0.2/32 via 26.0.0.2"),
    "a router that does not forward": ({"sc2": sysctl(4, "sc2_lc1", "forwarding", "0")}, "sc2", 64, "sc2: forwards no"),
    "a neighbour's MAC": ({"sc2": neighbour("28.0.0.2", "sc2_lc2")}, "sc2", 64, "sc2:sc2_lc2: 28.0.0.2 lladdr"),
    "a TTL": ({}, "sc2", 1, "lc1:gretun-cont: ttl 1: it expires at sc2"),
    "no fault of the underlay": ({}, "lc2", 64, ""),
}


@pytest.mark.parametrize("name", FOUND)
def test_packet_outside_is_followed_from_its_sender(name: str) -> None:
    """The node that loses it is named, or that which sends it with too low a TTL, and none that does neither."""
    changes, at, ttl, words = FOUND[name]
    live = changed({**HIDDEN, **changes})
    assert explained(live, probe_between(reference(), *ENDS)) is None
    assert str(explained_outside(live, lost(at, ttl)) or "").startswith(words)
    assert bool(explained_outside(live, lost(at, ttl))) == bool(words)


def test_packet_without_a_tunnel_says_nothing_more() -> None:
    """Nor does one between addresses that no node has, or that was never seen."""
    live, whole = changed(HIDDEN), lost("sc2")
    assert explained_outside(live, replace(whole, sightings=whole.sightings[:2])) is None
    assert explained_outside(live, replace(whole, sightings=())) is None
    assert (
        explained_outside(changed({**HIDDEN, "lc1": lambda state: replace(state, addresses=frozenset())}), whole)
        is None
    )
