"""Two virtual machines with a wire between them."""

from __future__ import annotations

import pytest

from fixtures.instruments.vms import NODE, joined_vms
from topology.errors import NotApplicable
from topology.kernels.registry import Kernel

pytestmark = pytest.mark.lifecycle


def test_machines_reach_each_other_and_nothing_else(kernel: Kernel) -> None:
    """Each has a kernel, a MAC and an address of its own, the other answers, and there is no way out."""
    if kernel.info.kind != "guest":
        raise NotApplicable(f"this run's kernel is {kernel.info.kind}")
    with joined_vms(lambda _: None) as (one, other):
        boots = {vm.kernel.agent.run(["cat", "/proc/sys/kernel/random/uuid"]).stdout for vm in (one, other)}
        assert len(boots) == 2
        for vm, peer in ((one, other), (other, one)):
            reached = vm.kernel.agent.run(["ping", "-c", "1", "-W", "5", peer.address], ns=NODE)
            assert reached.code == 0, reached.stdout
            routes = vm.kernel.agent.run(["ip", "route"], ns=NODE).stdout.splitlines()
            assert [route.split()[:3] for route in routes] == [["10.99.0.0/24", "dev", "eth0"]]
        neighbours = one.kernel.agent.run(["ip", "neigh"], ns=NODE).stdout
        assert f"{other.address} dev eth0 lladdr 02:00:00:00:63:02" in neighbours
    assert one.kernel.qemu.process.poll() is not None
    assert other.kernel.qemu.process.poll() is not None
