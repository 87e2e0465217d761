"""Two virtual machines with a wire between them, also when one of them dies during a run of iperf3."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.instruments.cores import VCPU, threads_of
from fixtures.instruments.customers import pair_for_vms, vm_customers
from fixtures.instruments.iperf import Iperf, Load
from fixtures.instruments.live import LiveFabric
from fixtures.instruments.stage import VM_PATH, wire
from fixtures.instruments.vms import NODE, Vm, joined_vms
from reports.perf.cores import Pinning
from tests.lifecycle.kit.fixtures import StartSuite
from tests.lifecycle.kit.host_fabric import host_fabric
from topology.errors import AgentLost, NotApplicable
from topology.formats.lab import load_lab
from topology.kernels.qemu import PROCESSORS
from topology.kernels.registry import Kernel
from topology.wait import wait_for

pytestmark = pytest.mark.lifecycle
LONG = Load("udp", 800, count=10_000, bits_per_second=1_000_000)
WORK_S = 1.0
"""So much of a processor's time a machine has taken when iperf3 runs in it for certain: starting it takes a third."""
ERRORED = 6
UTIME = 11
"""Where a process's times are in /proc/PID/stat behind its name: utime, then stime (proc(5))."""


def must_be_a_machine(kernel: Kernel) -> None:
    """Raise NotApplicable for a run whose kernel is none that QEMU can carry."""
    if kernel.info.kind != "guest":
        raise NotApplicable(f"this run's kernel is {kernel.info.kind}")


@pytest.fixture
def machines(kernel: Kernel) -> Iterator[tuple[Vm, Vm]]:
    """Two joined machines, for runs whose kernel is one."""
    must_be_a_machine(kernel)
    with joined_vms(lambda _: None) as made:
        yield made


def busy_s(vm: Vm) -> float:
    """The processor's time that a machine's QEMU has taken."""
    words = Path(f"/proc/{vm.kernel.qemu.process.pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, words[UTIME : UTIME + 2])) / os.sysconf("SC_CLK_TCK")


def kill_during_work(vm: Vm) -> threading.Thread:
    """Kill a machine as soon as it has worked for some time from now on."""
    start = busy_s(vm)

    def kill() -> None:
        wait_for(lambda: busy_s(vm) > start + WORK_S, 30, "a machine at work")
        vm.kernel.qemu.process.kill()

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


@pytest.mark.parametrize("victim", [0, 1], ids=["client", "server"])
def test_machine_that_dies_during_a_run_is_the_reason(machines: tuple[Vm, Vm], victim: int) -> None:
    """Whichever end's machine is killed, that is told at once, and no iperf3 runs on in the other."""
    client, server = machines
    thread = kill_during_work(machines[victim])
    with pytest.raises(AgentLost, match="QEMU ended with code -9"):
        Iperf(client.kernel.agent, server_agent=server.kernel.agent).run(NODE, NODE, server.address, LONG)
    thread.join()
    survivor = machines[1 - victim]
    assert survivor.kernel.agent.run(["sh", "-c", "cat /proc/[0-9]*/comm"]).stdout.count("iperf3") == 0


def test_machines_that_die_while_measuring_make_the_test_errored(start_suite: StartSuite, kernel: Kernel) -> None:
    """A run of the suite tells the reason, and leaves no QEMU and nothing else."""
    must_be_a_machine(kernel)
    with start_suite("-m", "perf", "-k", "virtual_machines_are_compared", "--sizes=400,800") as run:
        # The other end of the comparison has its turn when the machines have had theirs: rounds are under way.
        wait_for(lambda: any("iperf3 -s" in one.command for one in run.processes()), 120, "iperf3 on this machine")
        for _ in [one for one in run.processes() if one.command.startswith("qemu-system")]:
            run.kill_one("qemu-system", child=True)
        done = run.finish()
    (errored,) = done.with_verdict("errored")
    assert "QEMU ended with code -9" in errored["message"]
    assert done.code == ERRORED
    assert done.left == {}


def check_kept_to_cores(machines: tuple[Vm, Vm]) -> None:
    """Have each machine keep to a core: its processors are on it, and nothing else of it is moved there."""
    allowed = os.sched_getaffinity(0)
    first, last = min(allowed), max(allowed)
    wire(machines).keep_to(Pinning(frozenset({first}), frozenset({last}), frozenset({first, last})))
    for vm, cpu in zip(machines, (first, last), strict=True):
        kept = {thread.name: os.sched_getaffinity(thread.tid) for thread in threads_of(vm.kernel.process)}
        processors = [cpus for name, cpus in kept.items() if name.startswith(VCPU)]
        assert processors == [{cpu}] * PROCESSORS[vm.kernel.info.accelerator]
        assert kept["qemu-system-x86"] == allowed


@pytest.fixture
def overlay(kernel: Kernel) -> Iterator[LiveFabric]:
    """A fabric with customers behind VXLAN on this machine's kernel, in a sandbox of its own."""
    must_be_a_machine(kernel)
    with host_fabric(load_lab("vxlan-only")) as live:
        yield live


def test_machines_are_customers_of_a_fabric(overlay: LiveFabric) -> None:
    """Two machines in the places of customers send through the overlay as declared, hop by hop, and iperf3 runs."""
    pair = pair_for_vms(overlay.declared)
    assert pair is not None
    assert pair.kind == "l2-overlay"
    with vm_customers(overlay, pair, lambda _: None) as customers:
        trip = customers.trip()
        assert trip.as_declared
        assert "vxlan" in {h.layer for s in trip.out.journey.sightings for h in s.headers.headers}
        client, server = customers.place.paths[VM_PATH]
        iperf = Iperf(client.agent, server_agent=server.agent)
        assert iperf.run(client.node, server.node, server.address, Load("udp", 800, count=200)).arrived


def test_machines_reach_each_other_and_nothing_else(kernel: Kernel) -> None:
    """Each has a kernel, a MAC, an address and a core of its own, the other answers, and there is no way out."""
    must_be_a_machine(kernel)
    with joined_vms(lambda _: None) as (one, other):
        boots = {vm.kernel.agent.run(["cat", "/proc/sys/kernel/random/uuid"]).stdout for vm in (one, other)}
        assert len(boots) == 2
        for vm, peer in ((one, other), (other, one)):
            reached = vm.kernel.agent.run(["ping", "-c", "1", "-W", "5", peer.address], ns=NODE)
            assert reached.code == 0, reached.stdout
            routes = vm.kernel.agent.run(["ip", "route"], ns=NODE).stdout.splitlines()
            assert [route.split()[:3] for route in routes] == [["10.99.0.0/24", "dev", "eth0"]]
        check_kept_to_cores((one, other))
        neighbours = one.kernel.agent.run(["ip", "neigh"], ns=NODE).stdout
        assert f"{other.address} dev eth0 lladdr 02:00:00:00:63:02" in neighbours
    assert one.kernel.qemu.process.poll() is not None
    assert other.kernel.qemu.process.poll() is not None
