"""Where hopcheck keeps what is dear to make (guest images, snapshots): entries that are whole or not there.

Layout: ``CACHE/KIND/KEY/`` for finished entries, ``CACHE/KIND/.making-*`` while one is being made, ``CACHE/KIND.lock``.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
                shutil.rmtree(ruin, ignore_errors=True)
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

    def publish(self, made: Path, key: str) -> Path:
        """Turn a made directory into the entry of this key, in one step and only once its bytes are on disk."""
        for file in made.iterdir():
            _sync(file)
        _sync(made)
        final = self.entry(key)
        if final.exists():
            shutil.rmtree(final)
        made.rename(final)
        _sync(self.path)
        return final

    def remove(self, key: str) -> None:
        """Remove the entry of this key, if it is there. Needs ``locked``."""
        shutil.rmtree(self.entry(key), ignore_errors=True)

    def keep_newest(self, count: int) -> None:
        """Remove all but the ``count`` entries made last. Needs ``locked``."""
        entries = [entry for entry in self.path.iterdir() if not entry.name.startswith(".")]
        entries.sort(key=lambda entry: entry.stat().st_mtime_ns, reverse=True)
        for entry in entries[count:]:
            shutil.rmtree(entry)


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
