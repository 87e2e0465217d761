"""A run that is killed leaves nothing, whenever that happens."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.lifecycle.kit.fixtures import POINTS, SEED, StartSuite
from tests.lifecycle.kit.kills import Killing
from tests.lifecycle.kit.suite import SETTLE_S
from topology.errors import NotApplicable, SnapshotUnusable
from topology.kernels.cache import Shelf
from topology.kernels.registry import Kernel
from topology.kernels.snapshot import find_snapshot
from topology.wait import wait_for

pytestmark = pytest.mark.lifecycle
LAB = Path(__file__).parents[1] / "self" / "data" / "vxlan.yaml"
STATE_TESTS = ("tests/underlay", "-k", "state")
MARKS = ("", "lab: ", "kernel: ", "test_state.py .", "[100%]", " hopcheck =")
"""Words that divide a run: process, set-up, collection, tests, reports, tear-down."""
SAVING_MARKS = ("starting the guest", "building ", "saving ", "kernel: ")
"""Words that divide a run without a snapshot: boot, build, save, and all the rest."""
WAITING = """
from pathlib import Path

def wait(fabric):
    Path(__file__).with_name("waiting").touch()
    fabric.run(fabric.names[0], "sleep", "60")

def test_one(fabric):
    wait(fabric)

def test_other(fabric):
    wait(fabric)
"""


@dataclass(frozen=True)
class Configuration:
    """Kernel of the fabric, the arguments for it, how many runs are killed, how long the end may take to settle."""

    name: str
    arguments: tuple[str, ...] = ()
    points: int = POINTS
    settle_s: float = SETTLE_S


REAPED_S = 15.0
"""How long the reaper may take to remove what the kernel does not: containers."""
GUESTS_SAVING_POINTS = max(2, POINTS * 4 // 10)
GUESTS_POINTS = max(2, POINTS - GUESTS_SAVING_POINTS)
CONFIGURATIONS = (
    Configuration("host", ("--kernel", "host", "--lab", str(LAB))),
    Configuration("guest", points=GUESTS_POINTS),
    Configuration("docker", ("--runtime", "docker", "--kernel", "here", "--lab", str(LAB)), settle_s=REAPED_S),
)
CASES = [
    pytest.param(each, id=each.name, marks=[pytest.mark.alone] if each.name == "docker" else [])
    for each in CONFIGURATIONS
]
"""An engine's containers are seen by whoever adopts a fabric."""


@pytest.mark.soak
@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize("configuration", CASES)
def test_killed_run_leaves_nothing(configuration: Configuration, start_suite: StartSuite, kernel: Kernel) -> None:
    """Killed at any moment of set-up, test or tear-down, a run leaves nothing, and its results are not complete."""
    if configuration.name == "guest" != kernel.info.kind:
        raise NotApplicable(f"this run's kernel is {kernel.info.kind}")
    start = partial(start_suite, *STATE_TESTS, *configuration.arguments)
    killing = Killing(start, MARKS, configuration.settle_s)
    assert killing.complaints(configuration.points, SEED) == [], f"HOPCHECK_SEED={SEED} draws the same moments"


@pytest.mark.soak
@pytest.mark.usefixtures("own_cache")
def test_run_killed_while_it_saves_leaves_a_whole_snapshot_or_none(start_suite: StartSuite, kernel: Kernel) -> None:
    """Killed while the guest boots and the fabric is built and saved, a run leaves no half of a snapshot."""
    if kernel.info.kind != "guest":
        raise NotApplicable(f"the kernel {kernel.info.kind} is built anew each time; only a guest can be saved")
    start = partial(start_suite, *STATE_TESTS)
    killing = Killing(start, SAVING_MARKS, prepare=forget_snapshots, inspect=damaged_snapshots)
    assert killing.complaints(GUESTS_SAVING_POINTS, SEED) == [], f"HOPCHECK_SEED={SEED} draws the same moments"


def forget_snapshots() -> None:
    """Remove every snapshot."""
    shelf = Shelf("snapshots")
    with shelf.locked():
        shelf.keep_newest(0)


def damaged_snapshots() -> list[str]:
    """Name the damaged snapshots."""
    found = []
    for path in Shelf("snapshots").path.glob("[!.]*"):
        try:
            find_snapshot(path.name)
        except SnapshotUnusable as error:
            found.append(str(error))
    return found


def test_killed_run_with_busy_workers_leaves_nothing(start_suite: StartSuite, tmp_path: Path) -> None:
    """Killed while its workers wait for something in their fabrics, a run takes them along at once."""
    module = tmp_path / "test_module.py"
    module.write_text(WAITING)
    with start_suite("-n", "2", "-p", "conftest", str(module)) as run:
        wait_for((tmp_path / "waiting").exists, 60, "a worker that waits")
        run.terminal.signal(signal.SIGKILL)
        done = run.finish()
    assert done.left == {}
    assert not done.results["complete"]


@pytest.mark.parametrize("moment", ["kernel: ", "test_state.py ."])
def test_killed_run_keeps_nothing(moment: str, start_suite: StartSuite) -> None:
    """A run killed before it prints how to end a kept fabric leaves none."""
    with start_suite(*STATE_TESTS, "--keep") as run:
        run.wait_for(moment)
        run.terminal.signal(signal.SIGKILL)
        assert run.finish().left == {}
