from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from topology.kernels.ownership.keeper import KEEP, KEEPER, keeper_command
from topology.wait import wait_for


@contextmanager
def keeper(folder: str, *command: str) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    """A keeper of a command, and our end of its stream."""
    near, far = socket.socketpair()
    with near, far:
        line = (*keeper_command(far.fileno(), folder), *command)
        with subprocess.Popen(line, pass_fds=[far.fileno()], stdout=subprocess.PIPE) as process:
            far.close()
            yield process, near
            process.kill()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with something in it."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "agent.sock").touch()
    return tmp_path / "folder"


def first_line(process: subprocess.Popen[bytes]) -> str:
    """First line of the kept command."""
    assert process.stdout
    return process.stdout.readline().decode().strip()


def gone(pid: str) -> bool:
    return not Path("/proc", pid).exists()


WAITING = ("sh", "-c", "echo $$; exec sleep 1000")


def test_unannounced_command_ends_with_the_stream(folder: Path) -> None:
    """A stream that ends without a word takes the command and the folder along."""
    with keeper(str(folder), *WAITING) as (process, near):
        child = first_line(process)
        assert not gone(child)
        near.close()
        assert process.wait(5) == 0
    assert (gone(child), folder.exists()) == (True, False)


def test_kept_command_outlives_the_stream_until_it_is_ended(folder: Path) -> None:
    """After the word only SIGTERM ends it, and takes all along."""
    with keeper(str(folder), *WAITING) as (process, near):
        child = first_line(process)
        near.send(KEEP)
        near.close()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.2)
        assert (gone(child), folder.exists()) == (False, True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    assert (gone(child), folder.exists()) == (True, False)


@pytest.mark.parametrize("announced", [False, True])
def test_a_command_that_ends_by_itself_ends_it_all(folder: Path, announced: bool) -> None:
    """Its exit code is the keeper's; kept or not makes no difference."""
    with keeper(str(folder), "sh", "-c", "read line; exit 7") as (process, near):
        if announced:
            near.send(KEEP)
        assert process.wait(5) == 7
    assert not folder.exists()


def test_the_command_learns_its_keepers_number() -> None:
    """A child can be set to die with it."""
    with keeper("", "echo", KEEPER) as (process, _):
        assert first_line(process) == str(process.pid)


def takes(pid: int, number: int) -> bool:
    """True if a process handles a signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> number - 1 & 1)


def test_a_stream_alone_can_be_kept() -> None:
    """Without a command it holds what it was given."""
    ours, theirs = socket.socketpair()
    near, far = socket.socketpair()
    with ours, theirs, near, far:
        line = keeper_command(far.fileno())
        with subprocess.Popen(line, pass_fds=[far.fileno(), theirs.fileno()]) as process:
            far.close()
            theirs.close()
            near.send(KEEP)
            near.close()
            wait_for(lambda: takes(process.pid, signal.SIGTERM), 5, "the keeper's start")
            ours.settimeout(0.2)
            with pytest.raises(TimeoutError):
                ours.recv(1)
            process.send_signal(signal.SIGTERM)
            ours.settimeout(5)
            assert ours.recv(1) == b""
            assert process.wait(5) == 0


def test_a_command_that_is_not_there_ends_it(folder: Path) -> None:
    """The folder goes all the same."""
    with keeper(str(folder), "no-such-program") as (process, _):
        wait_for(lambda: process.poll() is not None, 5, "the end")
        assert process.returncode != 0
    assert not folder.exists()
