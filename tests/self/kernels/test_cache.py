from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.self.house.sources import ROOT
from topology.kernels.cache import MAKING, Shelf
from topology.wait import wait_for

MAKE_A_FILE = """
import os, threading
from topology.kernels.cache import Shelf
shelf = Shelf("kind")
with shelf.locked(), shelf.making_file() as made:
    os.write(made.descriptor, b"half")
    print("made", flush=True)
    threading.Event().wait()
"""


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    """A shelf of a cache of its own, locked."""
    monkeypatch.setenv("HOPCHECK_CACHE", str(tmp_path))
    found = Shelf("kind")
    with found.locked():
        yield found


@pytest.fixture
def without_nameless_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system like NFS."""
    real = os.open

    def refusing(path: str, flags: int, mode: int = 0o777, **more: int) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "no such files here")
        return real(path, flags, mode, **more)

    monkeypatch.setattr(os, "open", refusing)


def names(shelf: Shelf) -> set[str]:
    """All that is on the shelf."""
    return {path.name for path in shelf.path.iterdir()}


def make(shelf: Shelf, key: str, text: bytes) -> None:
    """Make and publish an entry."""
    with shelf.making_file() as made:
        os.write(made.descriptor, text)
        shelf.publish_file(made, key)


def test_a_file_has_no_name_before_it_is_published(shelf: Shelf) -> None:
    """Nobody sees a file that is being made; published it is whole, and readable by everybody."""
    with shelf.making_file() as made:
        os.write(made.descriptor, b"state")
        assert names(shelf) == set()
        assert shelf.publish_file(made, "key") == shelf.entry("key")
    assert shelf.entry("key").read_bytes() == b"state"
    assert shelf.entry("key").stat().st_mode & 0o777 == 0o644


def test_a_file_that_is_not_published_is_gone(shelf: Shelf) -> None:
    """Making that fails leaves nothing."""
    with shelf.making_file() as made:
        os.write(made.descriptor, b"half")
    assert names(shelf) == set()


def test_where_files_must_have_names_it_works_too(shelf: Shelf, without_nameless_files: None) -> None:
    """A file system without nameless files costs only that a killed run leaves a ruin to the next."""
    with shelf.making_file():
        assert [name.startswith(MAKING) for name in names(shelf)] == [True]
    make(shelf, "key", b"state")
    assert names(shelf) == {"key"}
    assert shelf.entry("key").stat().st_mode & 0o777 == 0o644


def test_a_killed_maker_leaves_nothing(tmp_path: Path) -> None:
    """A file that was being made is gone with the process that made it."""
    environment = {**os.environ, "HOPCHECK_CACHE": str(tmp_path)}
    command = [sys.executable, "-c", MAKE_A_FILE]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE) as maker:
        assert maker.stdout
        assert maker.stdout.readline() == b"made\n"
        maker.send_signal(signal.SIGKILL)
    assert list((tmp_path / "kind").iterdir()) == []
    wait_for((tmp_path / "kind.lock").exists, 1, "the lock, which stays")


def test_a_directory_goes_at_once(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry that is removed is never there in part: what could not be removed yet is a ruin."""
    with shelf.making() as place:
        (place / "file").write_text("")
        shelf.publish(place, "key")
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)
    shelf.remove("key")
    assert names(shelf) == {f"{MAKING}key"}


def test_ruins_go_with_the_next_lock(shelf: Shelf) -> None:
    """What a killed process has left, file or directory, is removed; what is finished stays."""
    other = Shelf("other")
    (other.path / f"{MAKING}folder").mkdir(parents=True)
    (other.path / f"{MAKING}folder" / "file").write_text("")
    (other.path / f"{MAKING}file").write_text("")
    (other.path / "key").write_text("")
    with other.locked():
        assert names(other) == {"key"}


def test_only_the_newest_stay(shelf: Shelf) -> None:
    """Files and directories alike, by when they were made."""
    for number, key in enumerate(("a", "b", "c")):
        make(shelf, key, b"")
        os.utime(shelf.entry(key), (number, number))
    shelf.keep_newest(2)
    shelf.remove("nothing")
    assert names(shelf) == {"b", "c"}
