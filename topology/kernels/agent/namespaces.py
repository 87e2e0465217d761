"""Network namespaces by name, as ``ip-netns(8)`` keeps them: bind mounts under ``/run/netns``."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
from collections.abc import Iterator

NETNS_DIR = "/run/netns"
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}")
CLONE_NEWNET = 0x40000000
"""linux/sched.h"""
MS_BIND, MNT_DETACH = 4096, 2
"""linux/mount.h"""

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    """Turn libc's -1 into OSError."""
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), what)


def identity(status: os.stat_result) -> tuple[int, ...]:
    """What tells a namespace's file from every other."""
    return status.st_dev, status.st_ino


class Namespaces:
    """The named network namespaces, each held open; the name None is the agent's own."""

    def __init__(self) -> None:
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.fds: dict[str, int] = {}

    def fd(self, name: str | None) -> int:
        """The open descriptor of a namespace; FileNotFoundError where there is none of that name."""
        if name is None:
            return self.home
        if name not in self.fds:
            self.fds[name] = os.open(self.path(name), os.O_RDONLY)
        return self.fds[name]

    @staticmethod
    def path(name: str) -> str:
        """Where a namespace of that name is mounted; ValueError for what cannot be a name."""
        if not NAME.fullmatch(name):
            raise ValueError(f"not a namespace's name: {name!r}")
        return os.path.join(NETNS_DIR, name)

    @contextlib.contextmanager
    def inside(self, name: str | None) -> Iterator[None]:
        """Act in a namespace, then come home whatever happened."""
        check(libc.setns(self.fd(name), CLONE_NEWNET), "setns")
        try:
            yield
        finally:
            check(libc.setns(self.home, CLONE_NEWNET), "setns")

    def add(self, name: str) -> int:
        """Make a namespace and give its descriptor; FileExistsError where the name is taken."""
        path = self.path(name)
        os.makedirs(NETNS_DIR, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDONLY, 0o444))
        check(libc.unshare(CLONE_NEWNET), "unshare")
        try:
            check(libc.mount(b"/proc/self/ns/net", path.encode(), b"none", MS_BIND, None), "mount")
        finally:
            check(libc.setns(self.home, CLONE_NEWNET), "setns")
        return self.fd(name)

    def adopt(self, name: str, path: str, never: list[list[int]]) -> int:
        """Give a namespace that somebody else has made a name here; PermissionError for one that is not to be entered.

        That is the first of this machine, the agent's own, and each of ``never`` (device and inode number).
        """
        place = self.path(name)
        found = os.open(path, os.O_RDONLY)
        try:
            forbidden = {identity(os.fstat(self.home)), *map(tuple, never)}
            with contextlib.suppress(PermissionError):  # who may not look at process 1 cannot enter its namespace
                forbidden.add(identity(os.stat("/proc/1/ns/net")))
            if identity(os.fstat(found)) in forbidden:
                raise PermissionError(errno.EPERM, "not a namespace to be entered", path)
            os.makedirs(NETNS_DIR, exist_ok=True)
            os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_RDONLY, 0o444))
            source = f"/proc/self/fd/{found}".encode()
            check(libc.mount(source, place.encode(), b"none", MS_BIND, None), "mount")
        finally:
            os.close(found)
        return self.fd(name)

    def remove(self, name: str) -> None:
        """Unmount a namespace; it ends when nothing holds it any more."""
        path = self.path(name)
        if name in self.fds:
            os.close(self.fds.pop(name))
        check(libc.umount2(path.encode(), MNT_DETACH), "umount")
        os.unlink(path)

    def names(self) -> list[str]:
        """What is mounted, sorted."""
        return sorted(os.listdir(NETNS_DIR)) if os.path.isdir(NETNS_DIR) else []
