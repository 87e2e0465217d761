"""The kernel ``guest``: a microVM with Debian's cloud kernel, the agent behind a virtio-serial port, no network card.

KVM is used only after a trial boot has succeeded within a deadline: a ``/dev/kvm`` that opens may still hang as
soon as a guest runs. A trial's result is kept until the machine or its QEMU changes.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from filelock import FileLock

from topology.errors import HopcheckError, KernelUnavailable, SnapshotUnusable
from topology.kernels.agent.namespaces import NETNS_DIR
from topology.kernels.bundle import agent_parcel
from topology.kernels.cache import cache_dir, end_turn
from topology.kernels.enter import command_for
from topology.kernels.image import RECIPE, Recipe, ensure_image
from topology.kernels.kept import PREFIX
from topology.kernels.link import AgentLink
from topology.kernels.qemu import DOOR, PROGRAM, MicroVm, Qemu, kvm_refusal, qemu_version
from topology.kernels.registry import ANYTHING, Kernel, KernelInfo, Others, Progress, Wanted
from topology.kernels.snapshot import (
    Snapshot,
    discard_snapshot,
    find_snapshot,
    fresh_randomness,
    save_snapshot,
    snapshot_key,
    wait_turn,
)
from topology.wait import wait_for

if TYPE_CHECKING:
    from topology.kernels.engine import Engine

BOOT_TIMEOUT_S = {"kvm": 15.0, "tcg": 90.0}
"""A cold boot takes 3 to 5 s under TCG on two cores, less than 2 s under KVM."""
RESTORE_TIMEOUT_S = 20.0
"""A restore takes 0.3 s under TCG on two cores."""


class GuestKernel(Kernel):
    """A microVM."""

    kind = "guest"
    recipe: ClassVar[Recipe] = RECIPE

    def __init__(self, qemu: Qemu, agent: AgentLink, machine: MicroVm, kept_at: Path | None) -> None:
        self.qemu, self.agent, self._kept_at = qemu, agent, kept_at
        self._saved_as: str | None = None
        self._turn: FileLock | None = None
        self._saved_fingerprint = ""
        self.info = KernelInfo(self.kind, str(agent.hello["release"]), machine.accelerator, "")
        self._engine: Engine | None = None

    @classmethod
    def start(cls, progress: Progress, wanted: Wanted = ANYTHING) -> Self:
        """Restore the microVM with the plan's fabric up, or boot it where there is no snapshot of that, or no plan.

        KVM is taken where it works; KernelUnavailable says why there is no microVM, with the console's end.
        """
        if shutil.which(PROGRAM) is None:
            raise KernelUnavailable(f"{PROGRAM} not found; on Debian: apt-get install qemu-system-x86")
        refusal, trial_failed = kvm_refusal() or _remembered_refusal(), False
        if not refusal:
            progress("starting the guest with KVM")
            try:
                return cls._bring_up(MicroVm(ensure_image(progress, cls.recipe), "kvm", wanted))
            except KernelUnavailable as error:
                refusal = f"the trial boot failed: {_gist(str(error))}"
                trial_failed = True
        if wanted.kvm_only:
            raise KernelUnavailable(f"guest - expected KVM - seen software emulation alone: {refusal}")
        progress("starting the guest with software emulation (TCG)")
        kernel = cls._bring_up(MicroVm(ensure_image(progress, cls.recipe), "tcg", wanted))
        kernel.info = replace(kernel.info, why="; ".join(filter(None, (f"no KVM: {refusal}", kernel.info.why))))
        if trial_failed:
            _remember_refusal(refusal)
        return kernel

    @classmethod
    def _bring_up(cls, machine: MicroVm) -> Self:
        """Restore or boot; a snapshot that is not whole or does not come back is reported and made again."""
        if machine.wanted.plan is None and not machine.wanted.prepared:
            return cls._boot(machine)
        key = snapshot_key(machine, machine.wanted.plan)
        kernel, note = cls._try_restore(machine, key)
        if kernel is not None:
            return kernel
        notes = [note]
        with contextlib.ExitStack() as undo:
            if (turn := wait_turn(key)) is not None:
                undo.callback(end_turn, turn)
                kernel, late_note = cls._try_restore(machine, key)
                notes += [late_note]
            else:
                notes += ["it is not saved: another run has not finished making the same snapshot"]
            if kernel is None:
                kernel = cls._boot(machine)
                if turn is not None:
                    kernel._saved_as, kernel._turn = key, turn
                    undo.pop_all()
        kernel.info = replace(kernel.info, why="; ".join(filter(None, (*notes, kernel.info.why))))
        return kernel

    @classmethod
    def _try_restore(cls, machine: MicroVm, key: str) -> tuple[Self | None, str]:
        """The guest of a snapshot, or why the one that was there had to be discarded."""
        try:
            snapshot = find_snapshot(key)
            return (cls._restore(machine, snapshot) if snapshot else None), ""
        except (SnapshotUnusable, KernelUnavailable) as error:
            discard_snapshot(key)
            return None, f"its snapshot was discarded: {str(error)[:160]}"

    @classmethod
    def _restore(cls, machine: MicroVm, snapshot: Snapshot) -> Self:
        def greet(qemu: Qemu, agent: AgentLink) -> None:
            qemu.resume(RESTORE_TIMEOUT_S)
            agent.ask_hello()
            agent.wait_hello(RESTORE_TIMEOUT_S)
            agent.call("restored", fresh_randomness(), set_ns=time.time_ns())

        with snapshot.stream() as state:
            kernel = cls._launch(machine, greet, state)
        kernel.holds_fabric, kernel._saved_as = True, snapshot.key
        kernel._saved_fingerprint = snapshot.fingerprint
        kernel.info = replace(kernel.info, why="restored from a snapshot")
        return kernel

    @classmethod
    def _boot(cls, machine: MicroVm) -> Self:
        def greet(_: Qemu, agent: AgentLink) -> None:
            agent.send(agent_parcel())
            agent.wait_hello(BOOT_TIMEOUT_S[machine.accelerator])

        return cls._launch(machine, greet)

    @classmethod
    def _launch(
        cls,
        machine: MicroVm,
        greet: Callable[[Qemu, AgentLink], None],
        state_fd: int | None = None,
    ) -> Self:
        with contextlib.ExitStack() as undo:
            kept_at = Path(tempfile.mkdtemp(prefix=PREFIX)) if machine.wanted.keep else None
            if kept_at:
                undo.callback(shutil.rmtree, kept_at, ignore_errors=True)
            qemu = Qemu.launch(machine, kept_at, state_fd)
            undo.callback(qemu.close)
            try:
                stream = _connect(kept_at / DOOR, qemu) if kept_at else qemu.agent_stream
                undo.callback(stream.close)
                agent = AgentLink(stream, why_lost=lambda: qemu.health() or qemu.console_tail(), health=qemu.health)
                greet(qemu, agent)
            except (HopcheckError, OSError) as error:
                raise KernelUnavailable(f"{machine.accelerator} boot - {error}", qemu.console()) from error
            undo.pop_all()
        return cls(qemu, agent, machine, kept_at)

    def engine(self) -> Engine:
        """The guest's own container engine; a guest that came with its fabric up has it running."""
        from topology.kernels.engine_guest import engine_behind

        if self._engine is None:
            self._engine = engine_behind(self.agent)
        return self._engine

    def others(self) -> Others:
        """Other namespaces in the guest."""
        return Others(NETNS_DIR)

    def save(self, fingerprint: str, progress: Progress) -> None:
        """Save the guest with the fabric that has just been built in it, and let it run on."""
        if self._saved_as is not None:
            save_snapshot(self.qemu, self._saved_as, fingerprint, progress)
        self._end_turn()

    def is_as_saved(self, fingerprint: str) -> bool:
        """True if the fabric's fingerprint is the saved one."""
        return fingerprint == self._saved_fingerprint

    def discard_saved(self) -> None:
        """Remove the snapshot that this guest came from."""
        if self._saved_as is not None:
            discard_snapshot(self._saved_as)

    def enter(self, node: str) -> str:
        """The command that opens a shell in a node of a kept fabric."""
        return command_for(f"{self._kept_at}/{DOOR}", node)

    @property
    def kept_choice(self) -> str:
        """The choice that adopts what is kept."""
        return f"{self.kind}:{self._kept_at.name.removeprefix(PREFIX)}" if self._kept_at else ""

    def end_command(self) -> str:
        """The command that ends a kept guest."""
        return f"kill {self.qemu.process.pid}"

    @property
    def process(self) -> int:
        """QEMU, or the keeper above it."""
        return self.qemu.process.pid

    def outlive(self) -> None:
        """Have the keeper leave it up."""
        self.qemu.outlive()

    def close(self) -> None:
        """End the guest."""
        self._end_turn()
        self.agent.close()
        self.qemu.close()
        if self._kept_at:
            shutil.rmtree(self._kept_at, ignore_errors=True)

    def _end_turn(self) -> None:
        if self._turn is not None:
            end_turn(self._turn)
        self._turn = None


def _gist(message: str) -> str:
    """The end of a message in the common grammar, without QEMU's output after its first line."""
    return " - ".join(message.split(" - ")[-2:]).split(" / ")[0][:160]


def _connect(path: Path, qemu: Qemu) -> socket.socket:
    stream = socket.socket(socket.AF_UNIX)

    def connected() -> bool:
        if qemu.process.poll() is not None:
            raise KernelUnavailable(qemu.health())
        with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
            stream.connect(str(path))
            return True
        return False

    wait_for(connected, 10, "QEMU's agent socket")
    return stream


def _memory() -> Path:
    return cache_dir() / "accelerator.json"


def _machine_now() -> list[str]:
    """Conditions of a trial's result: this boot of this machine, and its QEMU."""
    return [Path("/proc/sys/kernel/random/boot_id").read_text().strip(), qemu_version()]


def _remembered_refusal() -> str:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads(_memory().read_text())
        if known["machine"] == _machine_now():
            return str(known["kvm"])
    return ""


def _remember_refusal(reason: str) -> None:
    """Save the next run the trial; a cache that cannot be written costs no more than that."""
    path = _memory()
    new = path.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(json.dumps({"machine": _machine_now(), "kvm": reason}))
        new.replace(path)
