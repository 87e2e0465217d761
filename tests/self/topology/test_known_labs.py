"""The labs that come with hopcheck: what their plans tell a kernel does what their declarations promise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.self.builders import known_lab, unlike_pairs
from tests.self.topology.agreement import assert_floods_simulated, assert_simulated
from tests.self.topology.ip_commands import complaints
from topology.expected import check_pairs
from topology.export.dot import to_dot
from topology.formats.lab import known_labs
from topology.plan import make_plan, uses_ipv6

each_lab = pytest.mark.parametrize("lab", known_labs())


@each_lab
def test_every_pair_of_a_known_lab_arrives_as_declared(lab: str) -> None:
    """No lab that comes along promises what its declaration does not carry."""
    assert known_lab(lab).pairs
    assert list(check_pairs(known_lab(lab))) == []


@each_lab
def test_known_lab_is_simulated_as_expected(lab: str) -> None:
    """The model of forwarding and the simulated kernels agree on every hop of every pair, and on every flood."""
    fabric = known_lab(lab)
    if not uses_ipv6(fabric):
        assert_simulated(fabric, unlike_pairs(fabric))
        assert_floods_simulated(fabric)


@each_lab
def test_commands_of_a_known_lab_are_understood(lab: str) -> None:
    """Every command of a plan is one that a person could type, at a time when what it needs is there."""
    assert complaints(replace(make_plan(known_lab(lab)), daemons={}).commands) == []


def test_a_tunnel_is_drawn_to_each_remote() -> None:
    """The picture of a lab with three leaves in one VNI has a dashed line between each two."""
    assert to_dot(known_lab("vxlan-only")).count("VXLAN VNI 100") == 3
