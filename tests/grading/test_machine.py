"""A submission runs in a machine of its own, is found there, and is judged for what stands."""

from __future__ import annotations

import pytest

from fixtures.instruments.grading.machine import StudentMachine
from fixtures.instruments.spot import Spotter
from tests.grading.kit import BUILD_S, PAIR, packed
from tests.grading.known import ALWAYS, files
from topology.formats.pairs_files import load_pairs_text
from topology.wait import wait_for

pytestmark = [pytest.mark.grading, pytest.mark.alone]


def test_fabric_of_namespaces_is_built_found_and_proven(machine: StudentMachine) -> None:
    """The pair is carried as promised; built anew with a mistake, the new fabric is judged and the mistake named."""
    pairs = load_pairs_text(PAIR)
    machine.deliver(packed({**files(ALWAYS), "rows.csv": "A1X,B1X,VXLAN\n"}))
    build = machine.run("./build.sh rows.csv", BUILD_S)
    assert (build.exit, build.ended) == (0, "exited"), build
    assert {name for one in machine.nodes() for name in one.names} == {"host", "A1X", "l1", "s1", "l2", "B1X"}
    with machine.fabric(pairs) as fabric:
        trip = Spotter(fabric).pair(pairs.pairs[0])
        assert trip.arrived, trip.causes
        assert trip.carried_as("l2-overlay")
    again = machine.run("ip -all netns del && ./build.sh rows.csv && ip -n l2 link set dev vx1 nomaster", BUILD_S)
    assert again.exit == 0, again
    with machine.fabric(pairs) as fabric:
        lost = Spotter(fabric).pair(pairs.pairs[0])
        assert not lost.arrived
        first, *_ = lost.causes
        assert (first.node, first.interface) == ("l2", "vx1"), lost.causes


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
