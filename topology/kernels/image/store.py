"""The finished guest image in the cache: found by its recipe's key, made or imported at most once."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Literal, TypeAlias

from pydantic import ConfigDict, PositiveInt, TypeAdapter

from topology.errors import ImageError
from topology.kernels.cache import Shelf
from topology.kernels.image.build import build
from topology.kernels.image.recipe import RECIPE, Recipe

File: TypeAlias = Literal["kernel", "initrd", "rootfs"]
FILES: tuple[File, ...] = ("kernel", "initrd", "rootfs")
MANIFEST = "manifest.json"
KEPT_IMAGES = 6
"""Three recipes, the current image of each and one before it: changing branches back and forth costs no rebuild."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Image:
    """A guest image on this machine; the three files are world-readable and must be opened read-only."""

    kernel: Path
    initrd: Path
    rootfs: Path
    key: str
    machine: str


class Strict:
    """Base of the classes below: pydantic refuses unknown keys and values of another type, as an imported manifest is
    hostile.
    """

    __pydantic_config__: ClassVar[ConfigDict] = {"extra": "forbid", "strict": True}


@dataclass(frozen=True)
class Member(Strict):
    """A file as a manifest has it: SHA-256 in hexadecimal, and size in bytes."""

    sha256: str
    size: PositiveInt


@dataclass(frozen=True)
class Manifest(Strict):
    """Contents that an image's directory or exported file claims."""

    key: str
    machine: str
    files: dict[File, Member]

    def text(self) -> str:
        """JSON."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"

    @classmethod
    def parse(cls, text: str | bytes) -> Manifest:
        """From JSON; ValueError if it is not exactly a manifest."""
        manifest = TypeAdapter(cls).validate_json(text)
        if len(manifest.files) != len(FILES):
            raise ValueError("a file is missing")
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
