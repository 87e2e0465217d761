"""A run leaves the machine as it found it, however it ends."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from tests.lifecycle.kit.fixtures import StartSuite
from tests.lifecycle.kit.suite import SuiteRun

pytestmark = pytest.mark.lifecycle
INTERRUPTED = 2
"""pytest.ExitCode.INTERRUPTED"""
SET_UP, BUILD, TESTS = "lab: ", "kernel: ", "tests/underlay/test_links.py ."


def test_finished_run_leaves_nothing(suite: Callable[..., SuiteRun]) -> None:
    """After a run no namespace, interface, mount, process or temporary file of it is left."""
    run = suite("tests/underlay", "-k", "state")
    assert run.code == 0, run.output
    assert run.results["complete"]
    assert run.left == {}


@pytest.mark.parametrize("moment", [SET_UP, BUILD, TESTS])
def test_interrupted_run_leaves_nothing(moment: str, suite: Callable[..., SuiteRun]) -> None:
    """After Ctrl-C, be it before the kernel starts, before the build or in the tests, nothing of the run is left."""
    run = suite("tests/underlay", interrupt_at=moment)
    assert run.code == INTERRUPTED, run.output
    assert not run.results["complete"]
    assert run.left == {}


@pytest.mark.parametrize("again_at", ["", " hopcheck ="])
def test_run_that_is_interrupted_twice_leaves_nothing(again_at: str, start_suite: StartSuite) -> None:
    """A second Ctrl-C, be it while the reports are written or while the kernel is closed, leaves nothing either."""
    with start_suite("tests/underlay") as run:
        run.wait_for(TESTS)
        run.terminal.press_control_c()
        run.wait_for(again_at)
        run.terminal.press_control_c()
        done = run.finish()
    assert done.code in (INTERRUPTED, -signal.SIGINT), done.output
    assert not done.results["complete"]
    assert done.left == {}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
@pytest.mark.parametrize("moment", [SET_UP, TESTS])
def test_run_that_is_terminated_leaves_nothing(moment: str, number: signal.Signals, start_suite: StartSuite) -> None:
    """SIGTERM and SIGHUP end a run as Ctrl-C does, and its exit code tells which it was."""
    with start_suite("tests/underlay") as run:
        run.wait_for(moment)
        run.terminal.signal(number)
        done = run.finish()
    assert done.code == 128 + number, done.output
    assert not done.results["complete"]
    assert "junit.xml" in done.files
    assert done.left == {}


@pytest.mark.parametrize("moment", [SET_UP, TESTS])
def test_run_that_loses_its_terminal_leaves_nothing(moment: str, start_suite: StartSuite) -> None:
    """A lost connection ends a run, though it cannot say so any more."""
    with start_suite("tests/underlay") as run:
        run.wait_for(moment)
        run.terminal.hang_up()
        done = run.finish()
    assert done.code not in (0, -signal.SIGKILL)
    assert not done.results["complete"]
    assert done.left == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_run_with_workers_that_is_terminated_leaves_nothing(number: signal.Signals, start_suite: StartSuite) -> None:
    """With -n 2 a signal to the run ends its workers too."""
    with start_suite("tests/underlay", "-n", "2") as run:
        run.wait_for(" items]")
        run.terminal.signal(number)
        done = run.finish()
    assert done.code == (INTERRUPTED if number == signal.SIGINT else 128 + number), done.output
    assert not done.results["complete"]
    assert done.left == {}
