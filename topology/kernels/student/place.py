"""The attachment of the guest's files to a folder of the machine, from outside it: ``place.py FOLDER``."""

from __future__ import annotations

import os
import sys

from topology.kernels.student.calls import CLONE_NEWNS, attach, clone_mapped, enter
from topology.kernels.student.setup import PID_FILE


def main() -> None:
    """Mount the guest's root file system, owned by the machine's users, over a folder as the machine sees it."""
    with open(PID_FILE, encoding="ascii") as file:
        machine = f"/proc/{file.read()}/ns"
    users, mounts = (os.open(f"{machine}/{kind}", os.O_RDONLY) for kind in ("user", "mnt"))
    tree = clone_mapped("/", users)
    enter(mounts, CLONE_NEWNS)
    attach(tree, sys.argv[1])
