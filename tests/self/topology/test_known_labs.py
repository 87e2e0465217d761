"""The labs that come with hopcheck: what their plans tell a kernel does what their declarations promise."""

from __future__ import annotations

import pytest

from tests.self.topology.agreement import assert_floods_simulated, assert_simulated
from tests.self.topology.ip_commands import complaints
from topology.expected import check_pairs
from topology.export.dot import to_dot
from topology.formats.lab import known_labs, load_lab
from topology.model import Fabric
from topology.plan import make_plan, uses_ipv6

LABS = [load_lab(name) for name in known_labs()]
SIMULATED = [lab for lab in LABS if not uses_ipv6(lab)]


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
def test_every_pair_of_a_known_lab_arrives_as_declared(lab: Fabric) -> None:
    """No lab that comes along promises what its declaration does not carry."""
    assert lab.pairs
    assert list(check_pairs(lab)) == []


@pytest.mark.parametrize("lab", SIMULATED, ids=lambda lab: lab.name)
def test_known_lab_is_simulated_as_expected(lab: Fabric) -> None:
    """The model of forwarding and the simulated kernels agree on every hop of every pair, and on every flood."""
    assert_simulated(lab, lab.pairs)
    assert_floods_simulated(lab)


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
def test_commands_of_a_known_lab_are_understood(lab: Fabric) -> None:
    """Every command of a plan is one that a person could type, at a time when what it needs is there."""
    assert complaints(make_plan(lab).commands) == []


def test_a_tunnel_is_drawn_to_each_remote() -> None:
    """The picture of a lab with three leaves in one VNI has a dashed line between each two."""
    assert to_dot(load_lab("vxlan-only")).count("VXLAN VNI 100") == 3
