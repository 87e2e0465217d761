"""Processes differ by more than their number, and end with the process that started them."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.self.house.sources import ROOT
from topology.kernels.ownership.processes import Owner, dies_with, start_time
from topology.wait import wait_for

START = """
import os, subprocess, threading
from topology.kernels.ownership.processes import dies_with
death, still_there = dies_with(os.getpid())
child = subprocess.Popen(("setpriv", *death, "--", *still_there, "sh", "-c", "echo $$; exec sleep 1000"))
threading.Event().wait()
"""
ODD_NAME = "import ctypes; ctypes.CDLL(None).prctl(15, b') S 1 2 (x'); print(flush=True); input()"


def test_owner_is_dead_once_its_process_has_ended() -> None:
    """A process is alive until it ends, whatever brackets and spaces its name has (proc(5))."""
    with subprocess.Popen(
        (sys.executable, "-I", "-S", "-c", ODD_NAME), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=-3
    ) as process:
        assert process.stdout
        process.stdout.readline()
        own, started = start_time(os.getpid()), start_time(process.pid)
        assert own is not None
        assert started is not None
        assert started >= own
        owner = replace(Owner.this_process(), pid=process.pid, started=started)
        assert not owner.is_surely_dead
        process.communicate()
    assert owner.is_surely_dead


def test_owner_that_lives_is_read_back_as_written() -> None:
    """The calling process, written and read back, is the same owner, and alive."""
    owner = Owner.this_process()
    assert owner.pid == os.getpid()
    assert Owner.parse(str(owner)) == owner
    assert not owner.is_surely_dead


@pytest.mark.parametrize("change", [{"started": 1}, {"boot": "before"}], ids=str)
def test_reused_number_does_not_revive_an_owner(change: dict[str, object]) -> None:
    """An owner with another start time, or of another boot, is dead though its number is in use."""
    assert replace(Owner.this_process(), **change).is_surely_dead  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["host", "pid_namespace"])
def test_owner_that_cannot_be_seen_from_here_is_not_dead(field: str) -> None:
    """On another machine or in another PID namespace, a number that is missing here means nothing."""
    foreign = replace(Owner.this_process(), pid=2**22 + 1, started=1, **{field: "elsewhere"})
    assert not foreign.is_surely_dead


@pytest.mark.parametrize("text", [None, "", "h/b/p/1", "h/b/p/x/1", "h/b/p/1/-1", "h/b/p/1/1/1"])
def test_text_that_is_no_owner_is_none(text: object) -> None:
    """A foreign label names no owner."""
    assert Owner.parse(text) is None


def test_tied_process_dies_with_its_parent() -> None:
    """A parent that is killed takes it along at once."""
    with subprocess.Popen([sys.executable, "-c", START], cwd=ROOT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        assert Path(f"/proc/{child}").exists()
        parent.kill()
        parent.wait()
        wait_for(lambda: not Path(f"/proc/{child}").exists(), 5, "the child's end")


def test_process_orphaned_before_it_was_tied_does_not_start(tmp_path: Path) -> None:
    """A parent that died before the signal was asked for is noticed: the command does not run."""
    for parent, starts in ((os.getpid(), True), (os.getppid(), False)):
        death, check = dies_with(parent)
        (tmp_path / "there").unlink(missing_ok=True)
        code = subprocess.run(("setpriv", *death, "--", *check, "touch", str(tmp_path / "there"))).returncode
        assert (code == 0, (tmp_path / "there").exists()) == (starts, starts)
