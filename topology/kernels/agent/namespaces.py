"""Network namespaces by name, as ``ip-netns(8)`` keeps them: bind mounts under ``/run/netns``."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
from collections.abc import Iterator

NETNS_DIR = "/run/netns"
WORDS_MAX = 200
"""Characters of a command line: enough to recognise the owner of a namespace."""
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
    """Device and inode number of a namespace's file."""
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
        """The mount point of a namespace of that name; ValueError for an invalid name."""
        if not NAME.fullmatch(name):
            raise ValueError(f"not a namespace's name: {name!r}")
        return os.path.join(NETNS_DIR, name)

    @contextlib.contextmanager
    def inside(self, name: str | None) -> Iterator[None]:
        """Act in a namespace, then come home in any case."""
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
        """Give a foreign namespace a name here; PermissionError for one that is not to be entered.

        That is the first of this machine, the agent's own, and each of ``never`` (device and inode number).
        """
        place = self.path(name)
        found = os.open(path, os.O_RDONLY)
        try:
            if identity(os.fstat(found)) in self.forbidden(never):
                raise PermissionError(errno.EPERM, "not a namespace to be entered", path)
            os.makedirs(NETNS_DIR, exist_ok=True)
            os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_RDONLY, 0o444))
            source = f"/proc/self/fd/{found}".encode()
            check(libc.mount(source, place.encode(), b"none", MS_BIND, None), "mount")
        finally:
            os.close(found)
        return self.fd(name)

    def forbidden(self, never: list[list[int]]) -> set[tuple[int, ...]]:
        """Closed namespaces: the first of this machine, the agent's own, and each of ``never``."""
        found = {identity(os.fstat(self.home)), *map(tuple, never)}
        with contextlib.suppress(PermissionError):  # without access to process 1 its namespace is closed
            found.add(identity(os.stat("/proc/1/ns/net")))
        return found

    def identify(self, path: str) -> tuple[int, ...] | None:
        """Device and inode number of the network namespace behind a path; None where there is none (any more)."""
        try:
            status = os.stat(path)
        except OSError:
            return None
        # All namespaces lie in one file system of the kernel's; a name whose mount has gone is a file in another.
        return identity(status) if status.st_dev == os.fstat(self.home).st_dev else None

    def remove(self, name: str) -> None:
        """Unmount a namespace; it ends when nothing holds it any more."""
        path = self.path(name)
        if name in self.fds:
            os.close(self.fds.pop(name))
        check(libc.umount2(path.encode(), MNT_DETACH), "umount")
        os.unlink(path)

    def named_in(self, folder: str) -> Iterator[tuple[str, tuple[int, ...]]]:
        """The namespaces mounted in a folder, sorted by name."""
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            if found := self.identify(os.path.join(folder, name)):
                yield name, found

    def of_processes(self) -> Iterator[tuple[int, tuple[int, ...], list[str]]]:
        """The namespaces that processes are in, each once, with its oldest process and the words of its command."""
        seen = set()
        for pid in sorted(int(entry) for entry in os.listdir("/proc") if entry.isdigit()):
            found = self.identify(f"/proc/{pid}/ns/net")
            if found and found not in seen:
                seen.add(found)
                yield pid, found, words_of(pid)


def words_of(pid: int) -> list[str]:
    """A process's short name, then its command line; blank where it has ended meanwhile."""
    out = []
    for file in ("comm", "cmdline"):
        try:
            with open(f"/proc/{pid}/{file}", errors="replace") as text:
                out += text.read(WORDS_MAX).rstrip("\n\0").split("\0")
        except OSError:
            out.append("")
    return out
