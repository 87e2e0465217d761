"""Gradescope's packages: a zip that grades there, or one that hands out what was graded elsewhere. Pure, but for files.

Of the platform: https://gradescope-autograders.readthedocs.io (specifications, troubleshooting).
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from reports.grading.record import Graded
from reports.words import grouped
from topology.errors import Misuse
from topology.formats.recipe import Recipe
from topology.formats.rubric import Rubric

ROOT = Path(__file__).parents[2]
PRODUCT = (".ci", "hopcheck", "pyproject.toml", "topology", "reports", "fixtures")
"""What of the checkout grades."""
HANDED = (
    *("topology/__init__.py", "topology/kernels/__init__.py", "topology/kernels/student/__init__.py"),
    *("topology/kernels/student/contents.py", "reports/__init__.py", "reports/grading/__init__.py"),
    "reports/grading/handout.py",
)
"""What of the checkout hands out."""
MINUTES_MIN, MINUTES_MAX, RESERVE_S = 10, 40, 120
"""The platform's time-outs, and the seconds before one at which we end by ourselves."""
QEMU_MIB, OWN_MIB = 130, 120
"""Memory of QEMU beside its guest's, and of ourselves: with a guest of 512 MiB all together took at most 633."""
START_S, PROOF_S, CLEANUP_S = 60, 60, 600
"""Seconds of one processor to boot and set up a machine where the saved one does not fit, and to prove what stands."""
SETUP = """#!/bin/sh
set -eu
cd /autograder/source/hopcheck
apt-get update
apt-get install -y --no-install-recommends python3 python3-venv qemu-system-x86 zstd util-linux
.ci/setup python
.venv/bin/python -m fixtures.gradescope prepare /autograder
"""
RUN = """#!/bin/sh
# The platform's root has no rights over namespaces: what grades is nobody, as nobody's QEMU needs none.
set -eu
here=${HOPCHECK_AUTOGRADER:-/autograder}
chmod a+rwx "$here/results"
chmod -R a+rX "$here/submission"
cd "$here/source/hopcheck"
export HOPCHECK_CACHE="$here/source/cache" HOME=/tmp
exec setpriv --reuid=65534 --regid=65534 --clear-groups .venv/bin/python -m fixtures.gradescope run "$here"
"""
HAND_SETUP = """#!/bin/sh
command -v python3 || { apt-get update && apt-get install -y --no-install-recommends python3-minimal; }
"""
HAND_RUN = """#!/bin/sh
here=${HOPCHECK_AUTOGRADER:-/autograder}
PYTHONPATH=$here/source exec python3 -m reports.grading.handout "$here" "$here/source/results"
"""


@dataclass(frozen=True)
class Size:
    """One of the platform's containers."""

    cpus: float
    memory_mib: int

    def __str__(self) -> str:
        return f"{self.cpus:g} CPU, {self.memory_mib / 1024:g} GB"


SIZES = (Size(0.5, 768), Size(1, 1536), Size(2, 3072), Size(4, 6144))


@dataclass(frozen=True)
class Fit:
    """The container and the time-out that suffice for every submission, whatever it does."""

    size: Size
    minutes: int


def fit(recipe: Recipe, rubric: Rubric, guest_mib: int) -> Fit:
    """Return the smallest container and time-out in which a class's recipe fits; Misuse where it fits in none.

    ``guest_mib`` is the memory of the machine that a submission is built in.
    """
    needed_mib = guest_mib + QEMU_MIB + OWN_MIB
    large = [size for size in SIZES if size.memory_mib >= needed_mib]
    for size in large:
        seconds = _seconds(recipe, rubric, size)
        if seconds <= MINUTES_MAX * 60:
            return Fit(size, max(MINUTES_MIN, math.ceil(seconds / 60)))
    least = math.ceil(_seconds(recipe, rubric, large[-1]) / 60)
    runs, build = _runs(rubric), recipe.total / 60
    why = f"{runs} builds of {build:g} min each" if runs > 1 else f"a build of {build:g} min"
    raise Misuse(
        f"Gradescope ends every run after {MINUTES_MAX} min, this one may take {least} ({why}); shorter deadlines in"
        " the recipe, a rubric without second-run, other-csv and cleans-up, or RESULTS=... of a class graded elsewhere"
    )


def _runs(rubric: Rubric) -> int:
    needs = {name for item in rubric.items for name in item.needs}
    return 1 + len(needs & {"second-run", "other-csv"})


def _seconds(recipe: Recipe, rubric: Rubric, size: Size) -> float:
    """Return the time of all builds, each to its deadline, of our own part of them, and of the reserve."""
    needs = {name for item in rubric.items for name in item.needs}
    machines = 1 + ("other-csv" in needs)
    own = (START_S * machines + PROOF_S * _runs(rubric)) / min(size.cpus, 1)
    return recipe.total * _runs(rubric) + CLEANUP_S * ("cleans-up" in needs) + own + RESERVE_S


def product() -> Iterator[tuple[str, Path]]:
    """Yield the checkout's files that grade, by their names in a package."""
    for name in PRODUCT:
        path = ROOT / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                yield f"hopcheck/{file.relative_to(ROOT)}", file


def handing() -> Iterator[tuple[str, Path]]:
    """Yield the checkout's files that hand out results."""
    return ((name, ROOT / name) for name in HANDED)


def stored_results(graded: Iterable[Graded], results: Mapping[str, bytes]) -> tuple[dict[str, bytes], list[str]]:
    """Return results by the digests of submissions' files, and the names of those that cannot be handed out.

    ``results`` are Gradescope's, by the names of submissions. One is left out where its files are not known, and where
    two have the same files and other results: no student may get another's.
    """
    stored: dict[str, bytes] = {}
    left_out: list[str] = []
    for files, owners in sorted(grouped(graded, attrgetter("files")).items(), key=lambda known: known[0] != ""):
        found = {results[one.name] for one in owners}
        if files and len(found) == 1:
            stored[files] = found.pop()
        else:
            left_out += [one.name for one in owners]
    return stored, left_out


def write_package(path: Path, scripts: Sequence[str], files: Iterable[tuple[str, Path | bytes]]) -> None:
    """Write a zip with setup.sh and run_autograder, which may be executed, and further files; whole or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in zip(("setup.sh", "run_autograder"), scripts, strict=True):
            _add(archive, name, text.encode(), 0o755)
        for name, content in files:
            if isinstance(content, bytes):
                _add(archive, name, content, 0o644)
            else:
                archive.write(content, name, zipfile.ZIP_STORED if content.suffix == ".zst" else None)
    partial.replace(path)


def _add(archive: zipfile.ZipFile, name: str, content: bytes, mode: int) -> None:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (0o100000 | mode) << 16
    archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
