"""Unpacks a submission inside the student's machine: ``unpack.py FOLDER``, the archive on standard input.

The archive is hostile input. Regular files and folders are made, with plain relative names, as far as the limits go;
everything else is left out and named. What inflates is counted while it does. The answer is one line of JSON.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from topology.kernels.student.contents import Readable, contents_digest
from topology.kernels.student.enter import go_inside

FILES_MAX, BYTES_MAX, DEPTH_MAX, NAME_MAX = 5000, 64 << 20, 32, 255
LEFT_OUT_MAX = 20
CHUNK = 1 << 16
REFUSED = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, ValueError, RecursionError),
    *(NotImplementedError, RuntimeError, OverflowError, LookupError, MemoryError),
)
"""Errors of damaged and of hostile archives (RuntimeError: an encrypted zip)."""


class Limited(io.RawIOBase):
    """A stream that ends with ValueError once more than the limit has been read from it."""

    def __init__(self, stream: Readable) -> None:
        self._stream, self._left = stream, 2 * BYTES_MAX

    def readable(self) -> bool:
        """True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Read as much as asked, or less at the end."""
        data = self._stream.read(CHUNK if size < 0 else size)
        self._left -= len(data)
        if self._left < 0:
            raise ValueError(f"expected at most {2 * BYTES_MAX} bytes unpacked")
        return data


class Folder:
    """The folder that is filled: ``take`` makes one file, or notes that it is left out."""

    def __init__(self, path: str) -> None:
        self.path, self.files, self.bytes = path, 0, 0
        self.left_out: list[str] = []
        self.digests: dict[str, str] = {}

    def place_of(self, name: str) -> str:
        """The path of a name; ValueError if it would lead out of the folder, or is not a plain name."""
        parts = [part for part in name.split("/") if part not in ("", ".")]
        plain = all(part != ".." and len(part.encode()) <= NAME_MAX and part.isprintable() for part in parts)
        if name.startswith("/") or "\\" in name or not plain or len(parts) > DEPTH_MAX:
            raise ValueError(f"expected a plain relative name - seen {name[:80]!r}")
        return os.path.join(self.path, *parts)

    def make_folder(self, name: str) -> None:
        """Make a folder of the archive."""
        self.count()
        os.makedirs(self.place_of(name), exist_ok=True)

    def take(self, name: str, executable: bool, content: IO[bytes]) -> None:
        """Make a file of the archive; the last of a name counts."""
        self.count()
        place = self.place_of(name)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        if os.path.lexists(place):
            os.unlink(place)
        mode, digest = 0o755 if executable else 0o644, hashlib.sha256()
        with os.fdopen(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb") as file:
            while data := content.read(CHUNK):
                self.bytes += len(data)
                if self.bytes > BYTES_MAX:
                    raise ValueError(f"expected at most {BYTES_MAX} bytes in all files")
                file.write(data)
                digest.update(data)
        self.digests[os.path.relpath(place, self.path)] = digest.hexdigest()

    def count(self) -> None:
        """Count an entry."""
        self.files += 1
        if self.files > FILES_MAX:
            raise ValueError(f"expected at most {FILES_MAX} files")

    def leave_out(self, name: str, what: str) -> None:
        """Note an entry that is not made."""
        self.count()
        self.left_out.append(f"{name[:80]}: {what}")


def unpack(packed: IO[bytes], folder: Folder) -> None:
    """Make the files of an archive of any of the formats."""
    magic = packed.read(6)
    packed.seek(0)
    if magic.startswith(b"PK"):
        unpack_zip(packed, folder)
        return
    with inflated(magic, packed) as stream:
        unpack_tar(stream, folder)


@contextmanager
def inflated(magic: bytes, packed: IO[bytes]) -> Iterator[Readable]:
    """The tar archive inside a compressed one, or the archive itself."""
    if magic.startswith(b"\x1f\x8b"):
        with gzip.GzipFile(fileobj=packed) as stream:
            yield stream
    elif magic.startswith(b"BZh"):
        with bz2.BZ2File(packed) as stream:
            yield stream
    elif magic.startswith(b"\xfd7zXZ\0"):
        with lzma.LZMAFile(packed) as stream:
            yield stream
    elif magic.startswith(b"\x28\xb5\x2f\xfd"):
        with subprocess.Popen(("zstd", "-dcq"), stdin=packed, stdout=subprocess.PIPE) as process:
            assert process.stdout
            try:
                yield process.stdout
            finally:
                process.kill()
    else:
        yield packed


def unpack_tar(stream: Readable, folder: Folder) -> None:
    """Make the files of a tar archive."""
    with tarfile.open(fileobj=Limited(stream), mode="r|", encoding="utf-8", errors="surrogateescape") as archive:
        for member in archive:
            if member.isdir():
                folder.make_folder(member.name)
            elif member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and (content := archive.extractfile(member)):
                folder.take(member.name, bool(member.mode & 0o100), content)
            else:
                folder.leave_out(member.name, "no regular file")


def unpack_zip(packed: IO[bytes], folder: Folder) -> None:
    """Make the files of a zip archive."""
    with zipfile.ZipFile(packed) as archive:
        for member in archive.infolist():
            mode = member.external_attr >> 16
            if member.is_dir():
                folder.make_folder(member.filename)
            elif mode & 0o170000 in (0, 0o100000):
                with archive.open(member) as content:
                    folder.take(member.filename, bool(mode & 0o100), content)
            else:
                folder.leave_out(member.filename, "no regular file")


def main() -> None:
    """Enter the machine, unpack, and say what became of it."""
    folder = Folder(sys.argv[1])
    packed = open(0, "rb")  # noqa: SIM115 - a file in memory, as the agent gives it
    go_inside("deliver", 0)
    if os.fork():
        os._exit(os.wait()[1] >> 8)
    refused = ""
    try:
        os.makedirs(folder.path, exist_ok=True)
        unpack(packed, folder)
    except REFUSED as error:
        refused = f"{type(error).__name__}: {str(error)[:200]}"
    said = {"digest": contents_digest(folder.digests), "refused": refused}
    print(json.dumps({**said, "left_out": folder.left_out[:LEFT_OUT_MAX]}))  # noqa: T201 - the answer
