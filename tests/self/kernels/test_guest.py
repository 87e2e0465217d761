from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.self.builders import vxlan_lab
from topology.errors import AgentLost, KernelUnavailable
from topology.kernels import guest, qemu, snapshot
from topology.kernels import link as link_module
from topology.kernels.bundle import LOADER
from topology.kernels.cache import Shelf, end_turn
from topology.kernels.guest import GuestKernel
from topology.kernels.image import Image
from topology.kernels.registry import Wanted
from topology.plan import make_plan
from topology.wait import wait_for

FAKE = f"""#!{sys.executable} -IS
import json, os, re, socket, sys, threading
words = " ".join(sys.argv)
if "--version" in words:
    print("QEMU emulator version", os.environ["FAKE_VERSION"])
    raise SystemExit
accelerator = "tcg" if "-accel tcg" in words else "kvm"
with open(os.environ["FAKE_LOG"], "a") as log:
    log.write(accelerator + " " + str(os.getpid()) + "\\n")
how = os.environ["FAKE_" + accelerator.upper()]
if how == "fails":
    sys.exit("could not load PC BIOS")

def monitor(control):
    control.send(b'{{"QMP": {{"version": {{"qemu": {{}}, "package": ""}}, "capabilities": []}}}}\\n')
    while data := control.recv(65536):
        asked = json.loads(data)
        known = {{"query-status": {{"status": "running"}}, "ringbuf-read": "Linux version"}}
        result = known.get(asked["execute"], {{}})
        control.send(json.dumps({{"return": result, "id": asked.get("id")}}).encode() + b"\\n")
        if asked["execute"] == "quit":
            os._exit(0)

if how != "mute":
    control = socket.socket(fileno=int(re.search("id=monitor,fd=([0-9]+)", words)[1]))
    threading.Thread(target=monitor, args=[control], daemon=True).start()
if how != "works":
    threading.Event().wait()
os.dup2(int(re.search("id=agent,fd=([0-9]+)", words)[1]), 0)
exec({LOADER!r})
"""
"""A QEMU that fails, is mute, hangs but for its monitor, or whose guest comes up: then it is itself the agent."""


