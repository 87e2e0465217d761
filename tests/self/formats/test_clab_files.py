"""The containerlab files that are run word for word elsewhere are read as what they are: their pairs, and the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from topology.derived_pairs import with_derived_pairs
from topology.errors import LabError
from topology.formats.clab import load_clab, load_clab_text

FILES = Path(__file__).parents[1] / "data" / "clab"
PAIRS = {
    "backup-route": "h1-h3-routed",
    "chain-of-routers": "h1-h3-routed",
    "dual-stack": "h1-h2-routed h1-h2-routed-fd90.2..1",
    "ecmp": "h1-h2-routed",
    "flooding-bridge": "a-b-bridge b-c-bridge a-c-bridge",
    "geneve": "x-y-l2-overlay",
    "gre-hub-and-spoke": "h1-h2-l3-overlay",
    "gre-over-ipv6": "h1-h2-l3-overlay h1-h2-l3-overlay-fd23.2..1",
    "head-end-replication": "h1-h2-l2-overlay h2-h3-l2-overlay h1-h3-l2-overlay",
    "ipv6-underlay": "h1-h2-l2-overlay h1-h2-l2-overlay-fd60..2",
    "keyed-gre": "red1-red2-l3-overlay red2-blue1-l3-overlay blue1-blue2-l3-overlay red1-blue1-routed "
    "red2-blue2-routed red1-blue2-l3-overlay",
    "loopback-remotes": "h1-h2-l2-overlay",
    "no-forwarding": "r-a-bridge r-b-bridge r-b-bridge-10.116.2.1",
    "router-on-a-stick": "h10-h20-routed",
    "source-by-route": "m-p-bridge m-p-l2-overlay-192.168.111.2 m-q-l2-overlay-192.168.111.3 m-q-bridge-10.111.2.2",
    "static-forwarding": "h1-h2-l2-overlay h2-h3-l2-overlay h1-h3-l2-overlay",
    "sysctl-styles": "h1-h3-routed r3-h1-routed r3-h3-bridge r3-h4-bridge r3-h4-bridge-10.114.4.2",
    "tagged-hosts": "a-b-routed a-c-bridge",
    "unnumbered": "h1-h2-routed",
    "vlans-through-vxlan": "a-b-l2-overlay a-b-l2-overlay-192.168.5.2",
    "vtep-in-leaf": "a-b-l2-overlay",
    "vxlan-over-gre": "a-b-l2-overlay",
}
"""The pairs that are derived from each file."""


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_of_a_file_are_those_that_must_arrive(name: str) -> None:
    """Pairs of a file's customers that must arrive are derived, each in its kind."""
    fabric = with_derived_pairs(load_clab(FILES / f"{name}.clab.yml"))
    assert {str(pair) for pair in fabric.pairs} == set(PAIRS[name].split())


LOOP = """
name: loop
topology:
  nodes:
    s1: {kind: bridge}
    s2: {kind: bridge}
    a: {kind: linux, exec: [ip addr add 10.0.0.1/24 dev eth1]}
  links:
    - endpoints: ["s1:p1", "s2:p1"]
    - endpoints: ["s1:p2", "s2:p2"]
    - endpoints: ["s1:p3", "a:eth1"]
"""


def test_loop_at_layer_2_is_refused() -> None:
    """Two ways between two bridges, over which broadcasts would go round for ever, are refused at the second."""
    with pytest.raises(LabError, match=r"one.clab.yml:10:\d+: s1:p2 and s2:p2 are already joined by another path"):
        load_clab_text(LOOP, "one.clab.yml")
