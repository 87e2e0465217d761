"""Where hopcheck keeps what is dear to make (guest images, snapshots): entries that are whole or not there.

Layout: ``CACHE/KIND/KEY`` (a file or a directory) for finished entries, ``CACHE/KIND.lock``, and
``CACHE/KIND/.KEY.turn`` while somebody makes the entry of that key. A file has no name while it is being made, so that
nothing is left of it when its maker is killed; a directory is ``CACHE/KIND/.making-*``, which the lock's next holder
removes.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from topology.errors import Misuse

MAKING, TURN = ".making-", ".turn"
LIMIT = "HOPCHECK_CACHE_MAX"
LIMIT_MIB = 4096
"""What snapshots may take where nothing else is said: some eighty of the reference lab."""
_SIZE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) ?([KMGT]?)(?:I?B)?", re.IGNORECASE)
_UNITS = {"K": 1 << 10, "": 1 << 20, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def cache_dir() -> Path:
    """The cache's root: $HOPCHECK_CACHE, else $XDG_CACHE_HOME/hopcheck, else ~/.cache/hopcheck. Not created here."""
    if chosen := os.environ.get("HOPCHECK_CACHE"):
        return Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "hopcheck"


def cache_limit() -> int:
    """How many bytes snapshots may take: $HOPCHECK_CACHE_MAX, in MiB or with a suffix; Misuse for what is no size."""
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
        """Where the entry of this key is, or would be."""
        return self.path / key

    @contextmanager
    def locked(self, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Be the only process that changes this shelf; ``waiting`` is called once if another one is at it.

        The kernel drops the locks of a process that is killed, so what is half made under a fresh lock is a ruin, and
        so is a turn that nobody has.
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
            for left in self.path.glob(f".*{TURN}"):
                with contextlib.suppress(Timeout):
                    end_turn(_locked(left, 0))
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

    def wait_turn(self, key: str, timeout_s: float) -> FileLock | None:
        """Be the one who makes the entry of a key, or wait until it is made; None when that takes too long.

        Whoever gets the turn looks again for the entry, and gives it back by ``end_turn``; the kernel does so at death.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            return _locked(self.path / f".{key}{TURN}", timeout_s)
        except Timeout:
            return None

    def touch(self, key: str) -> None:
        """Note that an entry is used: those that are not go first."""
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

        The entry ``spared`` stays whatever its size.
        """
        room = limit - disk_usage(self.entry(spared))
        for entry in self.entries:
            if entry.name != spared:
                room -= disk_usage(entry)
                if room < 0:
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


def end_turn(turn: FileLock) -> None:
    """Let the next one make the entry, and leave no file behind.

    The file goes while it is locked: filelock looks whether a file that it has locked still has its name, and tries
    again where it has not.
    """
    Path(turn.lock_file).unlink(missing_ok=True)
    turn.release()


def _locked(path: Path, timeout_s: float) -> FileLock:
    lock = FileLock(path)
    lock.acquire(timeout=timeout_s)
    return lock


def disk_usage(place: Path) -> int:
    """The bytes that a file, or a folder's files, take on disk; what goes meanwhile takes none."""
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
