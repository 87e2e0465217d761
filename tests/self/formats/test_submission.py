"""Submissions are found and read without following, unpacking or believing anything in them."""

from __future__ import annotations

import io
import os
import socket
import tarfile
from pathlib import Path

import pytest

from topology.errors import Misuse
from topology.formats import submission
from topology.formats.submission import Packed, find_submissions

EXPORT = """\
---
submission_11:
  :submitters:
  - :name: Ada Lovelace
    :sid: '42'
    :email: ada@example.edu
  - :name: Alan
    :sid:
    :email: alan@example.edu
  :created_at: 2020-01-01 00:00:00.000000000 Z
  :results: !ruby/hash:ActiveSupport::HashWithIndifferentAccess
    output: "a: b
      unbalanced
submission_12:
  :submitters:
    - :email: "<b>x"
"""


def members(packed: Packed) -> dict[str, tuple[int, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(packed.content), errors="surrogateescape") as tar:
        found = {one.name: (one.mode, tar.extractfile(one)) for one in tar.getmembers() if one.isreg()}
        assert len(found) == len(tar.getmembers())
        return {name: (mode, file.read()) for name, (mode, file) in found.items() if file}


def test_folder_is_packed_without_what_is_no_file(tmp_path: Path) -> None:
    """Links, pipes and sockets are left out and named; nothing outside is read; the bytes depend on the files alone."""
    (tmp_path / "secret").write_text("secret")
    for name in ("a", "b"):
        work = tmp_path / name
        (work / "sub" / "deep").mkdir(parents=True)
        (work / "build.sh").write_text("#!/bin/sh\n")
        (work / "build.sh").chmod(0o754)
        (work / "sub" / "deep" / "\udcff long").write_text("x")
        (work / ("n" * 150)).write_text("")
        (work / "link").symlink_to(tmp_path / "secret")
        (work / "up").symlink_to(tmp_path)
        os.mkfifo(work / "sub" / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "b" / "socket"))
    first, second = (one.packed() for one in find_submissions([tmp_path / "a", tmp_path / "b"]))
    assert members(first) == {
        "build.sh": (0o755, b"#!/bin/sh\n"),
        "sub/deep/\udcff long": (0o644, b"x"),
        "n" * 150: (0o644, b""),
    }
    assert (first.form, first.left_out) == (".tar", ("link", "sub/pipe", "up"))
    assert second.left_out == ("link", "socket", "sub/pipe", "up")
    assert first.digest == second.digest


@pytest.mark.parametrize("name", ["a.zip", "b.tar.gz", "c.TAR.XZ", "d.tar.zst", "e.clab.yml", "f.yaml"])
def test_file_travels_as_it_is(name: str, tmp_path: Path) -> None:
    """An archive is not opened, whatever it holds; the name of the submission is without the suffix."""
    (tmp_path / name).write_bytes(b"no archive")
    (found,) = find_submissions([tmp_path / name])
    packed = found.packed()
    assert (found.name + packed.form).casefold() == name.casefold() or found.name == name
    assert packed.content == b"no archive"


def test_export_is_read_as_it_is(tmp_path: Path) -> None:
    """All of it by its folder, or one by one; its people come from its list, in which only they are looked at."""
    (tmp_path / "submission_metadata.yml").write_text(EXPORT)
    for name in ("submission_11", "submission_12", "submission_13"):
        (tmp_path / name).mkdir()
    (tmp_path / "out").symlink_to("/")
    (tmp_path / "\udcff").mkdir()
    whole = find_submissions([tmp_path])
    assert [(one.name, one.people) for one in whole] == [
        ("submission_11", "Ada Lovelace (42), Alan"),
        ("submission_12", "<b>x"),
        ("submission_13", ""),
        ("\ufffd", ""),
    ]
    assert find_submissions(sorted(path for path in tmp_path.glob("sub*"))) == whole[:-1]


def test_what_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing, no archive, a link, two of one name, one too large, too deep or with too many files."""
    monkeypatch.setattr(submission, "BYTES_MAX", 1000)
    monkeypatch.setattr(submission, "FILES_MAX", 5)
    monkeypatch.setattr(submission, "DEPTH_MAX", 3)
    (tmp_path / "x.zip").write_bytes(b"0" * 1001)
    (tmp_path / "X").mkdir()
    (tmp_path / "x.txt").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "X")
    (tmp_path / "deep" / "2" / "3" / "4").mkdir(parents=True)
    (tmp_path / "many").mkdir()
    (tmp_path / "large").mkdir()
    for number in range(6):
        (tmp_path / "many" / str(number)).write_text("")
    for number in range(2):
        (tmp_path / "large" / str(number)).write_bytes(b"0" * 600)
    for names, words in {
        (): "no submission; a folder, an archive",
        ("none",): "none: no such file",
        ("x.txt",): "x.txt: no submission",
        ("link",): "link: no submission",
        ("X", "x.zip"): "is called X too",
    }.items():
        with pytest.raises(Misuse, match=words):
            find_submissions([tmp_path / name for name in names])
    for name, words in {
        "x.zip": "larger than 0 MiB",
        "deep": "folders 4 deep; at most 3",
        "many": "more than 5 files",
        "large": "more than 0 MiB",
    }.items():
        with pytest.raises(Misuse, match=words):
            find_submissions([tmp_path / name])[0].packed()


def test_what_becomes_a_link_in_between_is_not_followed(tmp_path: Path) -> None:
    """A folder or archive that is replaced by a link after it was found is refused, not followed."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b.zip").write_bytes(b"")
    found = find_submissions([tmp_path / "a", tmp_path / "b.zip"])
    (tmp_path / "a").rmdir()
    (tmp_path / "a").symlink_to("/etc")
    (tmp_path / "b.zip").unlink()
    (tmp_path / "b.zip").symlink_to("/etc/passwd")
    with pytest.raises(Misuse):
        found[0].packed()
    with pytest.raises(Misuse):
        found[1].packed()
