"""The suite itself, run on a broken fabric: it fails, and its message names the guilty node."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lifecycle.kit.suite import SuiteRun
from topology.model import Fabric

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("ece792")]

VXLAN_ANEW = (
    "ip link del dev {name} && ip link add name {name} address {mac} mtu {mtu} type vxlan id {vni} local {local} "
    "remote {remote} dev {dev} dstport {port} && ip link set dev {name} master {bridge} up"
)


def other_vni(lab: Fabric) -> str:
    """The command that gives con_ns3's VTEP another VNI."""
    node = lab["con_ns3"]
    vxlan = node.vxlan
    bridge = node.bridge_of(vxlan.name)
    assert bridge
    known = {"name": vxlan.name, "mac": vxlan.mac, "mtu": vxlan.mtu, "vni": vxlan.vni + 1, "local": vxlan.local}
    return VXLAN_ANEW.format(**known, remote=vxlan.remote, dev=vxlan.dev, port=vxlan.port, bridge=bridge.name)


BREAKS: dict[str, tuple[str, str, Callable[[Fabric], str]]] = {
    "missing-route": ("lc2", "route", lambda lab: f"ip route del {lab['lc1']['lc1_br1'].addresses[0].network}"),
    "other-vni": ("con_ns3", "vxlan", other_vni),
    "link-down": ("lc1", "link", lambda lab: f"ip link set dev {lab['lc1']['lc1_sc2'].name} down"),
}


def test_narrow_link_fails_the_sizes_and_the_node_is_named(lab: Fabric, suite: Callable[..., SuiteRun]) -> None:
    """A leaf's link that is narrower than its tunnel fails what is promised of sizes; every failure names the leaf."""
    port = lab["lc1"]["lc1_sc2"].name
    narrow = ("--break", f"lc1:ip link set dev {port} mtu 1400")
    run = suite("tests/mtu/test_pairs.py", "-k", "cs1-cs5 and (whole or payloads)", *narrow)
    failed = run.with_verdict("failed")
    assert run.code == 1, run.output
    assert len(failed) == 4
    assert {(test["cause"]["node"], test["cause"]["interface"], test["cause"]["kind"]) for test in failed} == {
        ("lc1", port, "mtu")
    }
    assert all(f"cause: lc1 - {port} - mtu - expected 1500 - seen 1400" in test["message"] for test in failed)
    assert not run.with_verdict("errored")
    (entry, _) = run.results["sizes"]
    assert (entry["whole"], entry["computed"]) == (1326, 1426)


@pytest.mark.parametrize("name", BREAKS)
def test_broken_fabric_fails_and_the_node_is_named(name: str, lab: Fabric, suite: Callable[..., SuiteRun]) -> None:
    """A route deleted, a VNI changed or a link taken down fails the run, and every failure names the guilty node."""
    node, kind, command = BREAKS[name]
    run = suite("tests/overlay", "tests/underlay", "--break", f"{node}:{command(lab)}")
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
