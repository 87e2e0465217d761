"""A submission's archive is hostile input: regular files with plain names are made, within limits, and nothing else."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from topology.kernels.student import unpack as reader
from topology.kernels.student.unpack import REFUSED, Folder, unpack

FILES = {"build.sh": b"echo\n", "lib/a.py": b"pass\n"}


def tarred(files: Mapping[str, bytes], kind: bytes = tarfile.REGTYPE) -> bytes:
    """A tar archive; of another kind than regular files the entries lead to /etc/passwd."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "" if kind == tarfile.REGTYPE else "/etc/passwd"
            entry.size = len(data) if kind == tarfile.REGTYPE else 0
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def unpacked(packed: bytes, place: Path) -> tuple[Folder, dict[str, bytes]]:
    """The folder, and the files that are in it afterwards."""
    folder = Folder(str(place))
    unpack(io.BytesIO(packed), folder)
    return folder, {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_every_format_gives_the_same_files(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """Plain or compressed, tar or zip, the files are those that were packed."""
    assert unpacked(pack(tarred(FILES)), tmp_path / "tar")[1] == FILES
    assert unpacked(zipped(FILES), tmp_path / "zip")[1] == FILES


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_what_is_no_regular_file_is_left_out(kind: bytes, tmp_path: Path) -> None:
    """Links, devices and pipes are named, not made."""
    folder, there = unpacked(tarred({"x": b""}, kind), tmp_path)
    assert (there, folder.left_out, list(tmp_path.iterdir())) == ({}, ["x: no regular file"], [])


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "a\\..\\x", "n" * 256, "d/" * 40 + "x", "x\x1b[2J"])
@pytest.mark.parametrize("pack", [tarred, zipped])
def test_name_that_is_not_plain_is_refused(
    pack: Callable[[Mapping[str, bytes]], bytes], name: str, tmp_path: Path
) -> None:
    """A name that leads out of the folder, or is no name for a file, ends it before anything is written."""
    place = tmp_path / "inside"
    with pytest.raises(ValueError, match="plain relative name"):
        unpacked(pack({name: b"x"}), place)
    assert list(tmp_path.rglob("x*")) == []


@pytest.mark.parametrize("pack", [tarred, zipped, lambda files: gzip.compress(tarred(files))])
def test_bomb_is_counted_while_it_inflates(
    pack: Callable[[Mapping[str, bytes]], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More bytes or more files than the limits end it."""
    monkeypatch.setattr(reader, "BYTES_MAX", 1 << 16)
    monkeypatch.setattr(reader, "FILES_MAX", 3)
    with pytest.raises(ValueError, match=r"at most (65536|131072) bytes"):
        unpacked(pack({"zeros": bytes(1 << 17)}), tmp_path)
    with pytest.raises(ValueError, match="at most 3 files"):
        unpacked(pack({f"n{n}": b"" for n in range(4)}), tmp_path)


@pytest.mark.parametrize(
    "damaged", [b"", b"PK\3\4junk", b"\x1f\x8bjunk", b"\xfd7zXZ\0junk", b"junk", tarred(FILES)[:600]]
)
def test_damaged_archive_is_refused(damaged: bytes, tmp_path: Path) -> None:
    """What is no archive is an error that the reader reports, never another one."""
    with pytest.raises(REFUSED):
        unpacked(damaged, tmp_path)
