"""Another machine, as ssh sees it: sshd on the loopback of a sandbox with network, mounts and processes of its own.

Keys, accounts, known hosts and sudoers are files of a folder, mounted over the machine's own inside the sandbox alone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lifecycle.kit.suite import read_results
from topology.errors import NotApplicable
from topology.kernels.link import Completed
from topology.wait import wait_for

SSHD = "/usr/sbin/sshd"
PORT, START_S, TIMEOUT_S = 2222, 10.0, 120.0
NAMESPACES = ("--net", "--mount", "--pid")
USERS = {"root": 0, "bare": 0, "old": 0, "plain": 61001, "asked": 61002}
"""``bare`` has no python3 and ``old`` an old one; ``plain`` is root by sudo, of whom ``asked`` is asked a password."""
SUDOERS = """\
Defaults secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
plain ALL=(ALL) NOPASSWD: ALL
asked ALL=(ALL) ALL
"""
OLD_PYTHON = """\
#!/bin/sh
exec {python} -c 'import sys; sys.version_info = (3, 8); exec(sys.argv[1])' "$4"
"""
SERVER = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/key.pub
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PidFile none
Match User bare
  SetEnv PATH={folder}/bare
Match User old
  SetEnv PATH={folder}/old:/usr/bin:/bin
"""
CLIENT = """\
Host elsewhere stranger keyless
  HostName 127.0.0.1
  Port {port}
  UserKnownHostsFile {folder}/known
Host elsewhere stranger
  IdentityFile {folder}/key
"""
SETUP = """\
mount -t tmpfs tmpfs /run && mkdir -p /run/netns /run/sshd && ip link set lo up &&
for file in passwd group shadow sudoers; do
  if [ -e /etc/$file ]; then mount --bind {folder}/$file /etc/$file || exit; fi
done && exec {sshd} -D -E {folder}/log -f {folder}/server
"""


@dataclass(frozen=True)
class Elsewhere:
    """The machine while it is up; ``process`` is its process 1."""

    folder: Path
    process: int

    def run(self, *argv: str, stdin: str = "") -> Completed:
        """Run a command there, as its owner does."""
        inside = ("nsenter", "--target", str(self.process), *NAMESPACES, "--wd=/", "--", *argv)
        done = subprocess.run(inside, input=stdin, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        return Completed(argv, done.returncode, done.stdout, done.stderr)

    def hopcheck(self, root: Path, *arguments: str, out: str = "out") -> tuple[Completed, dict[str, Any]]:
        """Run pytest there, from the checkout, as the user whose ssh knows the machine; and its results."""
        folder = self.folder / out
        words = (sys.executable, "-m", "pytest", "-c", f"{root}/pyproject.toml", "-p", "no:cacheprovider")
        done = self.run("env", "-C", str(root), "NO_COLOR=1", *words, "--out", str(folder), *arguments)
        return done, dict(read_results(folder / "results.json"))

    def processes(self) -> list[str]:
        """Command lines of what runs there, but for sshd's own process and the one that asks."""
        lines = self.run("ps", "-e", "-o", "pid=,args=").stdout.splitlines()
        words = [line.split(None, 1) for line in lines]
        return [args for pid, args in words if pid != "1" and not args.startswith(("ps -e", "nsenter "))]


@contextlib.contextmanager
def elsewhere() -> Iterator[Elsewhere]:
    """Start the machine, with the keys that its users need, and end it; NotApplicable where that cannot be done."""
    needed = ("ssh", "ssh-keygen", "ip", "nsenter", "ps", "sudo")
    lacking = [name for name in needed if not shutil.which(name)] + [SSHD] * (not Path(SSHD).exists())
    if os.geteuid() != 0 or lacking:
        raise NotApplicable(f"a machine to log in to takes root and {', '.join(lacking or needed)}: .ci/setup tests")
    with contextlib.ExitStack() as undo:
        folder = Path(undo.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        _fill(folder)
        script = SETUP.format(folder=folder, sshd=SSHD)
        command = ("unshare", *NAMESPACES, "--mount-proc", "--fork", "--kill-child=KILL", "sh", "-c", script)
        null, log = subprocess.DEVNULL, folder / "log"
        process = subprocess.Popen(command, stdin=null, stdout=null, stderr=null, start_new_session=True)
        undo.callback(process.wait)
        undo.callback(process.kill)
        wait_for(lambda: log.exists() and "listening" in log.read_text(), START_S, "sshd to listen in its sandbox")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        yield Elsewhere(folder, int(children.split()[0]))


def _fill(folder: Path) -> None:
    """Write all files of the machine."""
    for name in ("key", "host", "other"):
        _done("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name))
    home = folder / "home"
    for new in (home / ".ssh", folder / "bare", folder / "old"):
        new.mkdir(parents=True, mode=0o755)
    for name in ("sh", "id", "unshare"):
        (folder / "bare" / name).symlink_to(shutil.which(name) or name)
    python = folder / "old" / "python3"
    python.write_text(OLD_PYTHON.format(python=sys.executable))
    python.chmod(0o755)
    texts = {
        "passwd": "".join(f"{name}:x:{uid}:{uid}::{home}:/bin/sh\n" for name, uid in USERS.items())
        + "sshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n",
        "group": "".join(f"{name}:x:{uid}:\n" for name, uid in USERS.items()),
        "shadow": "".join(f"{name}:*:19000:0:99999:7:::\n" for name in USERS),
        "sudoers": SUDOERS,
        "server": SERVER.format(port=PORT, folder=folder),
        "home/.ssh/config": CLIENT.format(port=PORT, folder=folder),
        "known": known(folder, "host"),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    (folder / "sudoers").chmod(0o440)


def known(folder: Path, key: str) -> str:
    """The line of known hosts that takes the machine for the owner of a key."""
    return f"[127.0.0.1]:{PORT} {(folder / f'{key}.pub').read_text()}"


def _done(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=TIMEOUT_S)
