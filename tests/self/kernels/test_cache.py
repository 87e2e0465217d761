from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

import pytest

from tests.self.house.sources import ROOT
from topology.errors import Misuse
from topology.kernels.cache import LIMIT, LIMIT_MIB, MAKING, Shelf, cache_limit, clean, end_turn
from topology.kernels.snapshot import find_snapshot, write_head
from topology.wait import wait_for

MIB = 1 << 20
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


def test_published_file_is_whole_and_readable_by_every_user(shelf: Shelf) -> None:
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


def test_leftovers_go_with_the_next_lock(shelf: Shelf) -> None:
    """A killed process's files and directories are removed; what is finished stays."""
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


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test's own."""
    monkeypatch.setenv("HOPCHECK_CACHE", str(tmp_path))
    monkeypatch.delenv(LIMIT, raising=False)
    return tmp_path


def shelf_with(*entries: tuple[str, int]) -> Shelf:
    """A shelf with entries of so many KiB, the last one used last."""
    shelf = Shelf("snapshots")
    for number, (key, kib) in enumerate(entries):
        shelf.entry(key).mkdir(parents=True)
        (shelf.entry(key) / "state").write_bytes(b"x" * (kib << 10))
        os.utime(shelf.entry(key), (number, number))
    return shelf


def kept(shelf: Shelf) -> list[str]:
    """List entries, the one used last in front."""
    return [entry.name for entry in shelf.entries]


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ("", LIMIT_MIB * MIB),
        ("0", 0),
        ("512K", MIB >> 1),
        ("4G", 4 << 30),
        ("1.5g", 3 << 29),
        ("2 GiB", 2 << 30),
        ("1T", 1 << 40),
    ],
)
def test_limit_is_in_mebibytes_or_has_a_suffix(given: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """HOPCHECK_CACHE_MAX says how much snapshots may take; 4 GiB where it says nothing."""
    monkeypatch.setenv(LIMIT, given)
    assert cache_limit() == size


@pytest.mark.parametrize("given", ["lots", "-1", "4X", "G", "1e9", "0x10", "٤", "1" * 40, "4G 4G"])
def test_limit_that_is_no_size_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A typo is reported with what would be right, and never taken for no limit."""
    monkeypatch.setenv(LIMIT, given)
    with pytest.raises(Misuse, match=r"HOPCHECK_CACHE_MAX - expected a size such as 4096 \(MiB\), 512M or 4G - seen"):
        cache_limit()


@pytest.mark.parametrize(
    ("limit_kib", "left"),
    [
        (500, ["new", "d", "c", "b", "a"]),
        (499, ["new", "d", "c", "b"]),
        (200, ["new", "d"]),
        (199, ["new"]),
        (0, ["new"]),
    ],
)
def test_what_was_not_used_for_longest_goes_first(limit_kib: int, left: list[str]) -> None:
    """Entries go until the rest fits, the oldest first, and never the one that has just been made."""
    shelf = shelf_with(("a", 100), ("b", 100), ("c", 100), ("d", 100), ("new", 100))
    with shelf.locked():
        shelf.keep_within(limit_kib << 10, spared="new")
    assert kept(shelf) == left


def test_new_entry_stays_though_it_is_too_large_and_old() -> None:
    """Whoever has just made an entry finds it, whatever its size and its clock."""
    shelf = shelf_with(("new", 300), ("a", 100), ("b", 100))
    with shelf.locked():
        shelf.keep_within(350 << 10, spared="new")
    assert kept(shelf) == ["new"]


def test_finding_a_snapshot_is_using_it() -> None:
    """A run that is restored from a snapshot notes that it was."""
    shelf = shelf_with(("b", 1))
    with shelf.entry("a").open("wb") as file:
        write_head(file, {"key": "a", "fingerprint": "f", "sha256": hashlib.sha256(b"state").hexdigest()})
        file.write(b"state")
    os.utime(shelf.entry("a"), (0, 0))
    os.utime(shelf.entry("b"), (1, 1))
    assert kept(shelf) == ["b", "a"]
    assert find_snapshot("a") is not None
    assert find_snapshot("c") is None
    assert kept(shelf) == ["a", "b"]


def test_one_at_a_time_has_the_turn() -> None:
    """A second one waits, gives up if that takes too long, and gets it when the first is done; no file is left."""
    shelf = Shelf("snapshots")
    first = shelf.wait_turn("k", 0)
    assert first is not None
    assert shelf.wait_turn("k", 0.01) is None
    other = shelf.wait_turn("other", 0)
    assert other is not None
    end_turn(first)
    second = shelf.wait_turn("k", 0)
    assert second is not None
    for turn in (second, other):
        end_turn(turn)
    assert list(shelf.path.iterdir()) == []


def test_turns_never_overlap() -> None:
    """However often a turn's file comes and goes, only one run has the turn."""
    shelf, inside, overlaps = Shelf("snapshots"), Lock(), []

    def take(_: int) -> None:
        turn = shelf.wait_turn("k", 10)
        assert turn is not None
        alone = inside.acquire(blocking=False)
        overlaps.append(not alone)
        if alone:
            inside.release()
        end_turn(turn)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(take, range(40)))
    assert overlaps == [False] * 40
    assert list(shelf.path.iterdir()) == []


def test_free_turn_is_swept_and_one_in_use_is_not() -> None:
    """The file of a process that was killed goes with the next change of the shelf; a turn under way stays."""
    shelf = Shelf("snapshots")
    turn = shelf.wait_turn("mine", 0)
    assert turn is not None
    (shelf.path / ".dead.turn").touch()
    with shelf.locked():
        assert [path.name for path in shelf.path.iterdir()] == [".mine.turn"]
    assert shelf.wait_turn("mine", 0) is None
    end_turn(turn)


def test_clean_removes_everything_but_the_turns_under_way(cache: Path) -> None:
    """make clean-cache leaves no entry of any kind."""
    shelf_with(("a", 1), ("b", 1))
    (cache / "images" / "x").mkdir(parents=True)
    clean()
    assert sorted(path.name for path in cache.iterdir()) == ["images", "images.lock", "snapshots", "snapshots.lock"]
    assert [*(cache / "images").iterdir(), *(cache / "snapshots").iterdir()] == []
