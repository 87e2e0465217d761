"""Forged Geneve packets are noticed and located, on copies of the fabric that accept them."""

from __future__ import annotations

import pytest

from fixtures.checks import CheckBook
from fixtures.instruments.live import LiveFabric
from reports.checks.forgery import TREATED
from topology.isolation.forgery import ForgeryKind, Target
from topology.model import Geneve

pytestmark = pytest.mark.faults
LEAK = "leak0"


def take_all(fabric: LiveFabric, target: Target) -> None:
    """Put a device that takes any VNI, source and option in the place of those that share the target's port.

    A device with metadata of its own (``external``) and others cannot share a port (``geneve_configure``).
    """
    node, port = fabric[target.vtep.node], dict(target.vtep.identity)["port"]
    bridge = node.bridge_of(target.vtep.name)
    assert bridge
    gone = "; ".join(f"ip link del dev {known.name}" for known in node.all(Geneve) if known.port == port)
    made = (
        f"ip link add name {LEAK} type geneve external dstport {port}; ip link set dev {LEAK} master {bridge.name} up"
    )
    done = fabric.run(node.name, "sh", "-ec", f"{gone}; {made}")
    assert done.code == 0, done.stderr


@pytest.mark.parametrize("kind", ["undeclared-vni", "foreign-source", "critical-option"])
def test_geneve_that_takes_everything_is_noticed(
    geneve_target: Target, pristine: LiveFabric, kind: ForgeryKind
) -> None:
    """A device that takes any VNI and option from any source is named for each of these, with what was forged."""
    take_all(pristine, geneve_target)
    finding = CheckBook(pristine).judged(TREATED, geneve_target, kind)
    assert not finding
    assert finding.message.startswith(f"{geneve_target} - Geneve from ")
    assert "expected refused - seen its frame at " in finding.message
    assert f"{geneve_target.vtep.node}:{LEAK}" in finding.message


def test_other_tenants_device_for_the_same_peer_is_noticed(
    others_geneve: tuple[Target, Geneve], pristine: LiveFabric
) -> None:
    """Another tenant's VNI that a node takes of this tenant's peer, too, brings the peer's frames into that tenant."""
    target, other = others_geneve
    node = target.vtep.node
    ends = f"id {other.vni} remote {target.vtep.remote} dstport {other.port}"
    made = f"ip link add name {LEAK} type geneve {ends}; ip link set dev {LEAK} up"
    done = pristine.run(node, "sh", "-ec", made)
    assert done.code == 0, done.stderr
    finding = CheckBook(pristine).judged(TREATED, target, "other-vni")
    assert not finding
    assert f"with VNI {other.vni} sent by " in finding.message
    assert f"seen its frame at {node}:{LEAK}" in finding.message
