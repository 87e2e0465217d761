"""A part of a run dies: the run reports it, and leaves nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.lifecycle.kit.fixtures import StartSuite
from topology.kernels.registry import Kernel

pytestmark = pytest.mark.lifecycle
LAB = Path(__file__).parents[1] / "self" / "data" / "vxlan.yaml"
ERRORED = 6
CARRIER = {"guest": "qemu-system-x86_64", "host": "-I -S -c"}
"""A word in the command line of what carries the fabric: QEMU, the agent."""


def test_dead_worker_is_reported_and_replaced(start_suite: StartSuite) -> None:
    """A worker that dies costs the test that it ran, which is errored; all others are run, and nothing is left."""
    with start_suite("tests/underlay", "-n", "2", "--kernel", "host", "--lab", str(LAB)) as run:
        run.wait_for(" items]")
        run.kill_one("exec(eval(", child=True)
        done = run.finish()
    collected = re.search(r"\[(\d+) items\]", done.output)
    assert collected
    assert done.results["complete"]
    assert len(done.results["tests"]) == int(collected[1])
    assert len(done.with_verdict("errored")) == 1, f"{done.output}\n{done.with_verdict('errored')}"
    (errored,) = done.with_verdict("errored")
    assert "crashed while running" in errored["message"]
    assert len(done.with_verdict("passed")) == int(collected[1]) - 1, done.output
    assert done.code == ERRORED
    assert done.left == {}


def test_dead_kernel_is_reported(start_suite: StartSuite, kernel: Kernel) -> None:
    """When what carries the fabric dies, one test is errored and later ones are not proven, with that cause."""
    with start_suite("tests/underlay") as run:
        run.wait_for("tests/underlay/test_links.py .")
        run.kill_one(CARRIER[kernel.info.kind])
        done = run.finish()
    assert len(done.with_verdict("errored")) == 1, done.output
    assert done.with_verdict("failed") == []
    assert len(done.with_verdict("not proven")) > 5
    assert {"errored", "broke"} & set(re.findall(r"\w+", done.with_verdict("not proven")[-1]["message"]))
    assert done.code == ERRORED
    assert done.left == {}
