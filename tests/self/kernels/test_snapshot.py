from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import cast

import pytest

from topology.errors import KernelUnavailable, SnapshotUnusable
from topology.kernels.qemu import Qemu
from topology.kernels.snapshot import HEAD_BYTES, find_snapshot, save_snapshot

pytestmark = pytest.mark.skipif(shutil.which("zstd") is None, reason="no zstd here; on Debian: apt-get install zstd")

STATE = os.urandom(1 << 20)


class Guest:
    """A QEMU whose state is what it is given, or that cannot write it."""

    def __init__(self, state: bytes = STATE, fails: bool = False) -> None:
        self.state, self.fails, self.commands = state, fails, list[str]()

    def command(self, name: str) -> None:
        self.commands.append(name)

    def migrate_to(self, descriptor: int, timeout_s: float) -> None:
        with os.fdopen(os.dup(descriptor), "wb") as pipe:
            pipe.write(self.state[: len(self.state) // (2 if self.fails else 1)])
        if self.fails:
            raise KernelUnavailable("QEMU - no")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own."""
    monkeypatch.setenv("HOPCHECK_CACHE", str(tmp_path))
    return tmp_path / "snapshots"


def save(guest: Guest, key: str = "key") -> list[str]:
    """Save a guest; what was said."""
    said: list[str] = []
    save_snapshot(cast(Qemu, guest), key, "print", said.append)
    return said


def test_what_was_saved_comes_back(cache: Path) -> None:
    """The state is unpacked as it was, the guest runs on, and nothing else is in the cache."""
    guest = Guest()
    assert save(guest) == ["saving the fabric for the next run"]
    assert guest.commands == ["stop", "cont"]
    assert [path.name for path in cache.iterdir()] == ["key"]
    found = find_snapshot("key")
    assert found
    assert found.fingerprint == "print"
    with found.stream() as descriptor, os.fdopen(os.dup(descriptor), "rb") as unpacked:
        assert unpacked.read() == STATE


def test_what_is_there_is_not_saved_again() -> None:
    """A second guest of the same key is not even stopped."""
    save(Guest())
    second = Guest(b"other")
    assert save(second) == []
    assert second.commands == []


def test_a_guest_that_cannot_be_saved_runs_on_unsaved(cache: Path) -> None:
    """Half a state is no snapshot: nothing stays, and it is said."""
    guest = Guest(fails=True)
    assert save(guest)[-1] == "no snapshot was saved: QEMU - no"
    assert guest.commands == ["stop", "cont"]
    assert list(cache.iterdir()) == []
    assert find_snapshot("key") is None


@pytest.mark.parametrize("size", [0, HEAD_BYTES - 1, HEAD_BYTES + 1000])
def test_a_snapshot_that_was_cut_off_is_refused(cache: Path, size: int) -> None:
    """Wherever it ends too early."""
    save(Guest())
    os.truncate(cache / "key", size)
    with pytest.raises(SnapshotUnusable):
        find_snapshot("key")


@pytest.mark.parametrize("place", [0, 20, HEAD_BYTES + 5, -1])
def test_a_snapshot_with_a_changed_byte_is_refused(cache: Path, place: int) -> None:
    """Be it in the manifest or in the state."""
    save(Guest())
    content = bytearray((cache / "key").read_bytes())
    content[place] ^= 0xFF
    (cache / "key").write_bytes(content)
    with pytest.raises(SnapshotUnusable):
        find_snapshot("key")


def test_a_snapshot_of_another_key_is_refused(cache: Path) -> None:
    """A file under another name is not taken."""
    save(Guest())
    (cache / "key").rename(cache / "other")
    with pytest.raises(SnapshotUnusable, match="expected the state that was saved"):
        find_snapshot("other")


@pytest.mark.parametrize("text", ["[]", "7", '{"key": 7}', "{", "[" * 4000])
def test_a_head_that_is_no_manifest_is_refused(cache: Path, text: str) -> None:
    """JSON of another form, or none."""
    save(Guest())
    with (cache / "key").open("r+b") as file:
        file.seek(8)
        file.write(text.encode().ljust(HEAD_BYTES - 8))
    with pytest.raises(SnapshotUnusable):
        find_snapshot("key")