class Machine:
    """A machine with such a QEMU: how it behaves with either accelerator, and what was started."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self._patch = folder, monkeypatch
        self.log = folder / "log"
        self.log.touch()
        self.temporary = Path(tempfile.mkdtemp(prefix="hc-"))  # short: a socket's path has at most 107 bytes
        program = folder / "bin" / qemu.PROGRAM
        program.parent.mkdir()
        program.write_text(FAKE)
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("HOPCHECK_CACHE", str(folder / "cache"))
        monkeypatch.setenv("FAKE_LOG", str(self.log))
        monkeypatch.setattr(tempfile, "tempdir", str(self.temporary))
        self.behave()

    def behave(self, kvm: str = "hangs", tcg: str = "works", version: str = "7.2") -> None:
        """Say what happens next; who comes up may take its time, who hangs is given up soon."""
        deadlines = {"kvm": 5.0 if kvm == "works" else 0.15, "tcg": 5.0 if tcg == "works" else 0.15}
        self._patch.setattr(guest, "BOOT_TIMEOUT_S", deadlines)
        for name, value in {"KVM": kvm, "TCG": tcg, "VERSION": version}.items():
            self._patch.setenv(f"FAKE_{name}", value)

    def start(self, keep: bool = False, kvm_only: bool = False) -> str:
        """Start and close a guest; which accelerator it came up with."""
        kernel = GuestKernel.start(lambda _: None, Wanted(keep, kvm_only=kvm_only))
        kernel.close()
        return kernel.info.accelerator

    @property
    def tried(self) -> list[str]:
        """The accelerators tried so far, in order."""
        return [line.split()[0] for line in self.log.read_text().splitlines()]

    def nothing_is_left(self) -> bool:
        """True if every QEMU has ended, and no folder is left."""
        numbers = [line.split()[1] for line in self.log.read_text().splitlines()]
        return not any(Path("/proc", number).exists() for number in numbers) and not any(self.temporary.iterdir())

    @property
    def memory(self) -> Path:
        """File that remembers a refusal of KVM."""
        return self.folder / "cache" / "accelerator.json"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """A machine whose deadlines are short and whose /dev/kvm opens."""
    made = Machine(tmp_path, monkeypatch)
    image = Image(tmp_path / "kernel", tmp_path / "initrd", tmp_path / "rootfs", key="k", machine="m")
    for file in (image.kernel, image.initrd, image.rootfs):
        file.touch()
    monkeypatch.setattr(guest, "ensure_image", lambda *_: image)
    monkeypatch.setattr(guest, "kvm_refusal", lambda: "")
    monkeypatch.setattr(qemu, "confinement", lambda _: ())
    monkeypatch.setattr(link_module, "SILENCE_S", 0.1)
    yield made
    shutil.rmtree(made.temporary)


def test_a_machine_without_qemu_is_reported_with_its_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The missing program is named with the command that installs it, before any image is built."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(guest, "ensure_image", lambda *_: pytest.fail("built an image"))
    with pytest.raises(KernelUnavailable, match="apt-get install qemu-system-x86"):
        GuestKernel.start(lambda _: None)


@pytest.mark.parametrize("keep", [False, True], ids=["passing", "kept"])
def test_a_qemu_that_fails_is_reported_in_its_own_words(machine: Machine, keep: bool) -> None:
    """When QEMU ends at once its message is in ours; no process, folder or memory of it is left."""
    machine.behave(kvm="fails", tcg="fails")
    with pytest.raises(KernelUnavailable, match=r"tcg boot - .*could not load PC BIOS"):
        machine.start(keep)
    assert machine.tried == ["kvm", "tcg"]
    assert machine.nothing_is_left()
    assert not machine.memory.exists()


@pytest.mark.parametrize(("how", "words"), [("mute", "monitor - query-status"), ("hangs", "Linux version")])
def test_a_guest_that_does_not_come_up_is_ended(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, how: str, words: str
) -> None:
    """A QEMU that answers not even on its monitor, or a guest that hangs, is soon ended, with the reason."""
    monkeypatch.setattr(qemu, "MONITOR_TIMEOUT_S", 0.05 if how == "mute" else 5)
    monkeypatch.setattr(qemu, "QUIT_TIMEOUT_S", 0.05 if how == "mute" else 5)
    machine.behave(kvm=how, tcg=how)
    with pytest.raises(KernelUnavailable, match=f"tcg boot - .*{words}"):
        machine.start()
    assert machine.tried == ["kvm", "tcg"]
    assert machine.nothing_is_left()


def test_kvm_that_works_is_taken(machine: Machine) -> None:
    """A trial that comes up is the guest itself."""
    machine.behave(kvm="works")
    assert machine.start() == "kvm"
    assert machine.tried == ["kvm"]
    assert not machine.memory.exists()


def test_kvm_that_hangs_is_tried_once(machine: Machine) -> None:
    """After a trial that hung, emulation is taken; the next run does not try again on this machine and QEMU."""
    assert machine.start() == "tcg"
    assert machine.start() == "tcg"
    assert machine.tried == ["kvm", "tcg", "tcg"]
    assert "trial boot" in json.loads(machine.memory.read_text())["kvm"]
    assert machine.nothing_is_left()


@pytest.mark.parametrize("how", ["hangs", "works"])
def test_no_emulation_where_kvm_is_required(machine: Machine, how: str) -> None:
    """Where KVM works it is taken; where it does not no other guest is started, now and in the next run."""
    machine.behave(kvm=how)
    if how == "works":
        assert machine.start(kvm_only=True) == "kvm"
        return
    for _ in range(2):
        with pytest.raises(KernelUnavailable, match="guest - expected KVM - seen software emulation alone: "):
            machine.start(kvm_only=True)
    assert "tcg" not in machine.tried
    assert machine.nothing_is_left()


def changed_version(machine: Machine) -> None:
    machine.behave(kvm="works", version="9.0")


def rebooted(machine: Machine) -> None:
    known = json.loads(machine.memory.read_text())
    known["machine"][0] = "another boot"
    machine.memory.write_text(json.dumps(known))


def spoiled(text: str) -> Callable[[Machine], object]:
    return lambda machine: machine.memory.write_text(text)


@pytest.mark.parametrize(
    "change",
    [changed_version, rebooted, *map(spoiled, ("", "[]", '{"machine": 1}', "\0"))],
)
def test_a_trial_is_forgotten_when_it_says_nothing_any_more(machine: Machine, change: Callable[[Machine], Any]) -> None:
    """Another QEMU, another boot or an unreadable memory lets KVM be tried again."""
    guest._remember_refusal("trial boot")
    machine.behave(kvm="works")
    change(machine)
    assert machine.start() == "kvm"


def test_a_cache_that_cannot_be_written_costs_only_the_memory(machine: Machine) -> None:
    """The guest comes up though what the trial found cannot be kept."""
    shutil.rmtree(machine.memory.parent, ignore_errors=True)
    machine.memory.parent.write_text("a file is in the way")
    assert machine.start() == "tcg"


def test_a_refused_kvm_is_not_tried(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A /dev/kvm that cannot be opened is not tried."""
    monkeypatch.setattr(guest, "kvm_refusal", lambda: "no /dev/kvm")
    assert machine.start() == "tcg"
    assert machine.tried == ["tcg"]


