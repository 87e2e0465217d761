"""Finds submissions and packs them: a folder, an archive, a lab that its author declared, or Gradescope's export.

A folder is read once, by descriptors that follow no link, into a tar of its regular files. An archive is read as it is
and never unpacked here: the student's machine does that.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from topology.errors import Misuse
from topology.formats.text_file import displayed
from topology.formats.yaml_positions import Items, Scalar, Table, Tree, parse

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.zst")
DECLARED = (".clab.yml", ".clab.yaml", ".yml", ".yaml")
"""Suffixes of a lab that stands for a submission."""
METADATA = "submission_metadata.yml"
"""Gradescope's list of who submitted what, beside the folders of its export."""
BYTES_MAX, FILES_MAX, DEPTH_MAX = 16 << 20, 5000, 32
"""What a submission may hold: bytes, files and folders, and folders in one another."""
METADATA_MAX = 64 << 20
FIT = f"a folder, an archive ({', '.join(ARCHIVES)}), a lab file, or Gradescope's export"


@dataclass(frozen=True)
class Packed:
    """A submission as it travels into the student's machine; ``left_out`` are what is neither file nor folder there.

    ``form`` is the archive's suffix, which of a folder is ``.tar``.
    """

    form: str
    content: bytes = field(repr=False)
    left_out: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """The content's SHA-256 in hex; a folder with the same files has the same."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True)
class Submission:
    """One submission: its name, where it is, and who submitted it, where that is known."""

    name: str
    path: Path
    people: str = ""

    def packed(self) -> Packed:
        """Read it; raises Misuse for one that cannot be read or is too large."""
        form = _form(self.path)
        try:
            return _pack(self.path) if form is None else Packed(form, _whole(self.path))
        except OSError as error:
            raise Misuse(f"{self.path}: cannot be read: {error.strerror}; {FIT}") from None


def find_submissions(paths: Iterable[Path]) -> list[Submission]:
    """The submissions at the paths, in their order; raises Misuse where there is none, or two have one name."""
    found = [one for path in paths for one in _at(path)]
    if not found:
        raise Misuse(f"no submission; {FIT}")
    known: dict[str, Submission] = {}
    for one in found:
        if (other := known.setdefault(one.name.casefold(), one)) is not one:
            raise Misuse(f"{one.path}: {other.path} is called {other.name} too; a name of its own for each submission")
    return found


def _at(path: Path) -> Iterator[Submission]:
    if path.name == METADATA:
        return
    if not path.is_symlink() and path.is_dir() and (path / METADATA).is_file():
        people = _people(path / METADATA)
        folders = sorted(entry.name for entry in os.scandir(path) if entry.is_dir(follow_symlinks=False))
        yield from (Submission(_decoded(name), path / name, people.get(name, "")) for name in folders)
        return
    form = _form(path)
    beside = path.absolute().parent / METADATA
    people = _people(beside) if form is None and beside.is_file() else {}
    name = path.absolute().name.removesuffix(form or "")
    yield Submission(_decoded(name), path, people.get(name, ""))


def _decoded(name: str) -> str:
    """A file's name as text; bytes that are no UTF-8 become replacement characters."""
    return os.fsencode(name).decode("utf-8", "replace")


def _form(path: Path) -> str | None:
    """The suffix of a submission that is a file, None for a folder."""
    try:
        mode = path.lstat().st_mode
    except (OSError, ValueError):
        raise Misuse(f"{path}: no such file; {FIT}") from None
    if stat.S_ISDIR(mode):
        return None
    fitting = [suffix for suffix in (*ARCHIVES, *DECLARED) if path.name.lower().endswith(suffix)]
    if not stat.S_ISREG(mode) or not fitting:
        raise Misuse(f"{path}: no submission; {FIT}")
    return max(fitting, key=len)


