"""The guest image's cache, builder and exported file, with fake tools in place of mmdebstrap: no root, no network."""

from __future__ import annotations

import hashlib
import io
import os
import platform
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from topology.errors import ImageError
from topology.kernels.cache import Shelf
from topology.kernels.image.__main__ import main
from topology.kernels.image.archive import SIZE_LIMITS, export_image, import_image
from topology.kernels.image.build import initrd
from topology.kernels.image.recipe import RECIPE, Recipe
from topology.kernels.image.store import FILES, KEPT_IMAGES, MANIFEST, Manifest, Member, ensure_image, find_image
from topology.wait import wait_for

ROOT = Path(__file__).parents[2]
MINE = replace(RECIPE, machine=platform.machine())
OTHER = replace(MINE, packages=("another",))
BUILDER = (
    "mkdir out && echo kernel > out/kernel && echo busybox > out/busybox && echo ko > out/11-a.ko && echo root > rootfs"
)


class Tools:
    """Fake programs in a directory at the front of PATH."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, name: str, script: str) -> None:
        """Put a shell script in place of a program."""
        (self.path / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.path / name).chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    made = Tools(tmp_path / "tools")
    made.path.mkdir()
    monkeypatch.setenv("PATH", f"{made.path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOPCHECK_CACHE", str(tmp_path / "cache"))
    made.add("setpriv", 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"')
    for name in ("mkfs.ext4", "unshare", "newuidmap", "newgidmap"):
        made.add(name, "exit 1")
    made.add("mmdebstrap", BUILDER)
    made.add(
        "zstd",
        'case "$*" in *-dc*) shift 2; exec cat "$1" ;; *) while [ "$1" != -o ]; do shift; done; exec cat >"$2" ;; esac',
    )
    return made


@pytest.mark.parametrize("field", [field.name for field in fields(Recipe)])
def test_every_part_of_the_recipe_changes_the_key(field: str) -> None:
    """An image made by another recipe is never taken for this one's."""
    value = getattr(RECIPE, field)
    changed: Any = value + 1 if isinstance(value, int) else value + type(value)("x")
    assert replace(RECIPE, **{field: changed}).key != RECIPE.key


def test_a_build_is_found_again_and_readable_by_all(tools: Tools) -> None:
    """A built image is found by its recipe alone, and an unprivileged QEMU can read it."""
    lines: list[str] = []
    image = ensure_image(lines.append, MINE)
    tools.add("mmdebstrap", "exit 9")
    assert ensure_image(lines.append, MINE) == find_image(MINE) == image
    assert find_image(OTHER) is None
    assert {path.stat().st_mode & 0o777 for path in (image.kernel, image.initrd, image.rootfs)} == {0o644}
    assert image.initrd.read_bytes().startswith(b"070701")
    assert len(lines) == 3


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_a_cached_image_with_a_short_file_is_not_found(tools: Tools, name: str) -> None:
    """A truncated image is made anew, not booted."""
    image = ensure_image(print, MINE)
    image.rootfs.with_name(name).write_bytes(b"")
    assert find_image(MINE) is None
    assert ensure_image(print, MINE) == image


def test_two_builds_at_once_build_once(tools: Tools, tmp_path: Path) -> None:
    """The second waits for the first, says so, and takes what that made."""
    os.mkfifo(tmp_path / "gate")
    tools.add("mmdebstrap", f"echo run >> {tmp_path}/runs; read _ < {tmp_path}/gate; {BUILDER}")
    waiting = Event()

    def hear(line: str) -> None:
        if "waiting" in line:
            waiting.set()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ensure_image, print, MINE)
        wait_for((tmp_path / "runs").exists, 10, "the first build to run")
        second = pool.submit(ensure_image, hear, MINE)
        seen = waiting.wait(10)
        (tmp_path / "gate").write_text("\n")
        assert first.result() == second.result()
    assert seen
    assert (tmp_path / "runs").read_text() == "run\n"


def test_a_failed_build_quotes_the_end_of_its_log(tools: Tools) -> None:
    """A full disk, or a mirror out of reach, shows in the message, and nothing is cached."""
    tools.add("mmdebstrap", "echo E: No space left on device; exit 25")
    with pytest.raises(ImageError, match=r"seen 25(.|\n)*No space left on device"):
        ensure_image(print, MINE)
    assert find_image(MINE) is None
    assert list(Shelf("images").path.iterdir()) == []


def test_another_machine_is_refused(tools: Tools) -> None:
    """A guest for another processor is not even tried."""
    with pytest.raises(ImageError, match="expected sparc"):
        ensure_image(print, replace(MINE, machine="sparc"))


def test_only_the_last_images_stay(tools: Tools) -> None:
    """Old images do not fill the disk."""
    versions = range(1001, 1002 + KEPT_IMAGES)
    made = [ensure_image(print, replace(MINE, version=version)).key for version in versions]
    assert {path.name for path in Shelf("images").path.iterdir()} == set(made[1:])


