from __future__ import annotations

import ast
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from topology.kernels import bundle
from topology.kernels.bundle import LOADER, MODULES, PACKAGE, agent_parcel, agent_source
from topology.kernels.link import AgentLink

FOLDER = Path(bundle.__file__).parent / "agent"
OLDEST = (3, 9)
"""The oldest Python that the agent promises to run on."""


@pytest.mark.parametrize("name", MODULES)
def test_module_is_written_for_the_oldest_python(name: str) -> None:
    """Each module of the agent parses as Python 3.9, and so does the bundle of all."""
    ast.parse((FOLDER / f"{name}.py").read_text(), feature_version=OLDEST)
    ast.parse(agent_source(), feature_version=OLDEST)


@pytest.mark.parametrize("name", MODULES)
def test_module_imports_only_the_standard_library_and_earlier_neighbours(name: str) -> None:
    """Nothing needs to be installed where the agent runs."""
    earlier = {f"{PACKAGE}.{other}" for other in MODULES[: MODULES.index(name)]}
    for node in ast.walk(ast.parse((FOLDER / f"{name}.py").read_text())):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= sys.stdlib_module_names
        elif isinstance(node, ast.ImportFrom):
            assert node.module in earlier or str(node.module).split(".")[0] in sys.stdlib_module_names


def test_no_module_is_forgotten() -> None:
    """Every file of the agent's folder travels in the bundle."""
    assert {path.stem for path in FOLDER.glob("*.py")} == {*MODULES, "__init__"}


def test_parcel_states_its_size() -> None:
    """The loader reads exactly the source."""
    parcel = agent_parcel()
    assert struct.unpack("!I", parcel[:4]) == (len(agent_source()),)


def test_loader_turns_the_parcel_into_an_agent() -> None:
    """A bare Python that is given the parcel in pieces says hello, answers, and ends with its stream."""
    near, far = socket.socketpair()
    with far:
        process = subprocess.Popen((sys.executable, "-I", "-S", "-c", LOADER), stdin=far.fileno())
    link = AgentLink(near)
    parcel = agent_parcel()
    for start in range(0, len(parcel), 10_000):
        link.send_parcel(parcel[start : start + 10_000])
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
