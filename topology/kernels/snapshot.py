"""Snapshots: a guest with its fabric up, saved once, brought back in under a second.

A snapshot belongs to everything it was made of: image, agent, plan, QEMU and its options, and this machine's
processor (an emulated TSC runs at the host's rate). All of that is its key; a file that is not whole is discarded and
made again, never trusted. A restored guest gets the time and fresh randomness before anything else.

A snapshot is one file: a skippable frame of zstd's (RFC 8878, 3.1.2) with the manifest, then the state, packed.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import struct
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from filelock import FileLock

from topology.errors import KernelUnavailable, SnapshotUnusable
from topology.kernels.bundle import agent_source
from topology.kernels.cache import Shelf, cache_limit
from topology.kernels.qemu import MicroVm, Qemu, qemu_arguments, qemu_version
from topology.plan import Plan
from topology.wait import scaled

FORMAT = "3"
HEAD_BYTES = 4096
SKIPPABLE = struct.pack("<II", 0x184D2A50, HEAD_BYTES - 8)
"""A frame that zstd passes over, as large as the head without these two numbers."""
SAVE_TIMEOUT_S = 60.0
TURN_TIMEOUT_S = 120.0
"""Limit for another run to boot, build and save; then we build for ourselves, unsaved."""
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Snapshot:
    """A finished snapshot in the cache."""

    path: Path
    key: str
    fingerprint: str

    @contextlib.contextmanager
    def stream(self) -> Iterator[int]:
        """The saved state, unpacked, as a pipe's descriptor for QEMU to read."""
        unpacking = subprocess.Popen(
            ("zstd", "-dcq", str(self.path)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert unpacking.stdout
        try:
            yield unpacking.stdout.fileno()
        finally:
            unpacking.stdout.close()
            unpacking.kill()
            unpacking.wait()


def snapshot_key(machine: MicroVm, plan: Plan | None) -> str:
    """A snapshot's inputs, as one name."""
    wire, tap = (None if end is None else 0 for end in (machine.wanted.wire, machine.wanted.tap))
    options = qemu_arguments(replace(machine, wanted=replace(machine.wanted, wire=wire, tap=tap)), (0, 0, 0), "", 0)
    containers = machine.wanted.engine
    nodes = (Path(__file__).with_name("engine.py").read_text(), *containers) if containers else ()
    built = (plan.commands, plan.phases, plan.daemons) if plan else machine.wanted.prepared
    made_of = (FORMAT, machine.image.key, nodes, agent_source(), *built)
    parts = (*made_of, qemu_version(), options, _processor())
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:24]


def _processor() -> list[str]:
    """The processor's name and flags: a guest with ``-cpu max`` or ``host`` has seen them."""
    lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    return [line for line in lines if line.startswith(("model name", "flags", "stepping", "microcode"))]


def find_snapshot(key: str) -> Snapshot | None:
    """The snapshot of a key; None where there is none. Raises SnapshotUnusable for one that is not whole."""
    shelf = Shelf("snapshots")
    path = shelf.entry(key)
    try:
        with path.open("rb") as file:
            manifest = read_head(file)
            whole = (
                isinstance(manifest["fingerprint"], str)
                and manifest["key"] == key
                and manifest["sha256"] == _digest(file)
            )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise SnapshotUnusable(f"snapshot {key} - expected a manifest and a state - seen {error!r}") from error
    if not whole:
        raise SnapshotUnusable(f"snapshot {key} - expected the state that was saved - seen another")
    shelf.touch(key)
    return Snapshot(path, key, str(manifest["fingerprint"]))


def discard_snapshot(key: str) -> None:
    """Remove a snapshot that cannot be used."""
    shelf = Shelf("snapshots")
    with shelf.locked():
        shelf.remove(key)


def wait_turn(key: str) -> FileLock | None:
    """Take the turn to make the snapshot of a key, once no other run has it; None when that takes too long."""
    return Shelf("snapshots").wait_turn(key, scaled(TURN_TIMEOUT_S))


def save_snapshot(qemu: Qemu, key: str, fingerprint: str, progress: Progress) -> None:
    """Save a running guest and let it run on; does nothing where the snapshot is already there.

    A guest that cannot be saved is reported and goes on unsaved: a snapshot is a convenience.
    """
    shelf = Shelf("snapshots")
    try:
        with shelf.locked(lambda: progress("another run is saving a snapshot; waiting for it")):
            if shelf.entry(key).exists():
                return
            progress("saving the fabric for the next run")
            with shelf.making() as place, (made := place / "state").open("w+b", buffering=0) as file:
                file.seek(HEAD_BYTES)
                _write_state(qemu, file)
                file.seek(HEAD_BYTES)
                write_head(file, {"key": key, "fingerprint": fingerprint, "sha256": _digest(file)})
                shelf.publish(made, key)
            shelf.keep_within(cache_limit(), spared=key)
    except (OSError, KernelUnavailable) as error:
        progress(f"no snapshot was saved: {error}")


def read_head(file: IO[bytes]) -> Mapping[str, Any]:
    """The manifest at a snapshot's beginning; ValueError where there is none."""
    head = file.read(HEAD_BYTES)
    if not head.startswith(SKIPPABLE):
        raise ValueError("no snapshot of ours")
    return dict(json.loads(head.removeprefix(SKIPPABLE)))


def write_head(file: IO[bytes], manifest: Mapping[str, Any]) -> None:
    """Put the manifest at a snapshot's beginning."""
    file.seek(0)
    file.write(SKIPPABLE + json.dumps(manifest).encode().ljust(HEAD_BYTES - len(SKIPPABLE)))


def _write_state(qemu: Qemu, file: IO[bytes]) -> None:
    qemu.command("stop")
    try:
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


def _digest(file: io.FileIO | io.BufferedReader) -> str:
    """SHA-256 of the rest."""
    return hashlib.file_digest(file, "sha256").hexdigest()


def fresh_randomness() -> bytes:
    """Seed of a restored guest's random pool: two copies of one snapshot would draw the same bytes."""
    return os.urandom(64)
