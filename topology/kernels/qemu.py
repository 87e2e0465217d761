"""One QEMU process: unprivileged, without a network card, its files and sockets handed over as descriptors.

Nothing of it touches the file system: the image's files are opened here and named ``/dev/fd/N``, the agent's stream
and the monitor are socket pairs, the console is a ring in QEMU's memory that the monitor can read.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from qemu.qmp import QMPClient, QMPError

from topology.errors import KernelUnavailable
from topology.kernels.image import KERNEL_ARGUMENTS, TCG_ARGUMENTS, Image
from topology.kernels.ownership.keeper import KEEP, KEEPER, keeper_command
from topology.kernels.ownership.processes import dies_with, printed_end
from topology.kernels.registry import ANYTHING, Wanted
from topology.wait import wait_for

PROGRAM = "qemu-system-x86_64"
NOBODY = 65534
KVM = Path("/dev/kvm")
CONSOLE_BYTES = 1 << 17
MEMORY_MIB, MEMORY_WITH_ENGINE_MIB = 512, 1024
SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
ACCELERATORS: Mapping[str, tuple[str, ...]] = {
    "kvm": ("-accel", "kvm", "-cpu", "host"),
    "tcg": ("-accel", "tcg,thread=multi,tb-size=256", "-cpu", "max"),
}
PROCESSORS: Mapping[str, int] = {"kvm": 2, "tcg": 1}
"""Under TCG one. QEMU before 8.1 translates a page without holding its lock (fixed by its deba78709ae8, "accel/tcg:
Always lock pages before translation"): while one processor patches the kernel's code, as a tracer or a tap's static
key makes it do, another can keep the translation of a breakpoint that is gone, and then spins in it for ever. It is
most likely just after a restore, when nothing is translated yet. A run on two cores was no slower for it.
"""
DOOR = "agent.sock"
"""In the folder of a kept QEMU: where its agent's stream can be had once we have gone."""
MONITOR_TIMEOUT_S, QUIT_TIMEOUT_S, END_S = 10.0, 5.0, 0.5


@dataclass(frozen=True)
class MicroVm:
    """Parts of a microVM: the image, the accelerator, and the wanted features."""

    image: Image
    accelerator: str
    wanted: Wanted = ANYTHING

    @property
    def memory_mib(self) -> int:
        """Memory of the guest, in MiB."""
        return self.wanted.memory_mib or (MEMORY_WITH_ENGINE_MIB if self.wanted.engine else MEMORY_MIB)


class Qemu:
    """A running QEMU; ``close`` ends it whatever state it is in.

    ``ends`` are the near ends of what it was given, the agent's stream and the monitor, and of its keeper's stream.
    """

    def __init__(self, process: subprocess.Popen[bytes], ends: Sequence[socket.socket], words: IO[bytes]) -> None:
        self.process, self._words, self._ends = process, words, ends
        self.agent_stream, self._monitor_stream, self._keeper_stream = ends
        self._loop, self._monitor = asyncio.Runner(), QMPClient("guest")
        self._connected = False
        self._console = ""

    @classmethod
    def launch(cls, machine: MicroVm, keep_at: Path | None = None, state_fd: int | None = None) -> Qemu:
        """Start QEMU; with ``keep_at`` it may ``outlive`` us and serves its agent on a socket there.

        With ``state_fd`` it does not boot but takes up a saved state from that descriptor, and waits for ``resume``.
        Raises KernelUnavailable where the machine cannot start it.
        """
        try:
            return cls._launch(machine, keep_at, state_fd)
        except OSError as error:
            raise KernelUnavailable(f"{PROGRAM} - expected to start - seen {error}") from error

    @classmethod
    def _launch(cls, machine: MicroVm, keep_at: Path | None, state_fd: int | None) -> Qemu:
        with contextlib.ExitStack() as stack:
            errors = stack.enter_context(tempfile.TemporaryFile())
            agent, agent_far = socket.socketpair()
            monitor, monitor_far = socket.socketpair()
            keeper, keeper_far = socket.socketpair()
            for far in (agent_far, monitor_far, keeper_far):
                stack.callback(far.close)
            image = machine.image
            files = [os.open(path, os.O_RDONLY) for path in (image.kernel, image.initrd, image.rootfs)]
            for descriptor in files:
                stack.callback(os.close, descriptor)
            stream, inherited = f"fd={agent_far.fileno()}", [*files, agent_far.fileno(), monitor_far.fileno()]
            inherited += machine.wanted.cards
            if keep_at is not None:
                door = stack.enter_context(socket.socket(socket.AF_UNIX))
                door.bind(str(keep_at / DOOR))
                door.listen()
                stream = f"fd={door.fileno()},server=on,wait=off"
                inherited += [door.fileno(), keeper_far.fileno()]
            arguments = qemu_arguments(machine, files, stream, monitor_far.fileno())
            if state_fd is not None:
                arguments += ("-incoming", f"fd:{state_fd}")
                inherited.append(state_fd)
            command = (*confinement(os.getpid()), PROGRAM, *arguments)
            if keep_at is not None:
                kept = (*confinement(KEEPER), PROGRAM, *arguments)
                command = (*keeper_command(keeper_far.fileno(), str(keep_at)), *kept)
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                pass_fds=inherited,
                start_new_session=True,
                cwd="/",
            )
            return cls(process, (agent, monitor, keeper), os.fdopen(os.dup(errors.fileno()), "rb"))

    def command(self, name: str, **arguments: Any) -> Any:
        """Ask the monitor; KernelUnavailable when it cannot answer in time."""
        try:
            return self._loop.run(asyncio.wait_for(self._ask(name, arguments), MONITOR_TIMEOUT_S))
        except (QMPError, OSError, EOFError) as error:
            words = f"{str(error) or type(error).__name__} - {self.words()}"
            raise KernelUnavailable(f"QEMU's monitor - {name} - {words}") from error

    async def _ask(self, name: str, arguments: Mapping[str, Any]) -> Any:
        if not self._connected:
            try:
                await self._monitor.connect(self._monitor_stream)
            except AssertionError as error:  # qemu.qmp 0.0.6's error for a monitor that goes right after its greeting
                raise EOFError("it closed the connection") from error
            self._connected = True
        return await self._monitor.execute(name, dict(arguments))

    def resume(self, timeout_s: float) -> None:
        """Wait until a saved state is taken up whole, then let the guest run on."""

        def taken_up() -> bool:
            if (code := self.process.poll()) is not None:
                raise KernelUnavailable(f"QEMU - expected to take up the state - seen exit code {code}: {self.words()}")
            return bool(self.command("query-status")["status"] != "inmigrate")

        wait_for(taken_up, timeout_s, "the saved state to be taken up", pause_s=0.005)
        self.command("cont")

    def migrate_to(self, descriptor: int, timeout_s: float) -> None:
        """Write the stopped guest's whole state to a descriptor; KernelUnavailable when it cannot be."""
        self.command("query-status")
        self._monitor.send_fd_scm(descriptor)
        self.command("getfd", fdname="state")
        self.command("migrate-set-parameters", **{"max-bandwidth": 1 << 40})
        self.command("migrate", uri="fd:state")

        def written() -> bool:
            status = self.command("query-migrate").get("status")
            if status in ("failed", "cancelled"):
                raise KernelUnavailable(f"QEMU - expected to save its state - seen {status}: {self.words()}")
            return bool(status == "completed")

        wait_for(written, timeout_s, "the state to be written")

    def health(self) -> str:
        """The reason why the guest cannot answer any more; empty while it runs."""
        if self.process.poll() is not None:
            return self._end()
        try:
            status = self.command("query-status")["status"]
        except KernelUnavailable as error:
            # A QEMU that ends loses its monitor first.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(END_S)
                return self._end()
            return str(error)
        return (
            "" if status in ("running", "inmigrate", "prelaunch") else f"the guest is {status}; {self.console_tail()}"
        )

    def _end(self) -> str:
        return f"QEMU ended with code {self.process.returncode}: {self.words()}"

    def console(self) -> str:
        """Output of the guest, as far as the ring still holds it."""
        with contextlib.suppress(KernelUnavailable):
            read = self.command("ringbuf-read", device="console", size=CONSOLE_BYTES, format="utf8")
            self._console = (self._console + str(read))[-CONSOLE_BYTES:]
        return self._console

    def console_tail(self) -> str:
        """The console's last words, on one line."""
        text = " / ".join(line.strip() for line in self.console()[-600:].splitlines() if line.strip())
        return f"its console ends: {text}" if text else "its console is empty"

    def words(self) -> str:
        """The end of QEMU's own output."""
        return printed_end(self._words)

    def outlive(self) -> None:
        """Have a QEMU that was started with ``keep_at`` outlive this process."""
        self._keeper_stream.send(KEEP)
        self._hang_up()

    def close(self) -> None:
        """Ask QEMU to end, then make it; a second time there is nothing to do."""
        if self._words.closed:
            return
        with contextlib.suppress(KernelUnavailable):
            if self.process.poll() is None:
                self.command("quit")
        self._keeper_stream.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(QUIT_TIMEOUT_S)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._hang_up()
        for end in self._ends:
            end.close()
        self._words.close()

    def _hang_up(self) -> None:
        """Leave the monitor."""
        with contextlib.suppress(QMPError, OSError, EOFError):
            self._loop.run(self._monitor.disconnect())
        self._loop.close()