def start_for_a_lab(machine: Machine) -> GuestKernel:
    """A guest for the VXLAN lab, under emulation at once."""
    return GuestKernel.start(lambda _: None, Wanted(plan=make_plan(vxlan_lab())))


@pytest.fixture
def key(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> str:
    """The key of the VXLAN lab's snapshot; KVM is not to be had."""
    monkeypatch.setattr(guest, "kvm_refusal", lambda: "no /dev/kvm")
    monkeypatch.setattr(guest, "snapshot_key", lambda *_: "k")
    return "k"


def damaged(key: str) -> Path:
    """A snapshot of that key in which everything is missing."""
    place = Shelf("snapshots").entry(key)
    place.mkdir(parents=True)
    return place


def test_a_first_run_has_the_turn_until_it_has_saved(
    machine: Machine, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A builder gives the turn back when its snapshot is saved, or closed unsaved, and leaves no file."""
    saved: list[str] = []
    monkeypatch.setattr(guest, "save_snapshot", lambda _, name, *__: saved.append(name))
    for save in (True, False):
        kernel = start_for_a_lab(machine)
        assert Shelf("snapshots").wait_turn(key, 0) is None
        if save:
            kernel.save("fingerprint", lambda _: None)
            assert not list(Shelf("snapshots").path.iterdir())
        kernel.close()
        assert not list(Shelf("snapshots").path.iterdir())
        assert kernel.info.why == "no KVM: no /dev/kvm"
    assert saved == [key]


def test_a_discarded_snapshot_is_said(machine: Machine, key: str) -> None:
    """A snapshot that is not whole goes, and the kernel's description says why the fabric is built anew."""
    place = damaged(key)
    kernel = start_for_a_lab(machine)
    kernel.close()
    assert not place.exists()
    assert "its snapshot was discarded: snapshot k - expected a manifest" in kernel.info.why


def test_a_discarded_snapshot_is_said_though_the_turn_never_comes(
    machine: Machine, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If another run makes the same snapshot for too long we build for ourselves, unsaved, and say both."""
    monkeypatch.setattr(snapshot, "TURN_TIMEOUT_S", 0.05)
    monkeypatch.setattr(guest, "save_snapshot", lambda *_: pytest.fail("saved out of turn"))
    damaged(key)
    turn = Shelf("snapshots").wait_turn(key, 0)
    assert turn is not None
    kernel = start_for_a_lab(machine)
    kernel.save("fingerprint", lambda _: None)
    kernel.close()
    assert Shelf("snapshots").wait_turn(key, 0) is None
    end_turn(turn)
    assert "its snapshot was discarded: snapshot k" in kernel.info.why
    assert "it is not saved: another run has not finished making the same snapshot" in kernel.info.why


def test_a_turn_is_given_back_when_the_guest_does_not_come_up(machine: Machine, key: str) -> None:
    """A failed boot delays no other run."""
    machine.behave(tcg="fails")
    with pytest.raises(KernelUnavailable):
        start_for_a_lab(machine)
    assert not list(Shelf("snapshots").path.iterdir())


def test_a_closed_guest_is_lost(machine: Machine) -> None:
    """Asking a closed guest is AgentLost; closing leaves no descriptor behind and may be repeated."""
    machine.behave(kvm="works")
    machine.start()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    kernel = GuestKernel.start(lambda _: None)
    assert kernel.agent.call("clock").get("time_ns", int)
    kernel.close()
    kernel.close()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    with pytest.raises(AgentLost):
        kernel.agent.call("clock")
    wait_for(machine.nothing_is_left, 5, "the end of QEMU")
