"""The labs that come along beside the reference lab, proven on each kind of kernel and of node."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from fixtures.instruments.suite import SuiteRun
from topology.errors import EngineError, NotApplicable
from topology.formats.lab import load_lab
from topology.kernels.engine import Engine

pytestmark = pytest.mark.lifecycle
SUITES = ("-m", "underlay or overlay or isolation or ecmp")
LABS = ("vxlan-only", "geneve", "vlan-trunk")
WRONG_TAG = "ip link add link trunk name trunk.110 type vlan id 111 && ip link set trunk.110 master br110 up"
BREAKS = {
    "vxlan-only": ("l1: bridge fdb del 00:00:00:00:00:00 dev vx100 dst 10.255.0.3", "l1", "fdb"),
    "geneve": ("l2: ip link set dev blue-l3 type geneve id 9 remote 10.3.1.2", "l2", "geneve"),
    "vlan-trunk": ("sw2: ip link del trunk.110 && " + WRONG_TAG, "sw2", "vlan"),
}
"""What breaks a lab, the node that is guilty, and what of it."""


def whole(run: SuiteRun) -> None:
    """Everything was proven, and nothing is left."""
    assert run.code == 0, run.output
    assert not run.with_verdict("failed") + run.with_verdict("errored")
    assert run.left == {}


@pytest.mark.parametrize("lab", LABS)
def test_lab_is_proven_in_a_guest(lab: str, suite: Callable[..., SuiteRun]) -> None:
    """Every suite holds in a microVM, whose kernel has every kind of link that a lab needs."""
    whole(suite(*SUITES, "--lab", lab, "--kernel", "guest"))


@pytest.mark.parametrize("lab", LABS)
def test_lab_is_proven_on_this_machine(lab: str, suite: Callable[..., SuiteRun]) -> None:
    """Every suite holds on this machine's kernel, where that has the links; else the run says what is missing."""
    run = suite(*SUITES, "--lab", lab, "--kernel", "host")
    if "no link kind" in run.output:
        assert run.code == 6
        raise NotApplicable(f"this machine's kernel offers not all of {', '.join(sorted(load_lab(lab).needs))}")
    whole(run)


@pytest.mark.parametrize("lab", LABS)
def test_lab_is_proven_on_containers(lab: str, suite: Callable[..., SuiteRun]) -> None:
    """Every suite holds where the nodes are containers of this machine's engine."""
    try:
        Engine.of_this_machine().close()
    except EngineError as error:
        raise NotApplicable(str(error)) from error
    run = suite(*SUITES, "--lab", lab, "--kernel", "here", "--runtime", "docker")
    if "no link kind" in run.output:
        raise NotApplicable(f"this machine's kernel offers not all of {', '.join(sorted(load_lab(lab).needs))}")
    whole(run)


@pytest.mark.parametrize("lab", BREAKS)
def test_break_is_noticed_and_the_node_is_named(lab: str, suite: Callable[..., SuiteRun]) -> None:
    """What is taken out of a lab fails its promises, and each failure has the guilty node for its cause."""
    command, node, kind = BREAKS[lab]
    run = suite("-m", "underlay or overlay", "--lab", lab, "--break", command, "--kernel", "guest")
    failed = run.with_verdict("failed")
    assert run.code == 1, run.output
    assert len(failed) > 1
    causes = {(test["cause"]["node"], test["cause"]["kind"]) for test in failed}
    assert causes == {(node, kind)}, json.dumps(failed, indent=1)
    assert not run.with_verdict("errored")
