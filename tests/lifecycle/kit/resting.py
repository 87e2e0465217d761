"""A task that rests for as long as it says, on a worker that is lost half-way, where the test wants it."""

from __future__ import annotations

import threading

from distributed import get_worker

from fixtures.cluster.task import Answer

losing: set[str] = set()
"""Jobs that lose their worker, once each: workers are threads of the test's own process."""


def rest(_: str, job: bytes, __: float) -> bytes:
    """Take as many seconds as the job says."""
    name, seconds = job.decode().split()
    if name in losing:
        losing.discard(name)
        threading.Event().wait(float(seconds) / 2)
        worker = get_worker()
        worker.loop.add_callback(worker.batched_stream.comm.abort)
    threading.Event().wait(float(seconds))
    return Answer("done", job).packed()
