"""Writing files whole."""

from __future__ import annotations

from pathlib import Path


def write_atomically(path: Path, text: str | bytes) -> None:
    """Write a file so that a reader sees all of it or nothing, and the old file if it cannot be written."""
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_bytes(text.encode() if isinstance(text, str) else text)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
