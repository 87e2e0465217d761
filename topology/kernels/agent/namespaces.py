"""Network namespaces by name, as ``ip-netns(8)`` keeps them: bind mounts under ``/run/netns``."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
from collections.abc import Callable, Iterator

NETNS_DIR = "/run/netns"
PROCESS_LINK = re.compile(r"/proc/([1-9][0-9]{0,8})/ns/net")
"""What engines' namespaces are commonly linked to under NETNS_DIR, for ip-netns(8)."""
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
        self.on_change: Callable[[str], None] = lambda _: None
        """Called with a name that has come to mean another namespace."""

    def fd(self, name: str | None) -> int:
        """The open descriptor of a namespace; FileNotFoundError where there is none of that name.

        Its owner may have removed the namespace and made another one of the name, which is then the one that is meant.
        One that has only been removed stays open.
        """
        if name is None:
            return self.home
        path = self.path(name)
        if name in self.fds and self.identify(path) not in (None, identity(os.fstat(self.fds[name]))):
            os.close(self.fds.pop(name))
            self.on_change(name)
        if name not in self.fds:
            self.fds[name] = os.open(path, os.O_RDONLY)
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
        found = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # should it be a pipe, it must not hold us
        try:
            if self.identify(f"/proc/self/fd/{found}") is None:
                raise OSError(errno.EINVAL, "not a network namespace", path)
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

    def named_in(self, folder: str, closed: bool = False) -> Iterator[tuple[str, tuple[int, ...]]]:
        """The namespaces mounted in a folder, sorted by name; in a ``closed`` one no link is followed."""
        for name in entries(folder, closed):
            path = os.path.join(folder, name)
            if not (closed and os.path.islink(path)) and (found := self.identify(path)):
                yield name, found

    @staticmethod
    def links_in(folder: str) -> Iterator[tuple[str, int]]:
        """The links in a folder to the namespaces of processes: name and process, as numbered where it was written."""
        for name in entries(folder, True):
            with contextlib.suppress(OSError):
                if to := PROCESS_LINK.fullmatch(os.readlink(os.path.join(folder, name))):
                    yield name, int(to[1])

    @staticmethod
    def numbers_in(init: int) -> Iterator[tuple[int, int]]:
        """The processes of the PID namespace of process ``init``, and below: the number there, and the one here."""
        depth = len(pid_numbers(init)) - 1
        for pid in sorted(int(entry) for entry in os.listdir("/proc") if entry.isdigit()):
            numbers = pid_numbers(pid)
            if len(numbers) > depth and os.path.exists(f"/proc/{pid}/ns/net"):
                yield numbers[depth], pid

    def of_processes(self) -> Iterator[tuple[int, tuple[int, ...], list[str]]]:
        """The namespaces that processes are in, each once, with its oldest process and the words of its command."""
        seen = set()
        for pid in sorted(int(entry) for entry in os.listdir("/proc") if entry.isdigit()):
            found = self.identify(f"/proc/{pid}/ns/net")
            if found and found not in seen:
                seen.add(found)
                yield pid, found, words_of(pid)


def entries(folder: str, closed: bool) -> list[str]:
    """The names in a folder, sorted, none where there is no such folder; a ``closed`` one is reached by no link."""
    parts = folder.split("/")
    ways = ("/".join(parts[:n]) for n in range(5, len(parts) + 1))  # below /proc/N/root, which is a link itself
    if not os.path.isdir(folder) or (closed and any(map(os.path.islink, ways))):
        return []
    return sorted(os.listdir(folder))


def pid_numbers(pid: int) -> list[int]:
    """A process's numbers in its PID namespaces, the outermost first (NSpid in proc(5)); none where it has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as text:
            line = next((line for line in text if line.startswith("NSpid:")), "")
    except OSError:
        line = ""
    return [int(number) for number in line.split()[1:]]


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
