"""Labs that come along beside the reference lab, with something broken in each: the suites notice, and say where."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.lifecycle.kit.suite import SuiteRun

pytestmark = pytest.mark.lifecycle
WRONG_TAG = "ip link add link trunk name trunk.110 type vlan id 111 && ip link set dev trunk.110 master br110 up"
BGP = "-c 'router bgp 65001' -c 'address-family l2vpn evpn'"
BREAKS = {
    "vxlan-only": ("l1: bridge fdb del 00:00:00:00:00:00 dev vx100 dst 10.255.0.3", "l1", "fdb"),
    "geneve": ("l2: ip link set dev blue-l3 type geneve id 9 remote 10.3.1.2", "l2", "geneve"),
    "ipip": ("lc2: ip link set dev ipip-lc1 type ipip local 10.255.0.2 remote 10.255.0.9", "lc2", "ipip"),
    "evpn-l2": (f"leaf1: vtysh -N leaf1 -c 'configure terminal' {BGP} -c 'no advertise-all-vni'", "leaf1", "vni"),
    "vlan-trunk": ("sw2: ip link del dev trunk.110 && " + WRONG_TAG, "sw2", "vlan"),
}
"""What breaks a lab, the node that is guilty, and what of it."""


@pytest.mark.parametrize("lab", BREAKS)
def test_break_is_noticed_and_the_node_is_named(lab: str, suite: Callable[..., SuiteRun]) -> None:
    """A part taken out of a lab fails promises, each with the guilty node for its cause."""
    command, node, kind = BREAKS[lab]
    run = suite("-m", "underlay or overlay", "--lab", lab, "--break", command, "--kernel", "guest")
    failed = run.with_verdict("failed")
    assert run.code == 1, run.output
    assert len(failed) > 1
    causes = {(test["cause"]["node"], test["cause"]["kind"]) for test in failed}
    assert causes == {(node, kind)}, json.dumps(failed, indent=1)
    assert not run.with_verdict("errored")
