from __future__ import annotations

import shlex
import socket
import subprocess
import sys
from pathlib import Path

from topology.kernels import bundle
from topology.kernels.bundle import LOADER, MODULES, agent_parcel
from topology.kernels.enter import command_for
from topology.kernels.link import AgentLink

FOLDER = Path(bundle.__file__).parent / "agent"


def test_no_module_is_forgotten() -> None:
    """Every file of the agent's folder travels in the bundle."""
    assert {path.stem for path in FOLDER.glob("*.py")} == {*MODULES, "__init__"}


def test_loader_turns_the_parcel_into_an_agent() -> None:
    """A bare Python that is given the parcel in pieces says hello, answers, and ends with its stream."""
    near, far = socket.socketpair()
    with far:
        process = subprocess.Popen((sys.executable, "-I", "-S", "-c", LOADER), stdin=far.fileno())
    link = AgentLink(near)
    parcel = agent_parcel()
    for start in range(0, len(parcel), 10_000):
        link.send(parcel[start : start + 10_000])
    assert link.wait_hello(10)["version"] == 1
    assert link.call("clock").get("time_ns", int) > 0
    link.close()
    assert process.wait(10) == 0


def test_loader_ends_quietly_when_nothing_comes() -> None:
    """A stream that ends before the parcel is whole is no crash."""
    done = subprocess.run(
        (sys.executable, "-I", "-S", "-c", LOADER), input=b"\0\0\1\0x", capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_kept_guest_is_entered_from_any_folder(tmp_path: Path) -> None:
    """The printed command finds this checkout wherever it is typed, also beside modules of the same names."""
    (tmp_path / "topology.py").touch()
    command = shlex.split(command_for(str(tmp_path / "no-door"), "n"))
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert (done.returncode, done.stderr) == (1, "cannot enter: [Errno 2] No such file or directory\n")
