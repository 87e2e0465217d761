"""The reaper: ``python -m topology.kernels.reaper FOLDER OWNER`` reads notes from its input until that ends.

Then it removes what was noted and not forgotten, within 15 s, and its journal with it. Started by
``topology.kernels.journal``; ``reap_dead_runs`` does the same for runs whose reaper was killed as well.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO

from topology.errors import DeadlineExceeded, EnvironmentBroken
from topology.kernels.cache import MAKING
from topology.kernels.journal import JOURNAL, Note, apply_line, claimed, read_journal, runs_folder
from topology.kernels.owner import start_time
from topology.wait import wait_for

DEADLINE_S = 15.0
OUR_FOLDERS = (MAKING, "hopcheck-")
"""What the name of a folder starts with that may be removed."""
QUIET_LOOKS, PAUSE_S = 3, 0.3
"""A container that the engine was just making when the run died appears after the first look."""


def main(folder: Path, owner: str) -> None:
    """Keep the journal, then clear up."""
    notes: dict[int, Note] = {}
    with _journal_file(folder) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(f"{owner}\n".encode())
        for line in sys.stdin.buffer:
            file.write(line)
            apply_line(notes, line.decode().rstrip("\n"))
        if remove_all(notes.values()):
            Path(file.name).unlink(missing_ok=True)


def _journal_file(folder: Path) -> IO[bytes]:
    """A new journal; where the cache cannot be written, one that only this process knows."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.NamedTemporaryFile(suffix=JOURNAL, dir=folder, delete=False, buffering=0)
    except OSError:
        return tempfile.NamedTemporaryFile(prefix="hopcheck-", suffix=JOURNAL, delete=False, buffering=0)


def reap_dead_runs() -> list[str]:
    """Remove what runs have left that died together with their reapers; says what it was."""
    done = []
    for path in sorted(runs_folder().glob(f"*{JOURNAL}")):
        with claimed(path) as file:
            left = read_journal(path, file) if file is not None else None
            if left is not None and remove_all(left.notes):
                path.unlink(missing_ok=True)
                done += [describe(note) for note in left.notes]
    return done


def remove_all(notes: Iterable[Note]) -> bool:
    """Remove everything that is noted, one thing's failure not keeping another; whether all of it is gone."""
    results = [_remove(note) for note in notes]
    return all(results)


def _remove(note: Note) -> bool:
    remover = REMOVERS.get(str(note.get("kind")))
    if remover is None:
        return False
    try:
        remover(note)
    except (OSError, EnvironmentBroken):
        return False
    return True


def describe(note: Note) -> str:
    """A note in words."""
    what = " ".join(str(value) for key, value in note.items() if key not in ("note", "kind"))
    return f"{note.get('kind')} {what}"


def _remove_containers(note: Note) -> None:
    from topology.kernels.engine import Engine

    engine = Engine.at(str(note["engine"]))
    quiet = 0

    def none_appeared() -> bool:
        nonlocal quiet
        quiet = 0 if engine.remove_session(str(note["session"])) else quiet + 1
        return quiet >= QUIET_LOOKS

    with contextlib.closing(engine):
        wait_for(none_appeared, DEADLINE_S, "the containers to go", PAUSE_S)


def _end_process(note: Note) -> None:
    pid, started = int(note["pid"]), int(note["started"])
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if start_time(pid) == started:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            wait_for(lambda: start_time(pid) != started or _is_zombie(pid), DEADLINE_S, "the process to end")
    except (ProcessLookupError, DeadlineExceeded):
        return
    finally:
        os.close(handle)


def _is_zombie(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def _remove_folder(note: Note) -> None:
    path = Path(str(note["path"]))
    if not path.name.startswith(OUR_FOLDERS):
        return

    def gone() -> bool:
        shutil.rmtree(path, ignore_errors=True)
        return not path.exists()

    wait_for(gone, DEADLINE_S, "the folder to go", PAUSE_S)


REMOVERS: Mapping[str, Callable[[Note], None]] = {
    "containers": _remove_containers,
    "process": _end_process,
    "folder": _remove_folder,
}
"""What can be noted: containers (engine, session), a process (pid, started), a folder (path)."""


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    main(Path(sys.argv[1]), sys.argv[2])