def test_an_exported_image_comes_back_the_same(tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Export and import carry every byte to another cache."""
    image = ensure_image(print, MINE)
    there = [(image.rootfs.with_name(name)).read_bytes() for name in FILES]
    export_image(tmp_path / "image.tar.zst", recipe=MINE)
    monkeypatch.setenv("HOPCHECK_CACHE", str(tmp_path / "elsewhere"))
    come = import_image(tmp_path / "image.tar.zst", recipe=MINE)
    assert [come.rootfs.with_name(name).read_bytes() for name in FILES] == there
    assert come.rootfs.is_relative_to(tmp_path / "elsewhere")


CONTENT = {name: name.encode() * 100 for name in FILES}
GOOD = Manifest(MINE.key, MINE.machine, {n: Member(hashlib.sha256(c).hexdigest(), len(c)) for n, c in CONTENT.items()})
PARTS = [(MANIFEST, GOOD.text().encode()), *CONTENT.items()]


def archive(parts: list[tuple[str, bytes]], kind: bytes = tarfile.REGTYPE, claimed: int | None = None) -> bytes:
    """A tar archive, its last member perhaps of another kind, or claiming another size."""
    out = io.BytesIO()
    for number, (name, content) in enumerate(parts, 1):
        head = tarfile.TarInfo(name)
        head.size = len(content)
        if number == len(parts):
            head.type, head.linkname = kind, "/etc/passwd" if kind != tarfile.REGTYPE else ""
            head.size = head.size if claimed is None else claimed
        out.write(head.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % tarfile.BLOCKSIZE))
    return out.getvalue() + bytes(2 * tarfile.BLOCKSIZE)


def with_manifest(text: bytes) -> bytes:
    """The good archive under another manifest."""
    return archive([(MANIFEST, text), *CONTENT.items()])


EVIL = {
    "path traversal": (archive([("../manifest.json", PARTS[0][1]), *PARTS[1:]]), "seen '../manifest.json'"),
    "absolute path": (archive([PARTS[0], ("/kernel", b"x")]), "seen '/kernel'"),
    "symbolic link": (archive([PARTS[0], ("kernel", b"")], tarfile.SYMTYPE), "of type b'2'"),
    "hard link": (archive([PARTS[0], ("kernel", b"")], tarfile.LNKTYPE), "of type b'1'"),
    "long name": (archive([PARTS[0], ("k" * 5000, b"x")]), "of type b'L'"),
    "extended header": (archive([PARTS[0], ("kernel", b"x")], tarfile.XHDTYPE), "of type b'x'"),
    "sparse file": (archive([PARTS[0], ("kernel", b"x")], tarfile.GNUTYPE_SPARSE), "of type b'S'"),
    "wrong order": (archive([PARTS[0], PARTS[2]]), "seen 'initrd'"),
    "oversize": (archive(PARTS[:2], claimed=SIZE_LIMITS["kernel"] + 1), "at most"),
    "negative size": (archive(PARTS[:2], claimed=-1), "at most"),
    "wrong hash": (archive([*PARTS[:3], ("rootfs", b"R" * 600)]), "rootfs: damaged"),
    "more than the image": (archive([*PARTS, ("more", b"x")]), "seen more"),
    "no manifest": (archive(PARTS[1:]), "expected the plain file manifest.json"),
    "rubbish manifest": (with_manifest(b"[" * 60000), "not a manifest|recursion"),
    "list manifest": (with_manifest(b"[1]"), "not a manifest"),
    "extra field": (with_manifest(GOOD.text().replace('"key"', '"a": 1, "key"', 1).encode()), "not a manifest"),
    "sizes as text": (with_manifest(GOOD.text().replace('size": 600', 'size": "600"').encode()), "not a manifest"),
    "foreign key": (with_manifest(replace(GOOD, key=OTHER.key).text().encode()), "another version of hopcheck"),
    "foreign machine": (with_manifest(replace(GOOD, machine="sparc").text().encode()), "another version of hopcheck"),
    "not an archive": (b"x" * 2000, "make image-export"),
    "cut off": (archive(PARTS)[:-1025], "too early"),
    "empty": (b"", "too early"),
}


@pytest.mark.parametrize("name", EVIL)
def test_a_bad_import_is_refused_and_leaves_nothing(tools: Tools, tmp_path: Path, name: str) -> None:
    """Any file but an exported image of this version is refused with the reason."""
    content, reason = EVIL[name]
    path = squeeze(tmp_path, content)
    with pytest.raises(ImageError, match=reason):
        import_image(path, recipe=MINE)
    assert list(Shelf("images").path.iterdir()) == []
    assert find_image(MINE) is None
    if name == "empty":  # the archive that every other one differs from is taken
        assert import_image(squeeze(tmp_path, archive(PARTS)), recipe=MINE).rootfs.read_bytes() == CONTENT["rootfs"]


def squeeze(tmp_path: Path, content: bytes) -> Path:
    """The content as a file to import; the tests' zstd compresses by a factor of one."""
    path = tmp_path / "image.tar.zst"
    path.write_bytes(content)
    return path


def test_the_command_line_prints_one_line_per_step(
    tools: Tools, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Errors go to standard error without a traceback, and the exit code is 1."""
    monkeypatch.setattr(platform, "machine", lambda: RECIPE.machine)
    assert main(["where"]) == 1
    assert main(["export", str(tmp_path / "x")]) == 1
    assert "make overlay" in capfd.readouterr().err
    assert main(["build"]) == 0
    assert main(["where"]) == 0
    assert len(capfd.readouterr().out.splitlines()) == 4


def test_the_initrd_names_each_file_with_its_mode() -> None:
    """Walking the archive by its own lengths meets every entry, aligned, to the trailer."""
    made = initrd(("dev",), {"init": b"12345", "empty": b""})
    seen, at = [], 0
    while at < len(made):
        magic, mode, size, name_size = made[at : at + 6], *(int(made[at + o : at + o + 8], 16) for o in (14, 54, 94))
        name = made[at + 110 : at + 110 + name_size - 1].decode()
        data = at + -(-(110 + name_size) // 4) * 4
        seen.append((magic, name, mode, made[data : data + size]))
        at = data + -(-size // 4) * 4
    assert seen == [
        (b"070701", "dev", 0o40755, b""),
        (b"070701", "dev/console", 0o20600, b""),
        (b"070701", "init", 0o100755, b"12345"),
        (b"070701", "empty", 0o100755, b""),
        (b"070701", "TRAILER!!!", 0, b""),
    ]
