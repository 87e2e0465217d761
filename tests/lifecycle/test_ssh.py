"""A fabric of another machine is adopted through ssh, and nothing is left there."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lifecycle.kit.elsewhere import PORT, Elsewhere, elsewhere, known
from topology.formats.lab import load_lab
from topology.plan import make_plan
from topology.wait import wait_for

pytestmark = [pytest.mark.lifecycle, pytest.mark.alone]
LAB = Path(__file__).parents[1] / "self" / "data" / "vxlan.yaml"
GONE_S = 10.0
STARTS = """
import re
import sys
from topology.errors import KernelUnavailable
from topology.kernels.registry import Wanted
from topology.kernels.ssh import SshKernel
for place in sys.argv[1:]:
    try:
        SshKernel.start(lambda _: None, Wanted(at=f"//{place}")).close()
        print("it started")
    except KernelUnavailable as error:
        print(error)
"""
DIES = """
import os, signal
from topology.kernels.registry import Wanted
from topology.kernels.ssh import SshKernel
kernel = SshKernel.start(lambda _: None, Wanted(at="//plain@elsewhere"))
words = ["sh", "-c", "setsid sleep 1000 & echo at work; wait"]
kernel.agent.start(words, None, lambda _, said: print(said, flush=True))
kernel.agent.pump(10)
kernel.agent.pump(10)
os.kill(os.getpid(), signal.SIGKILL)
"""
CUT = '''
import os
import signal
from pathlib import Path

def test_before(fabric):
    assert fabric.names

def test_connection(fabric):
    """The other side ends the connection during the run."""
    for folder in Path("/proc").glob("[1-9]*"):
        if (folder / "cmdline").read_bytes().startswith(b"sshd: plain"):
            os.kill(int(folder.name), signal.SIGKILL)

def test_after(fabric):
    assert fabric.names
'''
REFUSALS = {
    "root@elsewhere": "it started",
    "bare@elsewhere": "expected python3 there, 3.9 or newer - seen sh: 1: python3: not found",
    "old@elsewhere": "expected python3 there, 3.9 or newer - seen python3 there is 3.8",
    "asked@elsewhere": "expected root, or a user with NOPASSWD .* - seen sudo: a password is required",
    "keyless": "expected a key that it accepts, .* - seen .*: Permission denied",
    f"127.0.0.1:{PORT + 1}": "expected sshd there, .* - seen ssh: connect to host .* Connection refused",
    "no-such-host": "expected a name that .* - seen ssh: Could not resolve hostname no-such-host",
}
SSHS_LAST_WORDS = "closed by remote host|send disconnect: Broken pipe|Connection reset"
"""What ssh says depends on whether it was just writing."""
UNKNOWN = "expected a known host: .* - seen .*[Hh]ost key verification failed"
CHANGED = "expected the key that is known; .* - seen .*Host key for .* has changed"


@pytest.fixture(scope="module")
def machine() -> Iterator[Elsewhere]:
    """The other machine, with a fabric on it."""
    with elsewhere() as machine:
        done = machine.run("sh", "-e", stdin="\n".join(make_plan(load_lab(LAB)).commands))
        assert done.code == 0, done.stderr
        yield machine


@pytest.fixture
def python(machine: Elsewhere, pytestconfig: pytest.Config) -> Callable[..., str]:
    """Runs a script there, from the checkout; what it prints."""

    def run(script: str, *arguments: str) -> str:
        root = f"PYTHONPATH={pytestconfig.rootpath}"
        return machine.run("env", root, sys.executable, "-c", script, *arguments).stdout

    return run


def nothing_runs(machine: Elsewhere) -> bool:
    """True once nothing runs there, and no namespace but the fabric's has a name."""
    wait_for(lambda: not machine.processes(), GONE_S, "the agent and its children to go")
    return len(machine.run("ip", "netns", "list").stdout.splitlines()) == len(load_lab(LAB).nodes)


def test_fabric_of_another_machine_is_proven_and_left_as_it_was(
    machine: Elsewhere, pytestconfig: pytest.Config
) -> None:
    """A user who is root there by sudo adopts what runs there; nothing of the run stays."""
    before = machine.run("ip", "-all", "netns", "exec", "ip", "route")
    on_it = ("--lab", str(LAB), "--kernel", "ssh://plain@elsewhere")
    done, results = machine.hopcheck(pytestconfig.rootpath, "-m", "overlay", "--adopt", *on_it)
    assert done.code == 0, done.stdout
    assert (results["kernel"]["kind"], results["summary"]["passed"] >= 40) == ("ssh", True)
    assert machine.run("ip", "-all", "netns", "exec", "ip", "route") == before
    assert nothing_runs(machine)


def test_lab_is_built_in_a_sandbox_there(machine: Elsewhere, pytestconfig: pytest.Config) -> None:
    """Without --adopt the lab is built beside all that runs there, under the same names, and ends with the run."""
    on_it = ("--lab", str(LAB), "--kernel", "ssh://plain@elsewhere")
    done, _ = machine.hopcheck(pytestconfig.rootpath, "-m", "underlay", *on_it)
    assert done.code == 0, done.stdout
    assert nothing_runs(machine)


def test_every_refusal_says_what_would_be_right(machine: Elsewhere, python: Callable[..., str]) -> None:
    """Whatever keeps the agent from starting is one line in ssh's or sudo's words; none of it asks for a password."""
    lines = python(STARTS, *REFUSALS).splitlines()
    folder = machine.folder
    for key, host in (("other", "elsewhere"), ("", "elsewhere")):
        (folder / "known").write_text(known(folder, key) if key else "")
        lines += python(STARTS, host).splitlines()
    (folder / "known").write_text(known(folder, "host"))
    wanted = [*REFUSALS.values(), CHANGED, UNKNOWN]
    assert [line for line, words in zip(lines, wanted, strict=True) if not re.fullmatch(f"{words}.*", line)] == []
    assert nothing_runs(machine)


def test_lost_connection_is_errored_and_leaves_nothing(
    machine: Elsewhere, pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    """The test that meets it is errored with ssh's words, what comes after is not proven, and nothing fails."""
    (tmp_path / "test_cut.py").write_text(CUT)
    on_it = (
        "-p",
        "conftest",
        str(tmp_path / "test_cut.py"),
        "--adopt",
        "--lab",
        str(LAB),
        "--kernel",
        "ssh://plain@elsewhere",
    )
    done, results = machine.hopcheck(pytestconfig.rootpath, *on_it)
    assert done.code == 6, done.stdout
    verdicts = [test["verdict"] for test in results["tests"]]
    assert verdicts == ["passed", "errored", "not proven"]
    assert re.search(SSHS_LAST_WORDS, results["tests"][1]["message"])
    assert nothing_runs(machine)


def test_killed_run_leaves_nothing_there(machine: Elsewhere, python: Callable[..., str]) -> None:
    """The agent ends with its stream, and takes along what it has started, sessions of their own too."""
    assert "at work" in python(DIES)
    assert nothing_runs(machine)
