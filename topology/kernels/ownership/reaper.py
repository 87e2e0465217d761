"""Removes the containers of a run that was killed: ``python -m topology.kernels.ownership.reaper ADDRESS SESSION``.

Waits for the end of standard input, a pipe from the run. It has a session of its own, so that what ends the
processes of a terminal does not end it.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from topology.errors import KernelUnavailable
from topology.kernels.engine import Engine
from topology.wait import wait_for

CHECKOUT = Path(__file__).parents[3]
DEADLINE_S = 15.0
QUIET_LOOKS, PAUSE_S = 3, 0.3
"""A container that the engine was just making when the run died appears after the first look."""


def start_reaper(engine: Engine) -> Callable[[], None]:
    """Have the engine's session removed if this process dies; returns the function that calls this off."""
    command = (sys.executable, "-m", __spec__.name, engine.address, engine.session)
    null = subprocess.DEVNULL
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=null, stderr=null, cwd=CHECKOUT, start_new_session=True
        )
    except OSError as error:
        raise KernelUnavailable(f"reaper - expected to start - seen {error}") from error

    def call_off() -> None:
        process.kill()
        process.communicate()

    return call_off


def remove_session(engine: Engine, session: str) -> None:
    """Remove the containers of a session until no more appear."""
    quiet = 0

    def none_appeared() -> bool:
        nonlocal quiet
        quiet = 0 if engine.remove_session(session) else quiet + 1
        return quiet >= QUIET_LOOKS

    wait_for(none_appeared, DEADLINE_S, "the containers to go", PAUSE_S)


def main(address: str, session: str) -> None:
    """Wait until the run has died, then remove its containers."""
    sys.stdin.buffer.read()
    with contextlib.closing(Engine.at(address)) as engine:
        remove_session(engine, session)


if __name__ == "__main__":
    main(*sys.argv[1:])
