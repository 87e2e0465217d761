from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from topology.kernels.owner import Owner, start_time


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits for the end of its input."""
    process = subprocess.Popen((sys.executable, "-I", "-S", "-c", "input()"), stdin=subprocess.PIPE, stderr=-3)
    yield process
    process.communicate()


def owner_of(pid: int) -> Owner:
    """The owner that a process of ours would be."""
    started = start_time(pid)
    assert started is not None
    return replace(Owner.this_process(), pid=pid, started=started)


def test_who_lives_is_not_dead() -> None:
    """The process that asks, and its words read back, are alive."""
    owner = Owner.this_process()
    assert owner.pid == os.getpid()
    assert Owner.parse(str(owner)) == owner
    assert not owner.is_surely_dead


def test_who_has_ended_is_dead(child: subprocess.Popen[bytes]) -> None:
    """A process is alive until it has ended."""
    owner = owner_of(child.pid)
    assert not owner.is_surely_dead
    child.communicate()
    assert owner.is_surely_dead


def test_another_process_of_the_same_number_is_another() -> None:
    """A number that was given anew does not bring its first holder back."""
    assert replace(Owner.this_process(), started=1).is_surely_dead


def test_restart_of_the_machine_ends_everybody() -> None:
    """A process of this machine's boot before is dead, whoever has its number now."""
    assert replace(Owner.this_process(), boot="before").is_surely_dead


@pytest.mark.parametrize("field", ["host", "pid_namespace"])
def test_who_cannot_be_seen_from_here_is_not_judged(field: str) -> None:
    """Where another machine or another PID namespace counts, a number that is missing here says nothing."""
    stranger = replace(Owner.this_process(), pid=2**22 + 1, started=1, **{field: "elsewhere"})
    assert not stranger.is_surely_dead


@pytest.mark.parametrize("text", [None, 7, "", "a/b/c/d", "h/b/p/1", "h/b/p/x/1", "h/b/p/1/-1", "h/b/p/1/1/1"])
def test_what_is_no_owner_is_none(text: object) -> None:
    """A label or a line that somebody else wrote is nobody's."""
    assert Owner.parse(text) is None


def test_name_with_brackets_does_not_shift_the_start_time(child: subprocess.Popen[bytes]) -> None:
    """proc(5): the command's name may hold brackets and spaces, and the start time is found behind it."""
    before = start_time(child.pid)
    named = "import ctypes; ctypes.CDLL(None).prctl(15, b') S 1 2 (x'); print(flush=True); input()"
    with subprocess.Popen(
        (sys.executable, "-I", "-S", "-c", named), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=-3
    ) as odd:
        assert odd.stdout
        odd.stdout.readline()
        found = start_time(odd.pid)
        odd.communicate()
    assert before is not None
    assert found is not None
    assert found >= before
