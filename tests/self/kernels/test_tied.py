from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.self.house.sources import ROOT
from topology.kernels.tied import dies_with
from topology.wait import wait_for

START = """
import subprocess, sys, threading
import os
from topology.kernels.tied import dies_with
death, still_there = dies_with(os.getpid())
child = subprocess.Popen(("setpriv", *death, "--", *still_there, "sh", "-c", "echo $$; exec sleep 1000"))
threading.Event().wait()
"""


def test_a_tied_process_dies_with_its_parent() -> None:
    """A parent that is killed takes it along at once."""
    with subprocess.Popen([sys.executable, "-c", START], cwd=ROOT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        assert Path(f"/proc/{child}").exists()
        parent.kill()
        parent.wait()
        wait_for(lambda: not Path(f"/proc/{child}").exists(), 5, "the child's end")


def test_a_process_that_was_orphaned_before_it_was_tied_does_not_start(tmp_path: Path) -> None:
    """A parent that died before the signal was asked for is noticed: the command does not run."""
    for parent, starts in ((os.getpid(), True), (os.getppid(), False)):
        death, check = dies_with(parent)
        (tmp_path / "there").unlink(missing_ok=True)
        code = subprocess.run(("setpriv", *death, "--", *check, "touch", str(tmp_path / "there"))).returncode
        assert (code == 0, (tmp_path / "there").exists()) == (starts, starts)


def test_the_signal_can_be_chosen() -> None:
    """What must clean up behind itself is asked to, not killed."""
    assert dies_with(1, "TERM")[0] == ("--pdeathsig=TERM",)
