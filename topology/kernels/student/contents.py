"""A digest of a submission's files by their paths and contents. Runs inside the guest and on Gradescope, too:
standard library.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Protocol


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int = -1, /) -> bytes:
        """Read as much as asked, or less at the end."""
        ...


def contents_digest(files: Mapping[str, str]) -> str:
    """Return the digest of all files: SHA-256 of their relative paths, each with the SHA-256 of its content."""
    lines = (f"{digest}  {path}\n" for path, digest in sorted(files.items()))
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def folder_digest(folder: str) -> str:
    """Return that of the regular files below a folder; no link is followed."""
    found: dict[str, str] = {}
    for place, _, names in os.walk(folder):
        for path in (os.path.join(place, name) for name in names):
            if os.path.isfile(path) and not os.path.islink(path):
                with open(path, "rb") as file:
                    found[os.path.relpath(path, folder)] = file_digest(file)
    return contents_digest(found)


def file_digest(file: Readable) -> str:
    """Return the SHA-256 of what is read to the end."""
    digest = hashlib.sha256()
    while data := file.read(1 << 16):
        digest.update(data)
    return digest.hexdigest()
