"""The containers of a killed run are removed; those of a run that has called its reaper off stay."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer

import pytest

from topology.kernels.engine import CHECKOUT
from topology.wait import wait_for

RUN = """
import sys
from types import SimpleNamespace
from topology.kernels.engine import start_reaper
call_off = start_reaper(SimpleNamespace(address=sys.argv[1], session="ours"))
print(flush=True)
input()
call_off()
"""


class FakeEngine(ThreadingUnixStreamServer):
    """An engine with one container, and another that it is still making when the first is removed."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), Answer)
        self.address = f"unix://{path}"
        self.containers, self.late = ["first"], ["late"]
        self.filters: set[str] = set()


class Answer(BaseHTTPRequestHandler):
    """The part of docker's API that removal uses."""

    server: FakeEngine

    def do_GET(self) -> None:
        if "/containers/json" in self.path:
            self.server.filters.add(self.path.partition("filters=")[2])
            self.say([{"Id": name} for name in self.server.containers])
        else:
            self.say({"ApiVersion": "1.41", "Version": "20.10"})

    def do_DELETE(self) -> None:
        self.server.containers, self.server.late = self.server.late, []
        self.send_response(204)
        self.end_headers()

    def say(self, body: object) -> None:
        """Answer with JSON."""
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FakeEngine]:
    """A running engine."""
    with FakeEngine(tmp_path / "engine.sock") as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def run(engine: FakeEngine) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has made containers and waits."""
    command = (sys.executable, "-c", RUN, engine.address)
    with subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        yield process
        process.kill()


def reaper_of(process: subprocess.Popen[bytes]) -> int:
    """The reaper's number: the only child."""
    return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])


def test_killed_run_leaves_no_container(engine: FakeEngine, run: subprocess.Popen[bytes]) -> None:
    """The reaper removes the session's containers, also one that appears after the first look, and ends."""
    reaper = reaper_of(run)
    assert os.getsid(reaper) == reaper
    run.kill()
    wait_for(lambda: not Path(f"/proc/{reaper}/cmdline").exists() or not engine.containers, 10, "the removal")
    assert (engine.containers, engine.late) == ([], [])
    assert all("hopcheck.session%3Dours" in found for found in engine.filters)


def test_reaper_that_is_called_off_removes_nothing(engine: FakeEngine, run: subprocess.Popen[bytes]) -> None:
    """Containers of a kept fabric stay when the run ends."""
    reaper = reaper_of(run)
    run.communicate(b"\n")
    assert run.returncode == 0
    assert not Path(f"/proc/{reaper}").exists()
    assert engine.containers == ["first"]
