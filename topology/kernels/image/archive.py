"""A guest image as one file, to carry it to a machine that cannot build it.

The file is a plain tar archive (manifest first, then the image's files, nothing else) compressed by zstd. Imported
files are hostile input: the reader takes only the names, the order and the sizes it expects, follows no link, reads
no extended header, and hashes everything against the manifest before the image exists.
"""

from __future__ import annotations

import hashlib
import io
import platform
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from topology.errors import ImageError
from topology.kernels.image.recipe import RECIPE, Recipe
from topology.kernels.image.store import FILES, MANIFEST, Image, Manifest, Member, Progress, add_image, find_image

SIZE_LIMITS = {MANIFEST: 1 << 16, "kernel": 1 << 28, "initrd": 1 << 28, "rootfs": 1 << 32}
"""Bytes; far above what any recipe makes, far below what would fill a disk."""

CHUNK = 1 << 20


def export_image(path: Path, progress: Progress = lambda _: None, recipe: Recipe = RECIPE) -> None:
    """Write the cached image of this recipe to a file; it is there whole or not at all. Raises ImageError."""
    image = find_image(recipe)
    if image is None:
        raise ImageError(f"export - the cache - expected image {recipe.key} - seen none - run `make overlay` first")
    partial = path.with_name(path.name + ".partial")
    try:
        with _zstd(["-q", "-T0", "-f", "-o", str(partial.absolute())], path, stdin=subprocess.PIPE) as process:
            assert process.stdin is not None
            with tarfile.open(fileobj=process.stdin, mode="w|", format=tarfile.USTAR_FORMAT) as archive:
                for name in (MANIFEST, *FILES):
                    archive.add(image.rootfs.with_name(name), name, filter=_anonymous)
            process.stdin.close()
        partial.rename(path)
    except OSError as error:
        raise ImageError(f"export - {path} - {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
    progress(f"exported image {recipe.key}: {path}, {path.stat().st_size >> 20} MiB")


def import_image(path: Path, progress: Progress = lambda _: None, recipe: Recipe = RECIPE) -> Image:
    """Put an exported image into the cache.

    Raises ImageError, and leaves nothing behind, if the file is damaged, is no such export, or holds another
    recipe's image.
    """
    if platform.machine() != recipe.machine:
        raise ImageError(f"import - this machine - expected {recipe.machine} - seen {platform.machine()}")

    def make(place: Path) -> None:
        try:
            with _zstd(["-q", "-dc", str(path.resolve())], path, stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                _unpack(process.stdout, place, recipe)
        except (ValueError, tarfile.HeaderError) as error:
            raise ImageError(f"import - {path} - expected an image written by `make image-export` - {error}") from error

    if not path.is_file():
        raise ImageError(f"import - {path} - expected a file written by `make image-export` - seen none")
    return add_image(make, progress, recipe)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


@contextmanager
def _zstd(
    arguments: list[str], path: Path, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    """A running zstd; its complaint becomes an ImageError unless the body has a better one."""
    command = ["zstd", *arguments]
    try:
        process = subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE)
    except FileNotFoundError as error:
        raise ImageError(f"{path} - expected the program zstd - seen none - as root: apt-get install zstd") from error
    with process:
        try:
            yield process
        except BrokenPipeError:
            pass
        except BaseException:
            process.kill()
            raise
        assert process.stderr is not None
        complaint = process.stderr.read().decode(errors="replace").strip()
    if process.returncode:
        raise ImageError(f"{path} - zstd - expected exit code 0 - seen {process.returncode} - {complaint}")


def _unpack(stream: IO[bytes], place: Path, recipe: Recipe) -> None:
    """Read manifest and files in their one legal order; ValueError says what differs."""
    text = io.BytesIO()
    _copy(stream, MANIFEST, text)
    try:
        manifest = Manifest.parse(text.getvalue())
    except ValueError as error:
        raise ValueError(f"not a manifest: {' '.join(str(error).split())[:160]}") from error
    if (manifest.key, manifest.machine) != (recipe.key, recipe.machine):
        raise ValueError(
            f"expected image {recipe.key!r} for {recipe.machine!r} - seen {manifest.key[:64]!r} for"
            f" {manifest.machine[:64]!r}, made by another version of hopcheck: check out the version that made it,"
            " or run `make image-export` on a machine with this version"
        )
    for name in FILES:
        with (place / name).open("xb") as file:
            seen = _copy(stream, name, file)
        if seen != (member := manifest.files[name]):
            raise ValueError(f"{name}: damaged: expected {member} - seen {seen}")
    if stream.read(tarfile.RECORDSIZE).strip(b"\0") or stream.read(1):
        raise ValueError("expected the end of the archive - seen more")
    (place / MANIFEST).write_text(manifest.text(), encoding="ascii")


def _copy(stream: IO[bytes], name: str, target: IO[bytes]) -> Member:
    """Copy the content of the next member, which must be the plain file ``name``, and say what it was."""
    head = tarfile.TarInfo.frombuf(_exactly(stream, tarfile.BLOCKSIZE), "utf-8", "strict")
    if head.name != name or head.type != tarfile.REGTYPE:
        raise ValueError(f"expected the plain file {name} - seen {head.name[:100]!r} of type {head.type!r}")
    if not 0 < head.size <= SIZE_LIMITS[name]:
        raise ValueError(f"{name}: expected at most {SIZE_LIMITS[name]} bytes - seen {head.size}")
    digest = hashlib.sha256()
    left = head.size
    while left:
        data = _exactly(stream, min(left, CHUNK))
        digest.update(data)
        target.write(data)
        left -= len(data)
    _exactly(stream, -head.size % tarfile.BLOCKSIZE)
    return Member(digest.hexdigest(), head.size)


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise ValueError("the file ends too early")
    return data