def qemu_version() -> str:
    """The first line of the program's version."""
    return subprocess.run((PROGRAM, "--version"), capture_output=True, text=True, check=False).stdout.split("\n")[0]


def qemu_arguments(machine: MicroVm, files: Sequence[int], stream: str, monitor_fd: int) -> tuple[str, ...]:
    """QEMU's command line behind its name; ``files`` are the descriptors of kernel, initrd and root file system."""
    kernel, initrd, rootfs = (f"/dev/fd/{descriptor}" for descriptor in files)
    words = [*KERNEL_ARGUMENTS, *(TCG_ARGUMENTS if machine.accelerator == "tcg" else ())]
    kind = "socket" if machine.wanted.wire is not None else "tap"
    ends = (f"{kind},id=card,fd={descriptor}" for descriptor in machine.wanted.cards)
    cards = tuple(word for end in ends for word in ("-netdev", end, "-device", "virtio-net-pci,netdev=card,romfile="))
    return (
        *("-M", "q35,smm=off,sata=off,smbus=off", *ACCELERATORS[machine.accelerator]),
        *("-smp", str(PROCESSORS[machine.accelerator]), "-m", str(machine.memory_mib)),
        *("-name", "debug-threads=on"),
        *("-nodefaults", "-no-user-config", "-display", "none", "-sandbox", SANDBOX),
        *("-action", "reboot=shutdown,shutdown=pause"),
        *("-chardev", f"ringbuf,id=console,size={CONSOLE_BYTES}", "-serial", "chardev:console"),
        *("-kernel", kernel, "-initrd", initrd, "-append", " ".join(words)),
        *(
            "-drive",
            f"file={rootfs},format=raw,if=none,id=root,readonly=on",
            "-device",
            "virtio-blk-pci,drive=root",
        ),
        *("-device", "virtio-rng-pci"),
        *("-device", "virtio-serial-pci", "-chardev", f"socket,id=agent,{stream}"),
        *("-device", "virtserialport,chardev=agent,name=agent"),
        *("-chardev", f"socket,id=monitor,fd={monitor_fd}", "-mon", "chardev=monitor,mode=control"),
        *cards,
    )


