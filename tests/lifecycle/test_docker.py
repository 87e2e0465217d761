"""Nodes that are containers: the same promises, and nothing of the engine's or the machine's network in them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lifecycle.kit.fixtures import StartSuite
from tests.lifecycle.kit.suite import TIMEOUT_S, SuiteRun
from tests.lifecycle.kit.watch import watched_network
from topology.errors import EngineError, NotApplicable
from topology.kernels.engine import Engine
from topology.kernels.link import Completed

pytestmark = [pytest.mark.lifecycle, pytest.mark.alone]
LAB = Path(__file__).parents[1] / "self" / "data" / "vxlan.yaml"

CONFINED = r'''
import re

NET_ADMIN, NET_RAW = 12, 13  # linux/capability.h

def read(fabric, path):
    (text,) = fabric.kernel.agent.call("read_files", files=[[None, path]]).get("texts", list)
    return text

def test_node_can_do_nothing_outside_its_own_network(fabric):
    """Two capabilities, no new ones, a read-only root, and no resolver but a loopback where nothing answers."""
    for node in fabric.names:
        (pid,) = fabric.kernel.agent.run(["ip", "netns", "pids", node]).stdout.split()
        status = read(fabric, f"/proc/{pid}/status")
        for kind in ("CapPrm", "CapEff", "CapBnd"):
            held = int(re.search(rf"{kind}:\s+(\w+)", status)[1], 16)
            assert held & ~(1 << NET_ADMIN | 1 << NET_RAW) == 0, node
        assert re.search(r"NoNewPrivs:\s+1", status)
        root = next(line for line in read(fabric, f"/proc/{pid}/mountinfo").splitlines() if line.split()[4] == "/")
        assert "ro" in root.split()[5].split(",")
        resolvers = re.findall(r"(?m)^nameserver (.*)$", read(fabric, f"/proc/{pid}/root/etc/resolv.conf") or "")
        assert set(resolvers) <= {"127.0.0.1"}
'''


@pytest.fixture
def engine() -> Engine:
    """This machine's container engine; without one there is nothing to prove."""
    try:
        return Engine.of_this_machine()
    except EngineError as error:
        raise NotApplicable(str(error)) from error


@pytest.fixture
def on_machine(suite: Callable[..., SuiteRun], engine: Engine) -> Callable[..., SuiteRun]:
    """Runs the suite on containers of this machine's engine."""
    return lambda *more: suite("--runtime", "docker", "--kernel", "here", "--lab", str(LAB), *more)


def test_fabric_of_this_machines_containers_is_proven_and_leaves_nothing(
    on_machine: Callable[..., SuiteRun], engine: Engine
) -> None:
    """The whole suite passes on containers, the machine's own network sees no change, and no container is left."""
    with watched_network() as changes:
        run = on_machine("-m", "overlay", "--html")
    assert run.code == 0, run.output
    assert run.results["kernel"]["kind"] == "here"
    assert run.results["summary"]["passed"] >= 40
    assert run.left == {}
    assert changes == []
    assert engine.of_dead_owners() == []


MIXED = """
def test_nodes_are_what_the_lab_says(fabric):
    containers = {node.name for node in fabric.declared.nodes if node.runtime == "docker"}
    processes = {name: fabric.kernel.agent.run(["ip", "netns", "pids", name]).stdout.split() for name in fabric.names}
    assert {name for name, found in processes.items() if found} == containers
    assert len(containers) == CONTAINERS
"""


def mixed_lab(where: Path, role: str, runtime: str) -> Path:
    """The lab with another runtime for the nodes of one role."""
    path = where / "mixed.yaml"
    text = LAB.read_text().replace(f"{{role: {role},", f"{{role: {role}, runtime: {runtime},")
    path.write_text(re.sub(rf"(?m)^( +)role: {role}$", rf"\1role: {role}\n\1runtime: {runtime}", text))
    return path


def test_lab_of_namespaces_and_containers_is_proven_and_leaves_nothing(
    suite: Callable[..., SuiteRun], engine: Engine, tmp_path: Path
) -> None:
    """A lab whose leaves are containers and whose other nodes are namespaces passes the whole suite; none is left."""
    lab, module = mixed_lab(tmp_path, "leaf", "docker"), tmp_path / "test_mixed.py"
    module.write_text(MIXED.replace("CONTAINERS", "2"))
    on_it = ("--kernel", "here", "--lab", str(lab))
    with watched_network() as changes:
        run, made = suite("-m", "overlay", *on_it), suite("-p", "conftest", str(module), *on_it, out="made")
    assert run.code == 0, run.output
    assert made.code == 0, made.output
    assert run.results["summary"]["passed"] >= 40
    assert (run.left, made.left, changes) == ({}, {}, [])
    assert engine.of_dead_owners() == []


def test_paused_fabric_of_containers_is_entered_as_printed(
    start_suite: StartSuite, engine: Engine, typed: Callable[..., Completed]
) -> None:
    """After the first failure the printed command runs a shell in a node's network, the other one removes all."""
    broken = ("--pause-on-error", "--inject", "route-missing")
    with start_suite("tests/underlay", *broken, "--runtime", "docker", "--kernel", "here", "--lab", str(LAB)) as run:
        run.terminal.wait_end(TIMEOUT_S)
        ((node, enter),) = re.findall(r"a shell in (\S+): (.*)", run.terminal.printed)
        (end,) = re.findall(r"end it: (.*)", run.terminal.printed)
        inside = typed(enter, "ip -o link; exit 7")
        assert (inside.code, f" {node}_" in inside.stdout) == (7, True), inside.stdout
        assert typed(end).code == 0
        assert run.left() == {}
    assert engine.of_dead_owners() == []


def test_nodes_runtime_wins_over_the_runs(suite: Callable[..., SuiteRun], engine: Engine, tmp_path: Path) -> None:
    """With --runtime docker the nodes that the lab makes namespaces are no containers."""
    lab = mixed_lab(tmp_path, "customer", "netns")
    with watched_network() as changes:
        run = suite("tests/underlay", "--runtime", "docker", "--kernel", "here", "--lab", str(lab))
    assert run.code == 0, run.output
    assert (run.left, changes) == ({}, [])


def test_containers_are_confined_to_their_own_network(on_machine: Callable[..., SuiteRun], tmp_path: Path) -> None:
    """A node has no capabilities beyond those over its own network, a read-only root, and no resolver."""
    module = tmp_path / "test_confined.py"
    module.write_text(CONFINED)
    run = on_machine("-p", "conftest", str(module))
    assert run.code == 0, run.output
    assert run.left == {}


@pytest.mark.parametrize(("kernel", "words"), [("here", "{absent}"), ("host", "none that its agent can enter")])
def test_run_without_an_engine_says_what_is_missing(
    kernel: str, words: str, suite: Callable[..., SuiteRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no engine answers, or none can be entered, the run is errored and says why."""
    absent = f"unix://{tmp_path}/none.sock"
    monkeypatch.setenv("DOCKER_HOST", absent)
    run = suite("tests/underlay", "--runtime", "docker", "--kernel", kernel, "--lab", str(LAB))
    assert run.code == 6, run.output
    assert words.format(absent=absent) in run.output
