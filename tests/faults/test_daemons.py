"""The suite on a fabric with a second route protocol: proven beside the declared routes, found where it diverts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lifecycle.kit.suite import SuiteRun
from topology.model import Fabric, Node, Route

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("ece792")]
MORE_SPECIFIC = 1
"""Bits by which a daemon's prefix is longer than the declared one."""


def order(node: Node, command: str) -> tuple[str, str]:
    """The option that runs a command in a node."""
    return ("--break", f"{node.name}:{command}")


def to_the_far_leaf(lab: Fabric) -> Route:
    """The first leaf's route to the end of its tunnel."""
    return next(route for route in lab["lc1"].routes if lab["lc1"].gre.remote in route.prefix)


def test_second_route_protocol_changes_nothing(lab: Fabric, suite: Callable[..., SuiteRun]) -> None:
    """A daemon's routes beside the declared ones, a declared route that a daemon made, and its forwarding entries leave
    every promise proven and every node as declared."""
    leaf, route, vtep = lab["lc1"], to_the_far_leaf(lab), lab["con_ns1"]
    other = next(one for one in lab["sc1"].addresses if one in next(i.network for i in leaf["lc1_sc1"].addresses))
    far = f"{lab['cs5']['cs5_br3'].mac} dev {vtep.vxlan.name} dst {vtep.vxlan.remote}"
    run = suite(
        "tests/overlay",
        "tests/underlay",
        *order(leaf, f"ip route add 192.0.2.0/24 via {other} proto bgp metric 20"),
        *order(leaf, f"ip route replace {route} proto bgp"),
        *order(vtep, f"bridge fdb add {far} self extern_learn"),
    )
    assert run.code == 0, run.output
    assert not run.with_verdict("failed")
    assert not run.with_verdict("errored")
    assert run.with_verdict("passed")


@pytest.mark.parametrize("by", ["another spine", "nowhere"])
def test_route_that_diverts_packets_is_the_cause(by: str, lab: Fabric, suite: Callable[..., SuiteRun]) -> None:
    """A daemon's longer prefix that leads a pair's packets off their declared way is named at its node."""
    leaf, route = lab["lc1"], to_the_far_leaf(lab)
    prefix = f"{route.prefix.network_address}/{route.prefix.prefixlen + MORE_SPECIFIC}"
    other = next(one for one in lab["sc1"].addresses if one in next(i.network for i in leaf["lc1_sc1"].addresses))
    made = f"{prefix} via {other} dev lc1_sc1" if by == "another spine" else f"unreachable {prefix}"
    checks = ("tests/underlay/test_links.py", "tests/underlay/test_state.py")
    run = suite("tests/overlay", *checks, *order(leaf, f"ip route add {made} proto bgp"))
    failed = run.with_verdict("failed")
    assert run.code == 1, run.output
    assert failed
    assert {(test["cause"]["node"], test["cause"]["kind"]) for test in failed} == {(leaf.name, "route")}
    assert all(f"{made} proto bgp" in test["message"] for test in failed)
    assert not run.with_verdict("errored")
