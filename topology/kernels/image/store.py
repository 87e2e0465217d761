"""The finished guest image in the cache: found by its recipe's key, made or imported at most once."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from topology.errors import ImageError
from topology.kernels.cache import Shelf
from topology.kernels.image.build import build
from topology.kernels.image.recipe import RECIPE, Recipe

FILES = ("kernel", "initrd", "rootfs")
MANIFEST = "manifest.json"
KEPT_IMAGES = 2
"""The current image and one before it: changing branches back and forth costs no rebuild."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Image:
    """A guest image on this machine; the three files are world-readable and must be opened read-only."""

    kernel: Path
    initrd: Path
    rootfs: Path
    key: str
    machine: str


@dataclass(frozen=True)
class Member:
    """What a manifest says of one file: SHA-256 in hexadecimal, and size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """What an image's directory, or an exported file, claims to hold."""

    key: str
    machine: str
    files: Mapping[str, Member]

    def text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"

    @classmethod
    def parse(cls, text: str | bytes) -> Manifest:
        """From JSON; ValueError if it is not exactly a manifest (hostile input: every field is checked)."""
        try:
            raw = json.loads(text)
            members = {name: Member(**raw["files"][name]) for name in FILES}
            manifest = cls(raw["key"], raw["machine"], members)
            sound = set(raw["files"]) == set(FILES) and set(raw) == {"key", "machine", "files"}
        except (KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"not a manifest: {error!r}") from error
        words = [manifest.key, manifest.machine, *(member.sha256 for member in members.values())]
        sizes = [member.size for member in members.values()]
        if not (sound and all(type(w) is str for w in words) and all(type(s) is int and s > 0 for s in sizes)):
            raise ValueError("not a manifest: a field is missing, too many, or of the wrong type")
        return manifest


def find_image(recipe: Recipe = RECIPE) -> Image | None:
    """The image of this recipe if the cache holds it whole (names and sizes; contents were hashed when it came)."""
    place = Shelf("images").entry(recipe.key)
    try:
        manifest = Manifest.parse((place / MANIFEST).read_bytes())
        whole = all((place / name).stat().st_size == member.size for name, member in manifest.files.items())
    except (OSError, ValueError):
        return None
    if not whole or manifest.key != recipe.key:
        return None
    return Image(place / "kernel", place / "initrd", place / "rootfs", manifest.key, manifest.machine)


def ensure_image(progress: Progress, recipe: Recipe = RECIPE) -> Image:
    """The image of this recipe, built now if the cache lacks it (about a minute, network needed).

    Raises ImageError: not an x86_64 machine, a missing tool, or a failed build with the end of its log.
    """
    if (found := find_image(recipe)) is not None:
        return found
    if platform.machine() != recipe.machine:
        raise ImageError(
            f"guest image - this machine - expected {recipe.machine}, the only one it is made for so far"
            f" - seen {platform.machine()}"
        )

    def make(place: Path) -> None:
        build(recipe, place, progress)
        members = {name: describe(place / name) for name in FILES}
        (place / MANIFEST).write_text(Manifest(recipe.key, recipe.machine, members).text(), encoding="ascii")

    return add_image(make, progress, recipe)


def add_image(make: Callable[[Path], None], progress: Progress, recipe: Recipe = RECIPE) -> Image:
    """Let ``make`` fill a directory with FILES and a MANIFEST and put it in the cache, unless another process did."""
    shelf = Shelf("images")
    try:
        with shelf.locked(lambda: progress("another process is making the guest image; waiting for it")):
            if (found := find_image(recipe)) is not None:
                progress(f"guest image already there: {found.rootfs.parent}")
                return found
            with shelf.making() as place:
                make(place)
                for file in place.iterdir():
                    file.chmod(0o644)
                shelf.publish(place, recipe.key)
            shelf.keep_newest(KEPT_IMAGES)
    except OSError as error:
        raise ImageError(f"guest image - {error.filename or shelf.path} - {error.strerror or error}") from error
    made = find_image(recipe)
    if made is None:
        raise ImageError(f"guest image - {shelf.entry(recipe.key)} - expected a whole image - seen files missing")
    progress(f"guest image ready: {made.rootfs.parent}")
    return made


def describe(file: Path) -> Member:
    """A file's entry in a manifest."""
    with file.open("rb") as stream:
        return Member(hashlib.file_digest(stream, "sha256").hexdigest(), file.stat().st_size)