def _whole(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(BYTES_MAX + 1) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    if content is None or len(content) > BYTES_MAX:
        what = "no longer a file" if content is None else f"larger than {BYTES_MAX >> 20} MiB"
        raise Misuse(f"{path}: {what}; {FIT}")
    return content


def _pack(path: Path) -> Packed:
    """A folder as a tar whose bytes depend on names, contents and the right to execute alone."""
    packing = _Packing(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        packing.folder(descriptor, "", 1)
    finally:
        os.close(descriptor)
    packing.tar.close()
    return Packed(".tar", packing.buffer.getvalue(), tuple(packing.left_out))


class _Packing:
    """A folder on its way into a tar."""

    def __init__(self, path: Path) -> None:
        self.path, self.buffer = path, io.BytesIO()
        self.tar = tarfile.TarFile(mode="w", fileobj=self.buffer, format=tarfile.GNU_FORMAT, errors="surrogateescape")
        self.left_out: list[str] = []
        self.count = self.bytes = 0

    def folder(self, descriptor: int, below: str, depth: int) -> None:
        """Add what an open folder holds; ``below`` is its path in the tar, with a slash at the end."""
        if depth > DEPTH_MAX:
            raise self._too_much(f"folders {depth} deep", f"at most {DEPTH_MAX}")
        for name in sorted(os.listdir(descriptor)):
            self.count += 1
            if self.count > FILES_MAX:
                raise self._too_much(f"more than {FILES_MAX} files", "without what a build makes")
            self._entry(descriptor, name, below + name, depth)

    def _entry(self, folder: int, name: str, inside: str, depth: int) -> None:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
            self.left_out.append(inside)
            return
        flags = os.O_DIRECTORY if stat.S_ISDIR(mode) else os.O_NONBLOCK
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=folder)
        try:
            if stat.S_ISDIR(mode):
                self.folder(opened, f"{inside}/", depth + 1)
            else:
                self._file(opened, inside)
        finally:
            os.close(opened)

    def _file(self, opened: int, inside: str) -> None:
        status = os.fstat(opened)
        if not stat.S_ISREG(status.st_mode):
            self.left_out.append(inside)
            return
        with os.fdopen(opened, "rb", closefd=False) as file:
            content = file.read(BYTES_MAX - self.bytes + 1)
        self.bytes += len(content)
        if self.bytes > BYTES_MAX:
            raise self._too_much(f"more than {BYTES_MAX >> 20} MiB", "without what a build makes")
        member = tarfile.TarInfo(inside)
        member.size, member.mode = len(content), 0o755 if status.st_mode & 0o111 else 0o644
        self.tar.addfile(member, io.BytesIO(content))

    def _too_much(self, what: str, right: str) -> Misuse:
        return Misuse(f"{self.path}: {what}; {right}")


def _people(path: Path) -> Mapping[str, str]:
    """Who submitted each folder of an export, as ``name (student's number)``; raises LabError for what is no YAML.

    Earlier results, which the file also holds, are not looked at: they can be any size and form.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            lines = file.read(METADATA_MAX).splitlines()
    except OSError as error:
        raise Misuse(f"{path}: cannot be read: {error.strerror}; {FIT}") from None
    tree, _ = parse("\n".join(_submitters_only(lines)) or "{}", displayed(path))
    entries = tree.entries.items() if isinstance(tree, Table) else ()
    return {name: ", ".join(_each(value)) for name, (_, value) in entries}


def _submitters_only(lines: Sequence[str]) -> Iterator[str]:
    """The lines of the keys at the margin, and of the list of submitters below each; the others become empty."""
    kept = False
    for line in lines:
        indent = len(line) - len(line.lstrip(" "))
        if indent == 2 and line[2] != "-":
            kept = line.startswith("  :submitters:")
        yield line if kept or not indent else ""


def _each(value: Tree) -> Iterator[str]:
    listed = _at_key(value, ":submitters")
    for one in listed.items if isinstance(listed, Items) else ():
        name, number, mail = (_text(one, f":{key}") for key in ("name", "sid", "email"))
        yield f"{name or mail} ({number})" if number and (name or mail) else name or mail or number


def _at_key(value: Tree, key: str) -> Tree | None:
    return value.entries[key][1] if isinstance(value, Table) and key in value.entries else None


def _text(value: Tree, key: str) -> str:
    found = _at_key(value, key)
    return found.text if isinstance(found, Scalar) and found.text not in ("~", "null") else ""
