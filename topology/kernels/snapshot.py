"""Snapshots: a guest with its fabric up, saved once, brought back in under a second.

A snapshot belongs to everything it was made of: image, agent, plan, QEMU and its options, and this machine's
processor (an emulated TSC runs at the host's rate). All of that is its key; a file that is not whole is discarded and
made again, never trusted. What a restored guest must be told (the time, fresh randomness) is told before anything else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from topology.errors import KernelUnavailable, SnapshotUnusable
from topology.kernels.bundle import agent_source
from topology.kernels.cache import Shelf, cache_limit
from topology.kernels.image import Image
from topology.kernels.qemu import PROGRAM, Qemu, qemu_arguments
from topology.plan import Plan
from topology.wait import scaled

FORMAT = "2"
STATE, MANIFEST = "state.zst", "manifest.json"
SAVE_TIMEOUT_S = 60.0
TURN_TIMEOUT_S = 120.0
"""As long as another run may take to boot, build and save; then we build for ourselves, unsaved."""
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Snapshot:
    """A finished snapshot in the cache."""

    state: Path
    key: str
    fingerprint: str

    @contextlib.contextmanager
    def stream(self) -> Iterator[int]:
        """The saved state, unpacked, as a pipe's descriptor for QEMU to read."""
        unpacking = subprocess.Popen(
            ("zstd", "-dcq", str(self.state)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert unpacking.stdout
        try:
            yield unpacking.stdout.fileno()
        finally:
            unpacking.stdout.close()
            unpacking.kill()
            unpacking.wait()


def snapshot_key(image: Image, accelerator: str, plan: Plan) -> str:
    """What a snapshot depends on, as one name."""
    version = subprocess.run((PROGRAM, "--version"), capture_output=True, text=True, check=False).stdout
    options = qemu_arguments(accelerator, (0, 0, 0), "", 0)
    parts = (FORMAT, image.key, agent_source(), plan.commands, plan.phases, version, options, _processor())
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:24]


def _processor() -> list[str]:
    """The processor's name and flags: a guest with ``-cpu max`` or ``host`` has seen them."""
    lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    return [line for line in lines if line.startswith(("model name", "flags", "stepping", "microcode"))]


def find_snapshot(key: str) -> Snapshot | None:
    """The snapshot of a key; None where there is none. Raises SnapshotUnusable for one that is not whole."""
    shelf = Shelf("snapshots")
    place = shelf.entry(key)
    if not place.is_dir():
        return None
    try:
        manifest = json.loads((place / MANIFEST).read_text())
        whole = (
            isinstance(manifest["fingerprint"], str)
            and manifest["key"] == key
            and manifest["sha256"] == _digest(place / STATE)
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise SnapshotUnusable(f"snapshot {key} - expected a manifest and a state - seen {error!r}") from error
    if not whole:
        raise SnapshotUnusable(f"snapshot {key} - expected the state that was saved - seen another")
    shelf.touch(key)
    return Snapshot(place / STATE, key, str(manifest["fingerprint"]))


def discard_snapshot(key: str) -> None:
    """Remove a snapshot that cannot be used."""
    shelf = Shelf("snapshots")
    with shelf.locked():
        shelf.remove(key)


def wait_turn(key: str) -> FileLock | None:
    """Be the one who makes the snapshot of a key, or wait until it is made; None when that takes too long."""
    return Shelf("snapshots").wait_turn(key, scaled(TURN_TIMEOUT_S))


def save_snapshot(qemu: Qemu, key: str, fingerprint: str, progress: Progress) -> None:
    """Save a running guest and let it run on; does nothing where the snapshot is already there.

    A guest that cannot be saved is said and goes on unsaved: a snapshot is a convenience.
    """
    shelf = Shelf("snapshots")
    try:
        with shelf.locked(lambda: progress("another run is saving a snapshot; waiting for it")):
            if shelf.entry(key).is_dir():
                return
            with shelf.making() as place:
                _write_state(qemu, place / STATE)
                manifest = {"key": key, "fingerprint": fingerprint, "sha256": _digest(place / STATE)}
                (place / MANIFEST).write_text(json.dumps(manifest))
                shelf.publish(place, key)
            shelf.keep_within(cache_limit(), spared=key)
    except (OSError, KernelUnavailable) as error:
        progress(f"no snapshot was saved: {error}")


def _write_state(qemu: Qemu, path: Path) -> None:
    qemu.command("stop")
    try:
        with path.open("wb") as file:
            packing = subprocess.Popen(
                ("zstd", "-1", "-q", "-c"), stdin=subprocess.PIPE, stdout=file, stderr=subprocess.DEVNULL
            )
            assert packing.stdin
            try:
                qemu.migrate_to(packing.stdin.fileno(), SAVE_TIMEOUT_S)
            finally:
                packing.stdin.close()
                code = packing.wait()
        if code:
            raise KernelUnavailable(f"zstd - expected to pack the state - seen exit code {code}")
    finally:
        qemu.command("cont")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fresh_randomness() -> bytes:
    """What a restored guest's random pool is reseeded with: two copies of one snapshot would draw the same bytes."""
    return os.urandom(64)
