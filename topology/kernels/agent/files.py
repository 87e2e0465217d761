"""Small files of the kernel, such as sysctls, read and written in one piece."""

from __future__ import annotations

import os

FILE_MAX, READ_SIZE = 1 << 18, 1 << 9


def write_text(path: str, text: str, optional: bool) -> None:
    """Write a file in one piece; it must be there, unless that is optional."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)
    except FileNotFoundError:
        if optional:
            return
        raise
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def read_text(path: str) -> str | None:
    """A file's text up to 256 kB, None where there is none.

    A sysctl's reader clears as much memory as it is asked for, so little is asked for until there proves to be more.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    data, size = b"", READ_SIZE
    try:
        while len(data) < FILE_MAX and (part := os.read(descriptor, size)):
            data += part
            size = min(size * 8 if len(part) == size else size, FILE_MAX - len(data))
    finally:
        os.close(descriptor)
    return data.decode(errors="replace")
