"""A run leaves the machine as it found it, however it ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fixtures.instruments.suite import SuiteRun

pytestmark = pytest.mark.lifecycle
INTERRUPTED = 2
"""pytest.ExitCode.INTERRUPTED"""


def test_finished_run_leaves_nothing(suite: Callable[..., SuiteRun]) -> None:
    """After a run no namespace, interface, mount, process or temporary file of it is left."""
    run = suite("tests/underlay", "-k", "state")
    assert run.code == 0, run.output
    assert run.results["complete"]
    assert run.left == {}


@pytest.mark.parametrize("moment", ["lab: ", "kernel: ", "tests/underlay/test_links.py ."])
def test_interrupted_run_leaves_nothing(moment: str, suite: Callable[..., SuiteRun]) -> None:
    """After Ctrl-C, be it before the kernel starts, before the build or amid the tests, nothing of the run is left."""
    run = suite("tests/underlay", interrupt_at=moment)
    assert run.code == INTERRUPTED, run.output
    assert not run.results["complete"]
    assert run.left == {}
