"""Dask's scheduler and workers as processes that somebody else has started, each with a cache folder of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from fixtures.cluster.start import SETTINGS
from topology.kernels.link import Completed
from topology.kernels.ownership.processes import dies_with
from topology.wait import wait_for

START_S, SANDBOX_S = 60.0, 1800.0
SMALL = 'mkdir -p "$HOPCHECK_CACHE" && mount -t tmpfs -o size=64k none "$HOPCHECK_CACHE" && exec "$@"'
"""For a shell in a mount namespace of its own: a cache folder with hardly any room."""


def _settings() -> dict[str, str]:
    """Dask's settings as the environment has them."""
    return {f"DASK_{key.upper().replace('.', '__').replace('-', '_')}": str(value) for key, value in SETTINGS.items()}


@contextlib.contextmanager
def started(arguments: Sequence[str], cache: Path, prefix: Sequence[str] = ()) -> Iterator[subprocess.Popen[bytes]]:
    """A process of Dask's command line, which ends at the latest with this one."""
    death, still_there = dies_with(os.getpid())
    python = (sys.executable, "-m", "distributed.cli." + arguments[0], *arguments[1:])
    command = ("setpriv", *death, "--", *still_there, *prefix, *python)
    environment = {**os.environ, **_settings(), "HOPCHECK_CACHE": str(cache)}
    with (cache.parent / f"{cache.name}.log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def scheduler(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A scheduler, and where it is."""
    file = folder / "scheduler.json"
    arguments = ("dask_scheduler", "--host=127.0.0.1", "--port=0", "--no-dashboard", f"--scheduler-file={file}")
    with started((*arguments, "--dashboard-address=127.0.0.1:0"), folder / "scheduler") as process:
        wait_for(file.exists, START_S, "Dask's scheduler")
        yield f"file:{file}", process


@contextlib.contextmanager
def worker(folder: Path, name: str, small: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """A worker with one thread, without a process that starts it again."""
    file = f"--scheduler-file={folder / 'scheduler.json'}"
    arguments = ("dask_worker", file, "--nthreads=1", "--no-nanny", "--no-dashboard", "--memory-limit=0")
    prefix = ("unshare", "-m", "sh", "-c", SMALL, "sh") if small else ()
    own = (f"--local-directory={folder / 'scratch'}", "--host=127.0.0.1", f"--name={name}")
    with started((*arguments, *own), folder / name, prefix) as process:
        yield process


def in_sandbox(kind: str, folder: Path, command: Sequence[str], cache: Path) -> Completed:
    """Run a command beside the daemons of ``kind``, in namespaces of its own; all ends with it."""
    folder.mkdir()
    script = Path(__file__).with_name(f"{kind}_sandbox.sh")
    own = ("unshare", "--net", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc")
    argv = (*own, "sh", str(script), str(folder), *command)
    environment = {**os.environ, "HOPCHECK_CACHE": str(cache)}
    with (folder / "out").open("w+b") as out, (folder / "err").open("w+b") as err:  # daemons would hold a pipe
        done = subprocess.run(
            argv, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=SANDBOX_S, check=False
        )
    return Completed(argv, done.returncode, (folder / "out").read_text(), (folder / "err").read_text())
