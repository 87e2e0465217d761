"""Writes an initrd: a cpio archive in the format ``newc``.

Source: Linux, Documentation/driver-api/early-userspace/buffer-format.rst.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

DIRECTORY = 0o040755
EXECUTABLE = 0o100755
CHARACTER_DEVICE = 0o020600
CONSOLE = (5, 1)
"""Device number of /dev/console (Linux, Documentation/admin-guide/devices.txt); PID 1 prints there."""


def _entry(number: int, name: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0)) -> bytes:
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


def initrd(directories: Sequence[str], files: Mapping[str, bytes]) -> bytes:
    """An archive with these directories (parents first), ``dev/console`` and these executable files."""
    entries = [_entry(number, name, DIRECTORY) for number, name in enumerate(directories, 1)]
    entries.append(_entry(len(entries) + 1, "dev/console", CHARACTER_DEVICE, device=CONSOLE))
    for name, data in files.items():
        entries.append(_entry(len(entries) + 1, name, EXECUTABLE, data))
    return b"".join(entries) + _entry(0, "TRAILER!!!", 0)