def confinement(parent: int | str) -> tuple[str, ...]:
    """Arguments before QEMU: namespaces of its own, no privileges, death with its parent."""
    death, still_there = dies_with(parent)
    if os.geteuid() != 0:
        own: tuple[str, ...] = ("unshare", "--user", "--net", "--ipc", "--")
        if subprocess.run((*own, "true"), capture_output=True, check=False).returncode:
            own = ()
        return (*own, "setpriv", "--no-new-privs", *death, "--", *still_there)
    ids = (f"--reuid={NOBODY}", f"--regid={NOBODY}", kvm_group())
    bounds = ("--inh-caps=-all", "--bounding-set=-all", "--no-new-privs")
    return ("unshare", "--net", "--ipc", "--", "setpriv", *ids, *bounds, *death, "--", *still_there)


def kvm_group() -> str:
    """setpriv's option for the groups of an unprivileged QEMU: the one that /dev/kvm lets in, or none."""
    with contextlib.suppress(OSError):
        status = KVM.stat()
        if status.st_mode & 0o060 == 0o060 and status.st_gid != 0:
            return f"--groups={status.st_gid}"
    return "--clear-groups"


def kvm_refusal() -> str:
    """The reason why QEMU, as confined here, cannot open /dev/kvm; empty if it can."""
    if not KVM.exists():
        return "no /dev/kvm"
    status = KVM.stat()
    if os.geteuid() != 0:
        return "" if os.access(KVM, os.R_OK | os.W_OK) else "no right to /dev/kvm; for KVM: usermod -aG kvm $USER"
    by_others = status.st_mode & 0o006 == 0o006
    if by_others or kvm_group() != "--clear-groups":
        return ""
    return "/dev/kvm is root's alone and QEMU runs unprivileged; for KVM: chgrp kvm /dev/kvm && chmod 660 /dev/kvm"
