"""Forged packets of Ethernet in GRE are noticed and located, on copies of the fabric that accept them."""

from __future__ import annotations

import pytest

from fixtures.checks import CheckBook
from fixtures.instruments.live import LiveFabric
from reports.checks.forgery import TREATED
from topology.isolation.forgery import Target, forgeries

pytestmark = pytest.mark.faults
LEAK = "leak0"


@pytest.mark.parametrize("kind", ["undeclared-vni", "foreign-source"])
def test_gretap_device_that_takes_a_forged_packet_is_noticed(
    gretap_target: Target, pristine: LiveFabric, kind: str
) -> None:
    """A device too many takes packets under a key or of a sender that nobody declares; their frame's place is named."""
    vtep = gretap_target.vtep
    forged = next(one for one in forgeries(pristine.declared, gretap_target.attack_paths[0]) if one.kind == kind)
    key = dict(forged.sent.identity)["key"]
    keyed = "" if key is None else f"key {key}"
    bridge = pristine.declared[vtep.node].bridge_of(vtep.name)
    assert bridge
    made = f"ip link add name {LEAK} type gretap local {vtep.local} remote {forged.source} {keyed}"
    done = pristine.run(vtep.node, "sh", "-ec", f"{made}; ip link set dev {LEAK} master {bridge.name} up")
    assert done.code == 0, done.stderr
    finding = CheckBook(pristine).judged(TREATED, gretap_target, kind)
    assert not finding
    assert finding.message.startswith(f"{gretap_target} - GRETAP from ")
    assert f"expected refused - seen its frame at {vtep.node}:" in finding.message
    assert f"{vtep.node}:{LEAK}" in finding.message
