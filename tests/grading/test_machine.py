"""A submission runs in a machine of its own, is found there, and is judged for what stands."""

from __future__ import annotations

import pytest

from fixtures.instruments.grading.machine import StudentMachine
from fixtures.instruments.spot import Spotter
from tests.grading.kit import ATTEMPTS, LIMITS_MET, NAMESPACES, PAIR, packed
from topology.formats.pairs_files import load_pairs_text
from topology.wait import wait_for

pytestmark = [pytest.mark.grading, pytest.mark.alone]
BUILD_S = 180.0


def test_fabric_of_namespaces_is_built_found_and_proven(machine: StudentMachine) -> None:
    """The pair is carried as promised; built anew with a mistake, the new fabric is judged and the mistake named."""
    pairs = load_pairs_text(PAIR)
    machine.deliver(packed({"build.sh": NAMESPACES, "clean.sh": "#!/bin/sh\nip -all netns del\n"}))
    build = machine.run("./build.sh", BUILD_S)
    assert (build.exit, build.ended) == (0, "exited"), build
    assert {name for one in machine.nodes() for name in one.names} == {"host", "c1", "l1", "s1", "l2", "c2"}
    with machine.fabric(pairs) as fabric:
        trip = Spotter(fabric).pair(pairs.pairs[0])
        assert trip.arrived, trip.causes
        assert trip.carried_as("l2-overlay")
    again = machine.run("./clean.sh && ./build.sh && ip -n l2 link set dev vx nomaster", BUILD_S)
    assert again.exit == 0, again
    with machine.fabric(pairs) as fabric:
        lost = Spotter(fabric).pair(pairs.pairs[0])
        assert not lost.arrived
        first, *_ = lost.causes
        assert (first.node, first.interface) == ("l2", "vx"), lost.causes


def test_build_beyond_a_limit_ends_there_and_what_stands_is_judged(machine: StudentMachine) -> None:
    """A fork bomb, endless output, an endless build and a memory hog each end at their limit; the pair is proven."""
    pairs = load_pairs_text(PAIR)
    machine.deliver(packed({"build.sh": NAMESPACES}))
    assert machine.run("./build.sh", BUILD_S).exit == 0
    for limit, (command, deadline_s) in LIMITS_MET.items():
        ran = machine.run(command, deadline_s, output_max=1 << 20)
        assert (ran.ended, ran.exit) == (limit, None), ran
    with machine.fabric(pairs) as fabric:
        assert Spotter(fabric).pair(pairs.pairs[0]).carried_as("l2-overlay")


def test_nothing_of_the_guest_is_within_reach(machine: StudentMachine) -> None:
    """The clock, a reboot, settings, modules, devices and the agent are out of reach of the machine's root."""
    before = machine.kernel.agent.call("clock").get("time_ns", int)
    reached = [name for name, command in ATTEMPTS.items() if machine.run(command, 30.0).exit == 0]
    assert reached == []
    passed_s = (machine.kernel.agent.call("clock").get("time_ns", int) - before) / 1e9
    assert 0 < passed_s < 600


def test_nothing_runs_while_rows_are_proven(machine: StudentMachine) -> None:
    """A process that a build has left behind stands still, and goes on afterwards."""
    loop = "while :; do date +%s%N > /root/t; sleep 0.1; done"
    assert machine.run(f"sh -c '{loop}' > /dev/null 2>&1 &", 30.0).exit == 0
    path = f"/proc/{machine.kernel.init}/root/root/t"

    def written() -> str:
        return str(machine.kernel.agent.call("read_files", files=[[None, path]]).get("texts", list)[0])

    wait_for(lambda: written().strip().isdecimal(), 20.0, "the process to write")
    with machine.frozen():
        before = written()
        machine.kernel.agent.run(["sleep", "1"])
        assert written() == before
    wait_for(lambda: written() not in (before, ""), 20.0, "the process to go on")


DOCKER = """
import docker
engine = docker.from_env()
network = engine.networks.create("cable")
for name in ("CS1", "CS2"):
    engine.containers.run("ubuntu", name=name, detach=True, tty=True, privileged=True, network="cable")
"""


def test_fabric_of_containers_is_found_by_name(engine_machine: StudentMachine) -> None:
    """Containers of the machine's engine are nodes of their names, and the engine's bridge is one of its first."""
    machine = engine_machine
    machine.deliver(packed({"build.py": DOCKER}))
    build = machine.run("python3 build.py", BUILD_S)
    assert (build.exit, build.ended) == (0, "exited"), build
    names = {name for one in machine.nodes() for name in one.names}
    assert {"host", "CS1", "CS2"} <= names
    pairs = load_pairs_text("pairs: [{source: CS1, target: CS2, kind: bridge}]")
    with machine.fabric(pairs) as fabric:
        trip = Spotter(fabric).pair(pairs.pairs[0])
        assert trip.arrived, trip.causes
        assert trip.carried_as("bridge")
        assert {seen.node for seen in trip.out.sightings} == {"CS1", "host", "CS2"}
