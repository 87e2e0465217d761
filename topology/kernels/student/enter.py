"""Runs a command inside the student's machine, from outside it: ``enter.py GROUP OOM_ADJUSTMENT FOLDER COMMAND``.

No file of the machine is executed before all its namespaces are entered.
"""

from __future__ import annotations

import os
import resource
import signal
import sys

from topology.kernels.student.calls import (
    CLONE_NEWPID,
    INSIDE,
    PR_SET_PDEATHSIG,
    become_root,
    checked,
    enter,
    libc,
    put,
)
from topology.kernels.student.setup import BOX, FIRST_USER, PID_FILE

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "USER": "root",
    "LOGNAME": "root",
    "SHELL": "/bin/bash",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
    "DEBIAN_FRONTEND": "noninteractive",
    "DOCKER_TIMEOUT": "600",  # of Ansible's modules, in seconds; emulated and busy, a container may take over 60
}
OPEN_FILES = 1 << 16


def go_inside(group: str, oom_adjustment: int) -> None:
    """Enter the control group and the namespaces of the machine, as its root."""
    with open(PID_FILE, encoding="ascii") as file:
        machine = os.pidfd_open(int(file.read()))
    folder = f"{BOX}/{group}"
    if not os.path.isdir(folder):
        os.mkdir(folder)
        os.chown(folder, FIRST_USER, FIRST_USER)
        os.chown(f"{folder}/cgroup.procs", FIRST_USER, FIRST_USER)
    put(f"{folder}/cgroup.procs", str(os.getpid()))
    put("/proc/self/oom_score_adj", str(oom_adjustment))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_NPROC, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    enter(machine, CLONE_NEWPID)
    enter(machine, INSIDE)
    become_root()


def main() -> None:
    """Enter, run, and end as the command ends."""
    group, oom_adjustment, folder, command = sys.argv[1:]
    go_inside(group, int(oom_adjustment))
    terminal = os.openpty()[1]  # `docker exec -it` asks for one; nothing is typed
    child = os.fork()  # the first process in the machine's PID namespace
    if child == 0:
        checked(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
        os.dup2(terminal, 0)
        os.chdir(folder)
        os.execve("/bin/sh", ["sh", "-c", command], ENVIRONMENT)
    status = os.waitpid(child, 0)[1]
    os._exit(os.waitstatus_to_exitcode(status) % 256 if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
