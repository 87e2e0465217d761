"""Reads the text of an input file, whatever its format: bounded, UTF-8, and called by the name that messages show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from topology.errors import LabError, Misuse, Position, Problem

MAX_BYTES = 2**20
"""A lab of 10 000 nodes fits into 1 MiB; nothing longer is read."""


def read_text(path: Path, known_labs: Sequence[str] = ()) -> tuple[str, str]:
    """The text of a file, and its name in messages; ``known_labs`` are what else could have been named.

    Raises Misuse for a file that cannot be read, LabError for one that is too long or not UTF-8.
    """
    file = displayed(path)
    return _decoded(_read(path, known_labs), file), file


def displayed(path: Path) -> str:
    """The path as messages show it: from the working directory where it lies below that, else as given."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except (ValueError, OSError, RuntimeError):
        return str(path)


def too_long(file: str) -> LabError:
    """The refusal of a file that nobody wrote by hand."""
    return LabError([Problem(Position(file), "the file is longer than 1 MiB", f"at most {MAX_BYTES} bytes")])


def _read(path: Path, known_labs: Sequence[str]) -> bytes:
    right = f"a lab file, or one of the known labs: {', '.join(known_labs)}" if known_labs else "an existing file"
    try:
        if not path.is_file():
            raise Misuse(f"{path}: {'not a file' if path.exists() else 'no such file'}; {right}")
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise Misuse(f"{path}: cannot be read: {reason}; {right}") from None


def _decoded(content: bytes, file: str) -> str:
    if len(content) > MAX_BYTES:
        raise too_long(file)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        where = Position(file, before.count(b"\n") + 1, column)
        what = f"the byte 0x{content[error.start]:02x} is not UTF-8"
        raise LabError([Problem(where, what, "text saved as UTF-8")]) from None
