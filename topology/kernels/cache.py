"""Where hopcheck keeps what is dear to make (guest images, snapshots): entries that are whole or not there.

Layout: ``CACHE/KIND/KEY`` (a file or a directory) for finished entries, ``CACHE/KIND.lock``. A file has no name while
it is being made, so that nothing is left of it when its maker is killed; a directory is ``CACHE/KIND/.making-*``, which
the lock's next holder removes.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

MAKING = ".making-"
RUNS = "runs"
"""The folder of the cache that is no shelf: what runs under way have noted with their reapers."""


def cache_dir() -> Path:
    """The cache's root: $HOPCHECK_CACHE, else $XDG_CACHE_HOME/hopcheck, else ~/.cache/hopcheck. Not created here."""
    if chosen := os.environ.get("HOPCHECK_CACHE"):
        return Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "hopcheck"


class Shelf:
    """The finished entries of one kind; only the holder of ``locked`` adds or removes any."""

    def __init__(self, kind: str) -> None:
        self.path = cache_dir() / kind

    def entry(self, key: str) -> Path:
        """Where the entry of this key is, or would be."""
        return self.path / key

    @contextmanager
    def locked(self, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Be the only process that changes this shelf; ``waiting`` is called once if another one is at it.

        The kernel drops the lock of a process that is killed, so what is half made under a fresh lock is a ruin.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path.with_suffix(".lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waiting()
            lock.acquire()
        try:
            for ruin in self.path.glob(f"{MAKING}*"):
                _remove(ruin)
            yield
        finally:
            lock.release()

    @contextmanager
    def making(self) -> Iterator[Path]:
        """An empty directory to make an entry in; gone afterwards unless ``publish`` took it. Needs ``locked``."""
        place = Path(tempfile.mkdtemp(prefix=MAKING, dir=self.path))
        place.chmod(0o755)
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)

    @contextmanager
    def making_file(self) -> Iterator[MadeFile]:
        """An empty file to make an entry in; gone afterwards unless ``publish_file`` took it. Needs ``locked``."""
        name = None
        try:
            descriptor = os.open(self.path, os.O_TMPFILE | os.O_RDWR, 0o644)
        except OSError:  # not every file system has files without a name: NFS has not
            descriptor, name = tempfile.mkstemp(prefix=MAKING, dir=self.path)
            os.fchmod(descriptor, 0o644)
        try:
            yield MadeFile(descriptor, name or f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)
            if name:
                os.unlink(name)  # noqa: PTH108

    def publish_file(self, made: MadeFile, key: str) -> Path:
        """Give a made file the name of this key, where there is none yet, once its bytes are on disk."""
        os.fsync(made.descriptor)
        folder = os.open(self.path, os.O_RDONLY)
        try:
            os.link(made.name, key, dst_dir_fd=folder, follow_symlinks=True)  # linkat(2): AT_SYMLINK_FOLLOW
            os.fsync(folder)
        finally:
            os.close(folder)
        return self.entry(key)

    def publish(self, made: Path, key: str) -> Path:
        """Turn a made directory into the entry of this key, in one step and only once its bytes are on disk."""
        for file in made.iterdir():
            _sync(file)
        _sync(made)
        final = self.entry(key)
        self.remove(key)
        made.rename(final)
        _sync(self.path)
        return final

    def remove(self, key: str) -> None:
        """Remove the entry of this key, if it is there: at once, not bit by bit. Needs ``locked``."""
        entry = self.entry(key)
        if entry.is_dir():
            ruin = entry.with_name(f"{MAKING}{key}")
            entry.rename(ruin)
            entry = ruin
        _remove(entry)

    def keep_newest(self, count: int) -> None:
        """Remove all but the ``count`` entries made last. Needs ``locked``."""
        entries = [entry for entry in self.path.iterdir() if not entry.name.startswith(".")]
        entries.sort(key=lambda entry: entry.stat().st_mtime_ns, reverse=True)
        for entry in entries[count:]:
            self.remove(entry.name)


@dataclass(frozen=True)
class MadeFile:
    """A file that is being made: its descriptor, and a path that leads to it."""

    descriptor: int
    name: str


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def clean() -> None:
    """Remove every entry of every kind; an entry that is being made is waited for."""
    for folder in (path for path in cache_dir().glob("*") if path.is_dir() and path.name != RUNS):
        shelf = Shelf(folder.name)
        with shelf.locked():
            shelf.keep_newest(0)


if __name__ == "__main__":
    if sys.argv[1:] != ["clean"]:
        sys.exit("usage: python -m topology.kernels.cache clean")
    clean()
