"""The cache of guest images and snapshots, which are expensive to make: each entry is whole or not there.

Layout: ``CACHE/KIND/KEY`` (a file or a folder) for finished entries, ``CACHE/KIND.lock``, and ``CACHE/KIND/.KEY.turn``
while a process makes the entry of that key. It is made in a folder ``CACHE/KIND/.making-*``, which is removed with
the process, at the latest by the next holder of the lock.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from topology.errors import Misuse
from topology.kernels.ownership.keeper import temporary

MAKING, TURN = ".making-", ".turn"
LIMIT = "HOPCHECK_CACHE_MAX"
LIMIT_MIB = 4096
"""Default for snapshots: about eighty of the reference lab."""
_SIZE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) ?([KMGT]?)(?:I?B)?", re.IGNORECASE)
_UNITS = {"K": 1 << 10, "": 1 << 20, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def cache_dir() -> Path:
    """The cache's root: $HOPCHECK_CACHE, else $XDG_CACHE_HOME/hopcheck, else ~/.cache/hopcheck. Not created here."""
    if chosen := os.environ.get("HOPCHECK_CACHE"):
        return Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "hopcheck"


def cache_limit() -> int:
    """Limit of snapshots in bytes: $HOPCHECK_CACHE_MAX, in MiB or with a suffix; Misuse for anything else."""
    given = os.environ.get(LIMIT, "").strip() or str(LIMIT_MIB)
    found = _SIZE.fullmatch(given)
    if found is None:
        raise Misuse(f"{LIMIT} - expected a size such as 4096 (MiB), 512M or 4G - seen {given!r}")
    return int(float(found[1]) * _UNITS[found[2].upper()])


class Shelf:
    """The finished entries of one kind; only the holder of ``locked`` adds or removes any."""

    def __init__(self, kind: str) -> None:
        self.path = cache_dir() / kind

    def entry(self, key: str) -> Path:
        """Path of the entry of this key, whether it exists or not."""
        return self.path / key

    @contextmanager
    def locked(self, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Be the only process that changes this shelf; ``waiting`` is called once if another one holds the lock.

        The kernel drops the locks of a process that is killed, so half an entry under a fresh lock is a leftover,
        and so is an unlocked turn.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path.with_suffix(".lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waiting()
            lock.acquire()
        try:
            for leftover in self.path.glob(f"{MAKING}*"):
                _remove(leftover)
            for left in self.path.glob(f".*{TURN}"):
                with contextlib.suppress(Timeout):
                    end_turn(_locked(left, 0))
            yield
        finally:
            lock.release()

    @contextmanager
    def making(self) -> Iterator[Path]:
        """Make an empty folder to make an entry in; a folder not taken by ``publish`` goes. Needs ``locked``."""
        place = self.path / f"{MAKING}{uuid.uuid4().hex[:8]}"
        with temporary(place):
            place.chmod(0o755)  # mmdebstrap may run in another user namespace, whatever the umask
            yield place

    def publish(self, made: Path, key: str) -> Path:
        """Turn a file or folder made in ``making`` into the entry of a key, in one step, once its bytes are on disk."""
        for file in made.iterdir() if made.is_dir() else ():
            _sync(file)
        _sync(made)
        made.chmod(0o755 if made.is_dir() else 0o644)
        final = self.entry(key)
        self.remove(key)
        made.rename(final)
        _sync(self.path)
        return final

    def remove(self, key: str) -> None:
        """Remove the entry of this key, if it is there: at once, not bit by bit. Needs ``locked``."""
        entry = self.entry(key)
        if entry.is_dir():
            leftover = entry.with_name(f"{MAKING}{key}")
            entry.rename(leftover)
            entry = leftover
        _remove(entry)

    def wait_turn(self, key: str, timeout_s: float) -> FileLock | None:
        """Take the turn to make the entry of a key, once no other process has it; None when that takes too long.

        The holder looks again for the entry, and returns the turn by ``end_turn``; the kernel does so at its death.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            return _locked(self.path / f".{key}{TURN}", timeout_s)
        except Timeout:
            return None

    def touch(self, key: str) -> None:
        """Mark an entry as just used, so that others are evicted first."""
        with contextlib.suppress(OSError):
            os.utime(self.entry(key))

    @property
    def entries(self) -> list[Path]:
        """The finished entries, the one that was made or used last in front."""
        found: list[tuple[int, Path]] = []
        for entry in self.path.glob("[!.]*"):
            with contextlib.suppress(FileNotFoundError):
                found.append((entry.stat().st_mtime_ns, entry))
        return [entry for _, entry in sorted(found, reverse=True)]

    def keep_newest(self, count: int) -> None:
        """Remove all but the ``count`` entries made or used last. Needs ``locked``."""
        for entry in self.entries[count:]:
            self.remove(entry.name)

    def keep_within(self, limit: int, spared: str) -> None:
        """Remove those not used for longest until the rest takes no more than ``limit`` bytes. Needs ``locked``.

        The entry ``spared`` stays at any size.
        """
        room = limit - disk_usage(self.entry(spared))
        for entry in self.entries:
            if entry.name != spared:
                room -= disk_usage(entry)
                if room < 0:
                    self.remove(entry.name)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def end_turn(turn: FileLock) -> None:
    """Let the next process make the entry, and leave no file behind.

    The file goes while it is locked: filelock tries again where a file that it has locked has lost its name.
    """
    Path(turn.lock_file).unlink(missing_ok=True)
    turn.release()


def _locked(path: Path, timeout_s: float) -> FileLock:
    lock = FileLock(path)
    lock.acquire(timeout=timeout_s)
    return lock


def disk_usage(place: Path) -> int:
    """The bytes that a file, or a folder's files, take on disk; files removed meanwhile: none."""
    total = 0
    for file in place.rglob("*") if place.is_dir() else (place,):
        with contextlib.suppress(FileNotFoundError):
            total += file.lstat().st_blocks * 512
    return total


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def clean() -> None:
    """Remove every entry of every kind; an entry that is being made is waited for."""
    for folder in (path for path in cache_dir().glob("*") if path.is_dir()):
        shelf = Shelf(folder.name)
        with shelf.locked():
            shelf.keep_newest(0)


if __name__ == "__main__":
    if sys.argv[1:] != ["clean"]:
        sys.exit("usage: python -m topology.kernels.cache clean")
    clean()
