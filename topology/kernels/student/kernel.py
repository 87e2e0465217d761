"""A guest that carries the student's machine, from our side: booted and set up once, then restored from its snapshot.

The agent and its taps stand outside the machine, as root of the guest, and enter its namespaces.
"""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from topology.errors import KernelUnavailable
from topology.kernels.agent.serve import PATH
from topology.kernels.engine import Engine
from topology.kernels.engine_guest import engine_at
from topology.kernels.guest import GuestKernel
from topology.kernels.image import ANSIBLE_RECIPE, STUDENT_RECIPE
from topology.kernels.registry import Others, Progress, Wanted
from topology.kernels.student.setup import BOX, GROUP, HOME, PID_FILE
from topology.wait import wait_for

MODULES = ("calls", "setup", "enter", "place", "contents", "unpack")
"""Modules here that run inside the guest."""
PACKAGE = "topology/kernels/student"
SETUP_TIMEOUT_S, ENGINE_TIMEOUT_S = 60.0, 120.0
IMAGES = (
    *("lab", "ubuntu", "ubuntu:16.04", "ubuntu:18.04", "ubuntu:20.04", "ubuntu:22.04"),
    *("debian", "alpine", "networkstatic/iperf3"),
)
"""The names of the one image."""
STAYS_UP = ["sh", "-c", "trap exit TERM; while :; do sleep 86400 & wait; done"]
"""The image's command stays up, with a terminal or without one."""
CHANGES = (f"CMD {json.dumps(STAYS_UP)}", f"ENV PATH={PATH}")
SPARED, NOT_SPARED = -900, 0
"""Adjustments of whom the kernel ends first when memory is short (proc(5), oom_score_adj): not the engine."""


@dataclass(frozen=True)
class Limits:
    """Limits of the machine: memory of its guest and its own share of it, disk (in memory too), and processes."""

    guest_mib: int
    memory_mib: int
    disk_mib: int
    processes: int


LIMITS = {True: Limits(1536, 1152, 512, 2048), False: Limits(512, 288, 96, 1024)}
"""With and without an engine."""


class StudentKernel(GuestKernel):
    """A guest with the student's machine in it."""

    recipe = STUDENT_RECIPE

    @classmethod
    def restored(cls, progress: Progress, has_engine: bool, kvm_only: bool = False) -> StudentKernel:
        """A fresh machine, its engine and images there; the first one is made now, which takes about a minute.

        Raises KernelUnavailable where there can be none, or with ``kvm_only`` none but by emulation.
        """
        limits = LIMITS[has_engine]
        folder = Path(__file__).parent
        made_of = tuple(path.read_text() for path in sorted(folder.iterdir()) if path.suffix in (".py", ".sh"))
        wanted = Wanted(prepared=(repr(limits), *made_of), memory_mib=limits.guest_mib, kvm_only=kvm_only)
        kernel = cls.start(progress, wanted)
        with contextlib.ExitStack() as undo:
            undo.callback(kernel.close)
            if not kernel.holds_fabric:
                progress("setting up the student's machine")
                kernel._set_up(limits, has_engine)
                kernel.save("", progress)
            undo.pop_all()
        return kernel

    @cached_property
    def init(self) -> int:
        """The machine's process 1, as the agent counts."""
        (text,) = self.agent.call("read_files", files=[[None, PID_FILE]]).get("texts", list)
        if not isinstance(text, str) or not text.isdecimal():
            raise KernelUnavailable(f"student's machine - {PID_FILE} - expected a number - seen {text!r}")
        return int(text)

    @property
    def socket(self) -> str:
        """Path of the engine's socket for the agent."""
        return f"/proc/{self.init}/root/run/docker.sock"

    def engine(self) -> Engine:
        """The machine's own engine, which belongs to the student: what it says is hostile input."""
        if self._engine is None:
            self._engine = engine_at(self.agent, self.socket)
        return self._engine

    def others(self) -> Others:
        """Namespaces of the machine."""
        return Others(f"/proc/{self.init}/root/run/netns", engine=self.engine, init=self.init)

    def command(self, module: str, *arguments: str) -> tuple[str, ...]:
        """The command of the guest that runs a module's ``main``."""
        code = (
            f"import sys; sys.path.insert(0, {HOME!r}); from {PACKAGE.replace('/', '.')}.{module} import main; main()"
        )
        return ("python3", "-I", "-S", "-c", code, *arguments)

    def entering(self, group: str, folder: str, command: str, adjustment: int = NOT_SPARED) -> tuple[str, ...]:
        """The command of the guest that runs a shell command inside the machine, in a control group there."""
        return self.command("enter", group, str(adjustment), folder, command)

    def end_group(self, group: str) -> None:
        """Kill every process of a control group of the machine, and of those below it (cgroup.kill, cgroups v2)."""
        self.agent.call("write_files", files=[[[None], [[f"{BOX}/{group}/cgroup.kill", "1"]]]], optional=True)

    def events(self, group: str) -> dict[str, int]:
        """Times so far that the machine ran out of ``memory``, and a control group met the limit of ``processes``.

        The kernel counts the latter where the fork was (pids_can_fork, kernel/cgroup/pids.c).
        """
        asked = {"memory": (f"{GROUP}/memory.events", "oom_kill"), "processes": (f"{BOX}/{group}/pids.events", "max")}
        files = [[None, path] for path, _ in asked.values()]
        texts = self.agent.call("read_files", files=files).get("texts", list)
        fields = [dict(line.split() for line in (text or "").splitlines()) for text in texts]
        return {name: int(found.get(key, 0)) for (name, (_, key)), found in zip(asked.items(), fields, strict=True)}

    def _set_up(self, limits: Limits, has_engine: bool) -> None:
        self._run(["tar", "-x", "-C", "/run", f"--one-top-level={Path(HOME).name}"], stdin=packed_modules())
        numbers = (str(number) for number in (limits.memory_mib, limits.processes, limits.disk_mib))
        self._run(self.command("setup", *numbers), SETUP_TIMEOUT_S)
        if not has_engine:
            self._run(self.entering("init", "/", "echo 1 > /proc/sys/net/ipv4/ip_forward"))
            return
        self.agent.start(self.entering("init", "/", _script("engine.sh"), SPARED), None, lambda *_: None)
        wait_for(self._engine_is_up, ENGINE_TIMEOUT_S, "the student's container engine", pause_s=0.2)
        # The image's files are the guest's own, mounted over its layer.
        self._run(self.command("place", self.engine().add_images(empty_root(), IMAGES, CHANGES)))

    def _engine_is_up(self) -> bool:
        return self.agent.run(["test", "-S", self.socket]).code == 0

    def _run(self, argv: Sequence[str], timeout_s: float = 30, stdin: bytes = b"") -> str:
        done = self.agent.run(argv, stdin=stdin, timeout_s=timeout_s)
        if done.code:
            said = " ".join(f"{done.stdout} {done.stderr}".split())[-300:]
            raise KernelUnavailable(f"student's machine - {argv[-1][:40]} - expected exit 0 - seen {done.code}: {said}")
        return done.stdout


class AnsibleKernel(StudentKernel):
    """The same with Ansible, in an image of its own that is made when first asked for."""

    recipe = ANSIBLE_RECIPE


def empty_root() -> bytes:
    """A root file system with nothing in it, as a tar archive."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo("etc")
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(entry)
    return out.getvalue()


def packed_modules() -> bytes:
    """The modules that run inside the guest, as a tar archive of packages."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in MODULES:
            archive.add(Path(__file__).with_name(f"{name}.py"), f"{PACKAGE}/{name}.py")
    return out.getvalue()


def _script(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
