"""Makes the guest image's files from a recipe, with mmdebstrap, as root or as an ordinary user."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from topology.errors import ImageError
from topology.kernels.cache import cache_dir
from topology.kernels.image.recipe import Recipe
from topology.kernels.ownership.processes import dies_with

BUILD_DEADLINE_S = 1800
"""A build takes about a minute; a mirror that trickles gets half an hour."""

LOG_TAIL_LINES = 15

TOOLS = {"mmdebstrap": "mmdebstrap", "mkfs.ext4": "e2fsprogs", "setpriv": "util-linux", "unshare": "util-linux"}
"""Program -> the Debian package that holds it."""

USER_TOOLS = {"newuidmap": "uidmap", "newgidmap": "uidmap"}
"""Further tools of mmdebstrap where it does not run as root."""

HIDDEN_DIRECTORIES = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Directories of mkfs.ext4, not in an ordinary user's PATH on Debian."""

INITRD_DIRECTORIES = ("bin", "dev", "modules", "proc", "root")

DIRECTORY = 0o040755
EXECUTABLE = 0o100755
CHARACTER_DEVICE = 0o020600
CONSOLE = (5, 1)
"""Device number of /dev/console (Linux, Documentation/admin-guide/devices.txt); PID 1 prints there."""


def search_path() -> str:
    """This process's PATH with the system administrator's directories behind it."""
    return os.pathsep.join((os.environ.get("PATH", os.defpath), *HIDDEN_DIRECTORIES))


def missing_packages() -> list[str]:
    """The Debian packages whose programs a build needs and this machine lacks."""
    needed = TOOLS if os.geteuid() == 0 else {**TOOLS, **USER_TOOLS}
    return sorted({package for tool, package in needed.items() if not shutil.which(tool, path=search_path())})


def build(recipe: Recipe, place: Path, progress: Callable[[str], None]) -> None:
    """Fill ``place`` with the files ``kernel``, ``initrd`` and ``rootfs``.

    Raises ImageError: packages missing, or mmdebstrap failed (its output stays in the cache, its end is quoted).
    """
    if packages := missing_packages():
        raise ImageError(
            f"guest image - programs on this machine - expected those of {', '.join(packages)} - seen none"
            f" - as root: apt-get install {' '.join(packages)}"
        )
    progress(f"building the guest image: Debian {recipe.suite}, {len(recipe.packages)} packages and what they need")
    _run(mmdebstrap_command(recipe), place, {**os.environ, **_environment(recipe)})
    progress("packing the guest image's initrd")
    out = place / "out"
    files = {f"modules/{module.name}": module.read_bytes() for module in sorted(out.glob("*.ko"))}
    files["bin/busybox"] = (out / "busybox").read_bytes()
    files["bootstrap.py"] = recipe.bootstrap.encode()
    files["init"] = recipe.init.encode()
    (place / "initrd").write_bytes(initrd(INITRD_DIRECTORIES, files))
    (out / "kernel").rename(place / "kernel")
    shutil.rmtree(out)


def mmdebstrap_command(recipe: Recipe) -> Sequence[str]:
    """The command that leaves ``out/`` and ``rootfs`` in its working directory."""
    # If this process is killed, mmdebstrap gets SIGTERM and removes its own leftovers.
    death, still_there = dies_with(os.getpid(), "TERM")
    return (
        *("setpriv", *death, "--", *still_there),
        *("mmdebstrap", "--variant=minbase", "--format=null", "--architectures=amd64"),
        "--mode=root" if os.geteuid() == 0 else "--mode=unshare",
        '--aptopt=APT::Install-Recommends "false"',
        '--aptopt=Acquire::Retries "3"',
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in recipe.left_out),
        f"--include={','.join(recipe.packages)}",
        '--customize-hook=eval "$COLLECT"',
        "--customize-hook=copy-out /boot/out .",
        '--customize-hook=eval "$PACK"',
        "--customize-hook=download /boot/rootfs rootfs",
        *(recipe.suite, "/dev/null"),
    )


def _environment(recipe: Recipe) -> dict[str, str]:
    """The hooks' variables: passed here, as files may be out of reach of mmdebstrap's user namespace."""
    return {
        "PATH": search_path(),
        "LC_ALL": "C",
        "COLLECT": recipe.collect,
        "PACK": recipe.pack,
        "EARLY_MODULES": " ".join(recipe.early_modules),
        "INITRD": "No",  # Debian's own initrd would be made for nothing
    }


def _run(command: Sequence[str], place: Path, environment: dict[str, str]) -> None:
    log = cache_dir() / "image-build.log"
    with log.open("wb") as output:
        try:
            done = subprocess.run(
                command,
                cwd=place,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=BUILD_DEADLINE_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ImageError(
                f"guest image - mmdebstrap - expected an end within {BUILD_DEADLINE_S} s - {log}"
            ) from None
    if done.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
        raise ImageError(f"guest image - mmdebstrap - expected exit code 0 - seen {done.returncode} - {log}\n{tail}")


def _entry(number: int, name: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0)) -> bytes:
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


def initrd(directories: Sequence[str], files: Mapping[str, bytes]) -> bytes:
    """An initrd with these directories (parents first), ``dev/console`` and these executable files.

    A cpio archive in the format ``newc`` (Linux, Documentation/driver-api/early-userspace/buffer-format.rst).
    """
    entries = [_entry(number, name, DIRECTORY) for number, name in enumerate(directories, 1)]
    entries.append(_entry(len(entries) + 1, "dev/console", CHARACTER_DEVICE, device=CONSOLE))
    for name, data in files.items():
        entries.append(_entry(len(entries) + 1, name, EXECUTABLE, data))
    return b"".join(entries) + _entry(0, "TRAILER!!!", 0)
