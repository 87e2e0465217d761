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


def test_two_workers_come_to_the_results_of_one(suite: Callable[..., SuiteRun], lab: Fabric) -> None:
    """With -n 2 every verdict is that of a serial run, in the same order, with the kernel named and nothing left.

    What --break does to the fabric it does to each worker's.
    """
    link = lab.links[0]
    order = ("--break", f"{link.a.node}:ip link set dev {link.a.interface} down")
    serial, parallel = (suite("tests/underlay", *order, *more, out=more[0]) for more in (("-n0",), ("-n2",)))
    assert (serial.code, parallel.code) == (1, 1), parallel.output
    assert outcome(parallel) == outcome(serial)
    assert {verdict for _, verdict in outcome(serial)} >= {"passed", "failed"}
    assert len(outcome(serial)) > 10
    assert parallel.results["complete"]
    assert parallel.results["kernel"]["kind"] == serial.results["kernel"]["kind"]
    assert {"capture.pcapng", "results.json", "junit.xml"} <= parallel.files
    assert parallel.files == serial.files
    assert (serial.left, parallel.left) == ({}, {})
