"""Recorded durations through Dask's real scheduler: nobody waits while there is something to do."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import pytest

pytest.importorskip("distributed", reason="no dask.distributed in .venv: .ci/setup cluster")

import dask
from distributed import Client, LocalCluster

from fixtures.cluster.cluster import Cluster
from fixtures.cluster.start import HERE_ALONE, SETTINGS
from fixtures.cluster.task import Task
from tests.lifecycle.kit.fixtures import POINTS, SEED
from tests.lifecycle.kit.resting import losing, rest

pytestmark = [pytest.mark.lifecycle, pytest.mark.alone, pytest.mark.soak]
EACH = 8
"""Tasks for each worker."""
MIDDLE_S, SPREAD = 0.5, 0.5
"""The durations' median, a hundredth of a submission's, and the deviation of their logarithm."""
EMPTY = 200
"""Tasks that take no time, by which the scheduler's own is measured."""


@contextmanager
def cluster(workers: int) -> Iterator[Cluster]:
    """Workers that are threads; for one that is lost another is started."""
    options = {"threads_per_worker": 1, "processes": False, "protocol": "tcp://", "memory_limit": 0}
    with (
        dask.config.set(SETTINGS | {"distributed.deploy.lost-worker-timeout": "10ms"}),
        LocalCluster(n_workers=workers, **options, silence_logs=50, **HERE_ALONE) as made,
        Client(made) as client,
    ):
        found = Cluster(client, lambda _: made.scale(workers), rest)
        yield found
        found.close()


def durations(count: int) -> list[float]:
    """Seconds of tasks, skewed, with 5 % that take four times as long."""
    draws = random.Random(f"{SEED} {count}")
    return [draws.lognormvariate(0, SPREAD) * MIDDLE_S * (4 if place % 20 == 0 else 1) for place in range(count)]


def resting(seconds: list[float]) -> list[Task]:
    """A task for each."""
    return [Task(f"rest-{at}", f"{at}", "", f"{at} {one}".encode(), 60, one) for at, one in enumerate(seconds)]


@pytest.mark.parametrize("workers", [1, 4, 16, 64] if POINTS >= 20 else [1, 4, 16])
def test_makespan_is_that_of_work_and_the_longest_task(workers: int) -> None:
    """At most 1.05 times the share of the work and the longest task, where 2 % lose their worker half-way.

    Durations are a hundredth of real ones, the scheduler's own time for a task is not: it is measured, and allowed for.
    """
    tasks = resting(durations(EACH * workers))
    lost = tasks[7::50] if workers > 1 else []
    losing.update(task.name for task in lost)
    seconds = [task.seconds or 0 for task in (*tasks, *lost)]
    with cluster(workers) as found:
        begun = monotonic()
        done = [task.key for task, answer in found.run(tasks) if answer.ended == "done"]
        makespan = monotonic() - begun
        begun = monotonic()
        assert len(list(found.run(resting([0.0] * EMPTY)))) == EMPTY
        own_s = (monotonic() - begun) / EMPTY
    assert sorted(done) == sorted(task.key for task in tasks)
    assert losing == set()
    allowed_s = 1.05 * (sum(seconds) / workers + max(seconds))
    assert makespan <= allowed_s + own_s * len(tasks), f"{1000 * own_s:.1f} ms for an empty task"
