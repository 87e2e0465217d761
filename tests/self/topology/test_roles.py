"""Roles of a lab's own: a word, and one key that says whether the node forwards."""

from __future__ import annotations

from reports.record.fabric import map_of
from reports.render.github import mermaid
from reports.render.layout import arrange
from topology.expected import expected_journey, probes_of
from topology.export.clab import to_clab
from topology.export.dot import to_dot
from topology.formats.clab import load_clab_text
from topology.formats.lab import load_lab_text
from topology.isolation.forgery import targets
from topology.plan import written_sysctls
from topology.roles import ROLES

LAB = """\
lab: own
nodes:
  b1:
    role: border
    forwards: true
    addresses: {to-h1: 10.0.1.1/24, to-h2: 10.0.2.1/24}
  h1: {role: server, forwards: false, addresses: {eth0: 10.0.1.2/24}, routes: [default via 10.0.1.1]}
  h2: {role: customer, addresses: {eth0: 10.0.2.2/24}, routes: [default via 10.0.2.1]}
links:
  - [b1:to-h1, h1:eth0]
  - [b1:to-h2, h2:eth0]
pairs:
  - {source: h1, target: h2, kind: routed}
"""


def test_node_of_an_own_role_forwards_as_it_says() -> None:
    """A border router carries packets, and is built to; a server does neither."""
    lab = load_lab_text(LAB)
    assert [(node.role, node.is_router) for node in lab.nodes] == [
        ("border", True),
        ("server", False),
        ("customer", False),
    ]
    assert [written_sysctls(node, ipv6=False)["net.ipv4.ip_forward"] for node in lab.nodes] == [1, 0, 0]
    assert not expected_journey(lab, probes_of(lab, lab.pairs[0])[0]).dropped


def test_own_role_survives_containerlab_and_is_drawn() -> None:
    """It is written for containerlab and read back, and stands in every drawing."""
    lab = load_lab_text(LAB)
    assert load_clab_text(to_clab(lab), "own.clab.yml").nodes == lab.nodes
    assert to_dot(lab).count("rank=same") == 3
    drawn = map_of(lab)
    placed = arrange(drawn)
    assert placed is not None
    assert {box.name for box in placed.boxes} == {"b1", "h1", "h2"}
    assert {"  n0 --- n1", "  n1 --- n2"} <= set(mermaid(drawn, set()))


def test_nodes_of_own_roles_forge_packets_too() -> None:
    """The first node of an own role that reaches a VTEP is one of its senders."""
    text = LAB.replace(
        "10.0.2.1/24}", "10.0.2.1/24}\n    vxlan: {vx: {vni: 7, local: 10.0.2.1, remote: 10.0.2.2}}"
    ).replace(
        "[default via 10.0.2.1]", "[default via 10.0.2.1], vxlan: {vx: {vni: 7, local: 10.0.2.2, remote: 10.0.2.1}}"
    )
    senders = {path.role for target in targets(load_lab_text(text)) for path in target.attack_paths}
    assert senders > {"border", "server"}


def test_every_role_has_a_row_of_its_own() -> None:
    """No two roles share a row, and no group means two of them."""
    assert sorted(role.row for role in ROLES.values()) == list(range(len(ROLES)))
    groups = [group for role in ROLES.values() for group in role.groups]
    assert len(groups) == len(set(groups))
