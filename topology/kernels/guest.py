"""The kernel ``guest``: a microVM with Debian's cloud kernel, the agent behind a virtio-serial port, no network card.

KVM is believed only when a trial boot has proved it within a deadline: a ``/dev/kvm`` that opens may still hang as
soon as a guest runs. What a trial found is remembered until the machine or its QEMU changes.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from topology.errors import HopcheckError, KernelUnavailable
from topology.kernels.bundle import agent_parcel
from topology.kernels.cache import cache_dir
from topology.kernels.image import Image, ensure_image
from topology.kernels.link import AgentLink
from topology.kernels.qemu import NOBODY, PROGRAM, Qemu, kvm_refusal
from topology.kernels.registry import Kernel, KernelInfo, Progress
from topology.wait import wait_for

BOOT_TIMEOUT_S = {"kvm": 15.0, "tcg": 90.0}
"""A cold boot takes 3 to 5 s under TCG on two cores, less than 2 s under KVM."""


class GuestKernel(Kernel):
    """A microVM."""

    kind = "guest"

    def __init__(self, qemu: Qemu, agent: AgentLink, accelerator: str, kept_at: Path | None) -> None:
        self.qemu, self.agent, self._kept_at = qemu, agent, kept_at
        self.info = KernelInfo(self.kind, str(agent.hello["release"]), accelerator, "")

    @classmethod
    def start(cls, progress: Progress, keep: bool = False) -> GuestKernel:
        """Boot the microVM, with KVM where it works; KernelUnavailable says why not, with the console's end."""
        if shutil.which(PROGRAM) is None:
            raise KernelUnavailable(f"{PROGRAM} is not here; on Debian: apt-get install qemu-system-x86")
        image = ensure_image(progress)
        refusal, trial_failed = kvm_refusal() or _remembered_refusal(), False
        if not refusal:
            progress("booting the guest with KVM")
            try:
                return cls._boot(image, "kvm", keep)
            except KernelUnavailable as error:
                refusal = f"the trial boot failed: {str(error)[-160:]}"
                trial_failed = True
        progress("booting the guest with software emulation (TCG)")
        kernel = cls._boot(image, "tcg", keep)
        kernel.info = replace(kernel.info, why=f"no KVM: {refusal}")
        if trial_failed:
            _remember_refusal(refusal)
        return kernel

    @classmethod
    def _boot(cls, image: Image, accelerator: str, keep: bool) -> GuestKernel:
        with contextlib.ExitStack() as undo:
            kept_at = _folder_for_qemu() if keep else None
            if kept_at:
                undo.callback(shutil.rmtree, kept_at, ignore_errors=True)
            qemu = Qemu.launch(image, accelerator, kept_at)
            undo.callback(qemu.close)
            try:
                stream = _connect(kept_at / "agent.sock", qemu) if kept_at else qemu.agent_stream
                undo.callback(stream.close)
                agent = AgentLink(stream, why_lost=lambda: qemu.health() or qemu.console_tail(), health=qemu.health)
                agent.send_parcel(agent_parcel())
                agent.wait_hello(BOOT_TIMEOUT_S[accelerator])
            except (HopcheckError, OSError) as error:
                raise KernelUnavailable(f"{accelerator} boot - {error}", qemu.console()) from error
            undo.pop_all()
        return cls(qemu, agent, accelerator, kept_at)

    def enter(self, node: str) -> str:
        """The command that opens a shell in a node of a kept fabric."""
        return f"{sys.executable} -m topology.kernels.enter {self._kept_at}/agent.sock {node}"

    def end_command(self) -> str:
        """The command that ends a kept guest."""
        return f"kill {self.qemu.process.pid} && rm -r {self._kept_at}"

    def close(self) -> None:
        """End the guest."""
        self.agent.close()
        self.qemu.close()
        if self._kept_at:
            shutil.rmtree(self._kept_at, ignore_errors=True)


def _folder_for_qemu() -> Path:
    """A folder in which a QEMU without privileges can make its socket, and nobody else can do anything."""
    folder = Path(tempfile.mkdtemp(prefix="hopcheck-kept-"))
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    return folder


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
    """What a trial's result depends on: this boot of this machine, and its QEMU."""
    version = subprocess.run((PROGRAM, "--version"), capture_output=True, text=True, check=False).stdout
    return [Path("/proc/sys/kernel/random/boot_id").read_text().strip(), version.split("\n")[0]]


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
