"""Several workers, each with a fabric of its own, come to the results of one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lifecycle.kit.suite import SuiteRun
from topology.model import Fabric

pytestmark = pytest.mark.lifecycle


def outcome(run: SuiteRun) -> list[tuple[str, str]]:
    """Each test's verdict, in the order of the results."""
    return [(test["id"], test["verdict"]) for test in run.results["tests"]]


def test_two_workers_come_to_the_results_of_one(suite: Callable[..., SuiteRun]) -> None:
    """With -n 2 every verdict is that of a serial run, in the same order, with the kernel named, nothing left."""
    serial, parallel = suite("tests/underlay", out="serial"), suite("tests/underlay", "-n", "2", out="parallel")
    assert (serial.code, parallel.code) == (0, 0), parallel.output
    assert outcome(parallel) == outcome(serial)
    assert len(outcome(serial)) > 10
    assert parallel.results["complete"]
    assert parallel.results["kernel"]["kind"] == serial.results["kernel"]["kind"]
    assert {"capture.pcapng", "results.json", "junit.xml"} <= parallel.files
    assert parallel.files == serial.files
    assert parallel.left == {}


def test_broken_fabric_is_broken_in_every_worker(suite: Callable[..., SuiteRun], lab: Fabric) -> None:
    """--break breaks each worker's fabric as the only one, and the verdicts are those of a serial run."""
    link = lab.links[0]
    order = ("--break", f"{link.a.node}:ip link set dev {link.a.interface} down")
    serial, parallel = (
        suite("tests/underlay", *order, out="serial"),
        suite("tests/underlay", "-n", "2", *order, out="two"),
    )
    assert outcome(parallel) == outcome(serial)
    assert (serial.code, parallel.code) == (1, 1)
