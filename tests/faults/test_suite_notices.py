"""The suite itself, run on a broken fabric: it fails, and its message names the guilty node."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lifecycle.kit.suite import SuiteRun
from topology.model import Fabric

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("ece792")]

INJECTED = {
    "route-missing@lc2:21.0.0.0/24": ("lc2", "route"),
    "vxlan-vni@con_ns3:vxlan-cont": ("con_ns3", "vxlan"),
    "link-down@lc1:lc1_sc2": ("lc1", "link"),
}
"""Faults of the catalogue, with the node and the kind of cause that every failure names."""


def test_narrow_link_fails_the_sizes_and_the_node_is_named(lab: Fabric, suite: Callable[..., SuiteRun]) -> None:
    """A leaf's link that is narrower than its tunnel fails what is promised of sizes; every failure names the leaf."""
    port = lab["lc1"]["lc1_sc2"].name
    narrow = f"mtu-low@lc1:{port}"
    run = suite("tests/mtu/test_pairs.py", "-k", "cs1-cs5 and (whole or payloads)", "--inject", narrow)
    failed = run.with_verdict("failed")
    assert run.code == 1, run.output
    assert len(failed) == 4
    assert {(test["cause"]["node"], test["cause"]["interface"], test["cause"]["kind"]) for test in failed} == {
        ("lc1", port, "mtu")
    }
    assert all(f"cause: lc1 - {port} - mtu - expected 1500 - seen 1450" in test["message"] for test in failed)
    assert not run.with_verdict("errored")
    (entry, _) = run.results["sizes"]
    assert (entry["whole"], entry["computed"]) == (1376, 1426)


@pytest.mark.parametrize("fault", INJECTED)
def test_broken_fabric_fails_and_the_node_is_named(fault: str, suite: Callable[..., SuiteRun]) -> None:
    """A route deleted, a VNI changed or a link taken down fails the run, and every failure names the guilty node."""
    node, kind = INJECTED[fault]
    run = suite("tests/overlay", "tests/underlay", "--inject", fault)
    failed = run.with_verdict("failed")
    assert run.code == 1, run.output
    assert failed
    assert {(test["cause"]["node"], test["cause"]["kind"]) for test in failed} == {(node, kind)}
    assert all(node in test["message"] for test in failed)
    assert not run.with_verdict("errored")


def test_tenants_tunnel_fails_that_tenant_alone(lab: Fabric, suite: Callable[..., SuiteRun], tmp_path: Path) -> None:
    """A tunnel with another key fails its own row and no other, names the leaf, and leaves the lab's pairs alone."""
    tenants = tmp_path / "tenants.csv"
    tenants.write_text("a,b,GRE\nc,d,GRE\na,c,Bridge\n")
    rekeyed = "lc2: ip link set dev gretun-row2 type gre key 77"
    run = suite("tests/overlay", "tests/tenants", "--lab", lab.file, "--tenants", str(tenants), "--break", rekeyed)
    failed = run.with_verdict("failed")
    assert run.code == 1, run.output
    assert failed
    assert all("c-d-l3-overlay-row2" in test["id"] for test in failed)
    assert {(test["cause"]["node"], test["cause"]["kind"]) for test in failed} == {("lc2", "gre")}
    assert not run.with_verdict("errored")
