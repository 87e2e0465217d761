"""A run leaves the machine as it found it, however it ends."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from tests.lifecycle.kit.fixtures import StartSuite
from tests.lifecycle.kit.suite import RunningSuite

pytestmark = pytest.mark.lifecycle
INTERRUPTED = 2
"""pytest.ExitCode.INTERRUPTED"""
SET_UP, BUILD, TESTS = "lab: ", "kernel: ", "tests/underlay/test_links.py ."
Act = Callable[[RunningSuite], object]


def signalled(number: signal.Signals) -> Act:
    """Send the run a signal."""
    return lambda run: run.terminal.signal(number)


def control_c(run: RunningSuite) -> None:
    """Press Ctrl-C in the run's terminal."""
    run.terminal.press_control_c()


def hang_up(run: RunningSuite) -> None:
    """Take the run's terminal away."""
    run.terminal.hang_up()


def control_c_twice(again_at: str) -> Act:
    """Press Ctrl-C, and once more when these words are printed."""

    def act(run: RunningSuite) -> None:
        control_c(run)
        run.wait_for(again_at)
        control_c(run)

    return act


WORKERS = ("-n", "2")
CASES: dict[str, tuple[str, Act, tuple[str, ...], set[int]]] = {
    "interrupted in set-up": (SET_UP, control_c, (), {INTERRUPTED}),
    "interrupted in the build": (BUILD, control_c, (), {INTERRUPTED}),
    "interrupted twice at once": (TESTS, control_c_twice(""), (), {INTERRUPTED, -signal.SIGINT}),
    "interrupted twice, in the reports": (TESTS, control_c_twice(" hopcheck ="), (), {INTERRUPTED, -signal.SIGINT}),
    "terminated": (TESTS, signalled(signal.SIGTERM), (), {128 + signal.SIGTERM}),
    "hung up in set-up": (SET_UP, signalled(signal.SIGHUP), (), {128 + signal.SIGHUP}),
    "without a terminal": (TESTS, hang_up, (), {1, 128 + signal.SIGHUP}),
    "workers terminated": (" items]", signalled(signal.SIGTERM), WORKERS, {128 + signal.SIGTERM}),
    "workers interrupted": (" items]", signalled(signal.SIGINT), WORKERS, {INTERRUPTED}),
}
"""When something is done to a run, what, the run's further arguments, and the exit codes expected."""


@pytest.mark.parametrize(("moment", "act", "arguments", "codes"), CASES.values(), ids=CASES)
def test_ended_run_leaves_nothing(
    moment: str, act: Act, arguments: tuple[str, ...], codes: set[int], start_suite: StartSuite
) -> None:
    """However a run is ended, no namespace, interface, mount, process or temporary file of it is left."""
    with start_suite("tests/underlay", *arguments) as run:
        run.wait_for(moment)
        act(run)
        done = run.finish()
    assert done.code in codes, done.output
    assert not done.results["complete"]
    assert "junit.xml" in done.files or -done.code == signal.SIGINT
    assert done.left == {}
