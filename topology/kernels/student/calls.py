"""System calls of the guest that Python has no function for. Runs inside the guest only, standard library."""

from __future__ import annotations

import ctypes
import os
import struct

libc = ctypes.CDLL(None, use_errno=True)

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
"""linux/sched.h"""
INSIDE = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWNET
"""The namespaces that are the machine's own user namespace's."""
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 8, 4096, 16384, 1 << 18
MNT_DETACH = 2
"""linux/mount.h, sys/mount.h"""
SYS_PIVOT_ROOT, SYS_OPEN_TREE, SYS_MOVE_MOUNT, SYS_MOUNT_SETATTR = 155, 428, 429, 442
"""asm/unistd_64.h"""
AT_FDCWD, AT_EMPTY_PATH, OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH = -100, 0x1000, 1, 4
MOUNT_ATTR_IDMAP = 0x100000
"""linux/fcntl.h, linux/mount.h"""
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NAME = 1, 4, 15
"""linux/prctl.h"""


def checked(result: int, what: str) -> int:
    """Turn -1 into OSError; any other result is given back."""
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), what)
    return result


def mount(source: str, target: str, kind: str = "none", flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    words = (source.encode(), target.encode(), kind.encode())
    checked(libc.mount(*words, ctypes.c_ulong(flags), data.encode()), f"mount {target}")


def bind(source: str, target: str) -> None:
    """Show a file or a folder in another place too."""
    mount(source, target, flags=MS_BIND)


def change_root(new: str, old: str) -> None:
    """Make a mount the root of this mount namespace, and let go of the one before."""
    checked(libc.syscall(SYS_PIVOT_ROOT, new.encode(), old.encode()), "pivot_root")
    os.chdir("/")
    place = old.removeprefix(new)
    checked(libc.umount2(place.encode(), MNT_DETACH), f"umount {place}")


def clone_mapped(source: str, users: int) -> int:
    """A mount of a tree in which owners are those that a user namespace maps them to (mount_setattr(2)); detached."""
    tree = checked(libc.syscall(SYS_OPEN_TREE, AT_FDCWD, source.encode(), OPEN_TREE_CLONE), f"open_tree {source}")
    attributes = struct.pack("=QQQQ", MOUNT_ATTR_IDMAP, 0, 0, users)
    size = ctypes.c_size_t(len(attributes))
    checked(libc.syscall(SYS_MOUNT_SETATTR, tree, b"", AT_EMPTY_PATH, attributes, size), "mount_setattr")
    return tree


def attach(tree: int, target: str) -> None:
    """Mount a detached tree (move_mount(2))."""
    call = (SYS_MOVE_MOUNT, tree, b"", AT_FDCWD, target.encode(), MOVE_MOUNT_F_EMPTY_PATH)
    checked(libc.syscall(*call), f"move_mount {target}")


def enter(descriptor: int, kinds: int) -> None:
    """Join namespaces of a process (by its pidfd) or one namespace (by its file): setns(2)."""
    checked(libc.setns(descriptor, kinds), "setns")


def leave_for_new(kinds: int) -> None:
    """unshare(2)."""
    checked(libc.unshare(kinds), "unshare")


def become_root() -> None:
    """Take the user 0 of the user namespace that we are in, and no group of another one."""
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    checked(libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), "prctl")


def put(path: str, text: str) -> None:
    """Write a file of the kernel in one piece."""
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
