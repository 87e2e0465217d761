"""What this process makes that could outlive it, noted with a reaper of its own before it is made.

The reaper is another process, in a session of its own, at the other end of a pipe. However we die, it then sees the
pipe's end and removes what was noted and not forgotten. Its journal is a file in the cache, locked as long as it
lives: should it be killed as well, the next run's start finds the file unlocked, its owner dead, and does the work.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from topology.errors import KernelUnavailable
from topology.kernels.cache import RUNS, cache_dir
from topology.kernels.owner import Owner

CHECKOUT = Path(__file__).parents[2]
JOURNAL = ".journal"
Note = Mapping[str, Any]


class Journal:
    """The notes of one process; its reaper starts with the first of them."""

    def __init__(self) -> None:
        self._reaper: subprocess.Popen[bytes] | None = None
        self._notes: dict[int, Note] = {}
        self._number = 0
        self._lock = threading.Lock()

    def note(self, kind: str, **what: Any) -> Callable[[], None]:
        """Have something removed if we die; gives the function that takes the note back, which may be called twice."""
        with self._lock:
            self._number += 1
            number, note = self._number, {"note": self._number, "kind": kind, **what}
            self._notes[number] = note
            self._tell(note)
        return lambda: self._forget(number)

    def _forget(self, number: int) -> None:
        with self._lock:
            if self._notes.pop(number, None) is not None:
                self._tell({"forget": number})

    def _tell(self, entry: Note) -> None:
        """Write to the reaper; one that was killed is replaced, and told everything again."""
        if self._reaper is not None:
            with contextlib.suppress(BrokenPipeError):
                _write(self._reaper, entry)
                return
            self._reaper.wait()
        else:
            atexit.register(self.close)
        self._reaper = _start_reaper()
        try:
            for note in self._notes.values():
                _write(self._reaper, note)
        except BrokenPipeError as error:
            raise KernelUnavailable(f"reaper - expected to listen - seen exit code {self._reaper.wait()}") from error

    def close(self) -> None:
        """Let the reaper go, with whatever it still has to remove, and wait for it."""
        with self._lock:
            if self._reaper is not None:
                self._reaper.communicate()
            self._reaper = None
            self._notes.clear()


journal = Journal()
"""This process's own."""


def _start_reaper() -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            (sys.executable, "-m", "topology.kernels.reaper", str(runs_folder()), str(Owner.this_process())),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=CHECKOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise KernelUnavailable(f"reaper - expected to start - seen {error}") from error


def _write(reaper: subprocess.Popen[bytes], entry: Note) -> None:
    assert reaper.stdin
    os.write(reaper.stdin.fileno(), json.dumps(entry).encode() + b"\n")


def runs_folder() -> Path:
    """Where the reapers keep their journals."""
    return cache_dir() / RUNS


@dataclass(frozen=True)
class Left:
    """The journal of a run that died together with its reaper, and what it had not removed."""

    path: Path
    notes: tuple[Note, ...]


@contextlib.contextmanager
def claimed(path: Path) -> Iterator[IO[str] | None]:
    """A journal's file, locked; None where its reaper lives, or somebody else is at it."""
    try:
        file = path.open("r+")
    except FileNotFoundError:
        yield None
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        # Its last holder may have removed it while we opened it.
        yield file if os.fstat(file.fileno()).st_nlink else None


def left_by_dead_runs() -> tuple[Left, ...]:
    """What runs have left that died together with their reapers; nothing of a run that lives, or cannot be judged."""
    found = []
    for path in sorted(runs_folder().glob(f"*{JOURNAL}")):
        with claimed(path) as file:
            if file is not None and (left := read_journal(path, file)) is not None:
                found.append(left)
    return tuple(found)


def read_journal(path: Path, file: IO[str]) -> Left | None:
    """What a journal's file says is left; None where its owner is not surely dead, or cannot be read."""
    first, *rest = file.read().split("\n")
    owner = Owner.parse(first)
    if owner is None or not owner.is_surely_dead:
        return None
    notes: dict[int, Note] = {}
    for line in rest:
        apply_line(notes, line)
    return Left(path, tuple(notes.values()))


def apply_line(notes: dict[int, Note], line: str) -> None:
    """Add or take back a note; a line that a death has cut short says nothing."""
    try:
        entry = json.loads(line)
    except ValueError:
        return
    if not isinstance(entry, dict):
        return
    if "forget" in entry:
        notes.pop(entry["forget"], None)
    elif "note" in entry:
        notes[entry["note"]] = entry
