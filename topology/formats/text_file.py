"""Reads the text of an input file: bounded, UTF-8, every refusal with its place."""

from __future__ import annotations

from pathlib import Path

from topology.errors import LabError, Misuse, Position, Problem

MAX_BYTES = 2**20
"""A lab of 10 000 nodes fits into 1 MiB; nothing longer is read."""


def displayed(path: Path) -> str:
    """Return the path for messages: relative to the working directory if it lies below that, else as given."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except (ValueError, OSError, RuntimeError):
        return str(path)


def path_below(folder: Path, said: str) -> Path:
    """Return the path of a file below a lab file's folder; Misuse for one elsewhere, and for what is no path."""
    try:
        path = (folder / said).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise Misuse(f"{said!r} is no path: {error}; a file in the lab file's folder or below") from None
    if not path.is_relative_to(folder):
        raise Misuse(f"{said} is outside of the lab file's folder; a file in it or below")
    return path


def read_text(path: Path, right: str) -> str:
    """Return the file's text, without a byte order mark.

    Raises Misuse for a file that cannot be read, with ``right`` as the right use, and LabError for one that is
    too long or not UTF-8.
    """
    try:
        if not path.is_file():
            raise Misuse(f"{path}: {'not a file' if path.exists() else 'no such file'}; {right}")
        with path.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise Misuse(f"{path}: cannot be read: {reason}; {right}") from None
    file = displayed(path)
    refuse_too_long(len(content), file)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        where = Position(file, before.count(b"\n") + 1, column)
        what = f"the byte 0x{content[error.start]:02x} is not UTF-8"
        raise LabError([Problem(where, what, "text saved as UTF-8")]) from None


def refuse_too_long(size: int, file: str) -> None:
    """Raise LabError for a text that is longer than any sound file."""
    if size > MAX_BYTES:
        raise LabError([Problem(Position(file), "the file is longer than 1 MiB", f"at most {MAX_BYTES} bytes")])
