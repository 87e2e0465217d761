"""What a process has noted goes when it dies, whatever kills it; nothing of a process that lives is touched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from topology.kernels import reaper
from topology.kernels.journal import CHECKOUT, Journal, apply_line, left_by_dead_runs, runs_folder
from topology.kernels.owner import start_time
from topology.kernels.reaper import reap_dead_runs, remove_all
from topology.wait import wait_for

MAKER = """
import json, sys
from topology.kernels.journal import journal
for note in json.loads(sys.argv[1]):
    journal.note(**note)
for word in sys.argv[2:]:
    journal.note("folder", path=word)()
print(flush=True)
input()
"""
DEAD = "h/b/p/1/1"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, also for the processes it starts."""
    monkeypatch.setenv("HOPCHECK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that a run has made, with something in it."""
    made = tmp_path / "hopcheck-made"
    made.mkdir()
    (made / "file").touch()
    return made


@pytest.fixture
def run() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts a process that makes notes and takes back those of ``forgotten``, then waits to be killed."""
    started = []

    def start(*notes: dict[str, object], forgotten: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
        command = (sys.executable, "-c", MAKER, json.dumps(notes), *forgotten)
        process = subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=-3)
        started.append(process)
        assert process.stdout
        process.stdout.readline()
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def journals() -> list[Path]:
    return sorted(runs_folder().glob("*.journal"))


def reaper_of(process: subprocess.Popen[bytes]) -> int:
    """The reaper's number: the only child."""
    return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])


def test_killed_run_leaves_no_folder(run: Callable[..., subprocess.Popen[bytes]], folder: Path) -> None:
    """After SIGKILL the reaper removes what was noted, and its journal."""
    process = run({"kind": "folder", "path": str(folder)})
    process.kill()
    wait_for(lambda: not folder.exists() and not journals(), 5, "the folder to go")


def test_killed_run_leaves_no_process(run: Callable[..., subprocess.Popen[bytes]]) -> None:
    """A process that was noted ends with the run; one that only has the number of a noted one does not."""
    with subprocess.Popen(("sleep", "1000")) as noted, subprocess.Popen(("sleep", "1000")) as other:
        known = [start_time(one.pid) for one in (noted, other)]
        assert None not in known
        process = run(
            {"kind": "process", "pid": other.pid, "started": 1},
            {"kind": "process", "pid": noted.pid, "started": known[0]},
        )
        process.kill()
        assert noted.wait(5) == -signal.SIGKILL
        wait_for(lambda: not journals(), 5, "the reaper's end")
        assert other.poll() is None
        other.kill()


def test_what_was_forgotten_stays(run: Callable[..., subprocess.Popen[bytes]], folder: Path) -> None:
    """A note that was taken back is not acted on."""
    process = run(forgotten=(str(folder),))
    process.kill()
    wait_for(lambda: not journals(), 5, "the reaper's end")
    assert folder.exists()


def test_only_folders_of_ours_are_removed(tmp_path: Path) -> None:
    """A journal that names somebody else's folder is not obeyed."""
    precious = tmp_path / "thesis"
    precious.mkdir()
    remove_all([{"kind": "folder", "path": str(precious)}])
    assert precious.exists()


def test_next_run_does_the_work_of_a_reaper_that_was_killed(
    run: Callable[..., subprocess.Popen[bytes]], folder: Path
) -> None:
    """When the reaper dies with its run, what is left is listed, and the next start removes it and says so."""
    process = run({"kind": "folder", "path": str(folder)})
    wait_for(lambda: "folder" in "".join(path.read_text() for path in journals()), 5, "the note on disk")
    assert left_by_dead_runs() == ()
    assert reap_dead_runs() == []
    os.kill(reaper_of(process), signal.SIGKILL)
    process.kill()
    process.wait()
    wait_for(left_by_dead_runs, 5, "the journal to be free")
    assert [note["path"] for left in left_by_dead_runs() for note in left.notes] == [str(folder)]
    assert reap_dead_runs() == [f"folder {folder}"]
    assert not folder.exists()
    assert journals() == []


def test_run_that_lives_without_its_reaper_is_left_alone(
    run: Callable[..., subprocess.Popen[bytes]], folder: Path
) -> None:
    """A dead reaper does not make its run a dead one."""
    process = run({"kind": "folder", "path": str(folder)})
    wait_for(lambda: "folder" in "".join(path.read_text() for path in journals()), 5, "the note on disk")
    os.kill(reaper_of(process), signal.SIGKILL)
    assert left_by_dead_runs() == ()
    assert reap_dead_runs() == []
    assert folder.exists()


def test_reaper_that_was_killed_is_replaced(folder: Path) -> None:
    """The next note starts another reaper, which is told the notes so far as well."""
    own = Journal()
    own.note("folder", path=str(folder))
    assert own._reaper
    own._reaper.kill()
    own._reaper.wait()
    own.note("folder", path=str(folder.with_name("hopcheck-other")))
    own.close()
    assert not folder.exists()


def test_what_cannot_be_removed_stays_noted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A remover that fails keeps the journal for the next start, and does not keep the others from their work."""

    def fails(_: object) -> None:
        raise OSError("no")

    monkeypatch.setattr(reaper, "REMOVERS", {**reaper.REMOVERS, "process": fails})
    assert not remove_all([{"kind": "process", "pid": 1, "started": 1}, {"kind": "folder", "path": str(folder)}])
    assert not folder.exists()
    assert not remove_all([{"kind": "unheard of"}])


def test_journal_of_nobody_is_left_alone(folder: Path) -> None:
    """A file without an owner, or of another machine's, is not acted on."""
    runs_folder().mkdir(parents=True)
    note = json.dumps({"note": 1, "kind": "folder", "path": str(folder)})
    (runs_folder() / "a.journal").write_text(f"\n{note}\n")
    (runs_folder() / "b.journal").write_text(f"{DEAD}\n{note}\n")
    assert reap_dead_runs() == []
    assert folder.exists()


def test_line_that_a_death_has_cut_short_says_nothing() -> None:
    """The last line of a journal may be half written."""
    notes: dict[int, object] = {}
    for line in ('{"note": 1, "kind": "folder", "path": "x"}', '{"note": 2, "ki', "", "[]", "7", '{"forget": 9}'):
        apply_line(notes, line)  # type: ignore[arg-type]
    assert list(notes) == [1]


def test_reaper_outlives_the_terminal(run: Callable[..., subprocess.Popen[bytes]], folder: Path) -> None:
    """The reaper has a session of its own, so that what ends a terminal's processes does not end it."""
    process = run({"kind": "folder", "path": str(folder)})
    assert os.getsid(reaper_of(process)) != os.getsid(process.pid)
