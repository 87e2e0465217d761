from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.self.house.sources import ROOT
from topology.kernels.cache import MAKING, Shelf
from topology.wait import wait_for

MAKE = """
import threading
from topology.kernels.cache import Shelf
shelf = Shelf("kind")
with shelf.locked(), shelf.making() as place:
    (place / "half").write_text("half")
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


def names(shelf: Shelf) -> set[str]:
    """All that is on the shelf."""
    return {path.name for path in shelf.path.iterdir()}


def make(shelf: Shelf, key: str, text: bytes) -> None:
    """Make and publish an entry that is a file."""
    with shelf.making() as place:
        (place / "made").write_bytes(text)
        assert shelf.publish(place / "made", key) == shelf.entry(key)


def test_published_file_is_whole_and_readable_by_everybody(shelf: Shelf) -> None:
    """Nothing else is left on the shelf; a second entry of the key replaces the first."""
    make(shelf, "key", b"before")
    make(shelf, "key", b"state")
    assert names(shelf) == {"key"}
    assert shelf.entry("key").read_bytes() == b"state"
    assert shelf.entry("key").stat().st_mode & 0o777 == 0o644


def test_entry_that_is_not_published_is_gone(shelf: Shelf) -> None:
    """Making that fails leaves nothing, and no entry is visible before it is published."""
    with shelf.making() as place:
        (place / "made").write_bytes(b"half")
        assert shelf.entries == []
    assert names(shelf) == set()


def test_killed_maker_leaves_nothing(tmp_path: Path) -> None:
    """A file that was being made goes with the process that made it."""
    environment = {**os.environ, "HOPCHECK_CACHE": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", MAKE], cwd=ROOT, env=environment, stdout=subprocess.PIPE) as maker:
        assert maker.stdout
        assert maker.stdout.readline() == b"made\n"
        assert len(list((tmp_path / "kind").glob(f"{MAKING}*/half"))) == 1
        maker.kill()
    wait_for(lambda: not list((tmp_path / "kind").iterdir()), 15, "the folder to go")


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
