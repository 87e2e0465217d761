from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from qemu.qmp import QMPClient

from topology.errors import KernelUnavailable
from topology.kernels import qemu
from topology.kernels.image import Image
from topology.kernels.ownership.processes import dies_with
from topology.kernels.qemu import MicroVm, Qemu, confinement, kvm_refusal, qemu_arguments
from topology.kernels.registry import Wanted

FILES, AGENT, MONITOR = (11, 12, 13), "fd=14", 15


def machine(accelerator: str) -> MicroVm:
    """A machine whose image need not exist."""
    image = Image(Path("kernel"), Path("initrd"), Path("rootfs"), key="k", machine="m")
    return MicroVm(image, accelerator)


@pytest.fixture(params=["kvm", "tcg"])
def arguments(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """QEMU's command line with either accelerator."""
    return qemu_arguments(machine(request.param), FILES, AGENT, MONITOR)


def following(arguments: tuple[str, ...], option: str) -> list[str]:
    """The values of an option."""
    return [value for name, value in pairwise(arguments) if name == option]


def test_guest_has_no_way_out(arguments: tuple[str, ...]) -> None:
    """QEMU is given no network card, and makes none of its own accord."""
    assert not {"-netdev", "-nic", "-net", "-usb", "-vnc"} & set(arguments)
    assert not any("net-pci" in word or "e1000" in word or "hostfwd" in word for word in arguments)
    assert {"-nodefaults", "-no-user-config"} <= set(arguments)


def test_qemu_is_sandboxed(arguments: tuple[str, ...]) -> None:
    """QEMU's own filter is on and denies new programs and privileges."""
    (sandbox,) = following(arguments, "-sandbox")
    assert sandbox.split(",")[0] == "on"
    assert {"spawn=deny", "elevateprivileges=deny", "obsolete=deny", "resourcecontrol=deny"} <= set(sandbox.split(","))


def test_guest_cannot_write_to_the_image(arguments: tuple[str, ...]) -> None:
    """The only drive is read-only."""
    (drive,) = following(arguments, "-drive")
    assert "readonly=on" in drive.split(",")
    assert not {"-hda", "-fsdev", "-virtfs"} & set(arguments)


def test_qemu_opens_no_path(arguments: tuple[str, ...]) -> None:
    """Files and sockets are handed over as descriptors."""
    assert following(arguments, "-kernel") == ["/dev/fd/11"]
    assert following(arguments, "-initrd") == ["/dev/fd/12"]
    assert "file=/dev/fd/13" in following(arguments, "-drive")[0].split(",")
    sockets = [value for value in following(arguments, "-chardev") if value.startswith("socket,")]
    assert sockets == ["socket,id=agent,fd=14", "socket,id=monitor,fd=15"]


def stand_in(monkeypatch: pytest.MonkeyPatch, uid: int, mode: int | None, gid: int = 0, access: bool = True) -> None:
    """Let qemu.py see another user and another /dev/kvm; ``mode`` None is none at all."""

    def status() -> SimpleNamespace:
        if mode is None:
            raise FileNotFoundError
        return SimpleNamespace(st_mode=0o20000 | mode, st_gid=gid)

    monkeypatch.setattr(qemu, "KVM", SimpleNamespace(exists=lambda: mode is not None, stat=status))
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setattr(os, "access", lambda *_: access)


def test_root_drops_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root's QEMU runs as nobody, without capabilities, in its own network and IPC namespaces."""
    stand_in(monkeypatch, 0, None)
    words = confinement(4711)
    assert words[:4] == ("unshare", "--net", "--ipc", "--")
    wanted = {"--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"}
    assert wanted | {"--no-new-privs", "--pdeathsig=KILL"} <= set(words)
    assert words[-5:] == ("--", *dies_with(4711)[1])
    stand_in(monkeypatch, 0, 0o660, 106)
    assert "--groups=106" in confinement(4711)


@pytest.mark.parametrize(("refused", "own"), [(0, True), (1, False)])
def test_a_user_gets_namespaces_where_the_machine_gives_them(
    monkeypatch: pytest.MonkeyPatch, refused: int, own: bool
) -> None:
    """Without user namespaces QEMU still runs without new privileges, and dies with its parent."""
    stand_in(monkeypatch, 1000, None)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=refused))
    words = confinement(4711)
    assert ("unshare" in words, "--user" in words) == (own, own)
    assert {"setpriv", "--no-new-privs", "--pdeathsig=KILL"} <= set(words)
    assert words[-4:] == dies_with(4711)[1]


@pytest.mark.parametrize(
    ("uid", "mode", "gid", "access", "words"),
    [
        (0, None, 0, True, "no /dev/kvm"),
        (0, 0o666, 0, True, ""),
        (0, 0o660, 106, True, ""),
        (0, 0o660, 0, True, "chgrp kvm"),
        (0, 0o600, 106, True, "chgrp kvm"),
        (1000, 0o660, 106, True, ""),
        (1000, 0o660, 106, False, "usermod -aG kvm"),
        (1000, None, 0, False, "no /dev/kvm"),
    ],
)
def test_kvm_is_refused_with_its_fix(
    monkeypatch: pytest.MonkeyPatch, uid: int, mode: int | None, gid: int, access: bool, words: str
) -> None:
    """The owner, mode and our groups show if an unprivileged QEMU could open /dev/kvm."""
    stand_in(monkeypatch, uid, mode, gid, access)
    refusal = kvm_refusal()
    assert words in refusal
    assert bool(words) == bool(refusal)


def test_what_cannot_be_started_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing helper program or image file is KernelUnavailable, and no descriptor is left open."""
    monkeypatch.setattr(qemu, "confinement", lambda _: (str(tmp_path / "none"),))
    image = Image(tmp_path / "kernel", tmp_path / "initrd", tmp_path / "rootfs", key="k", machine="m")
    for touch in (False, True):
        for file in (image.kernel, image.initrd, image.rootfs):
            if touch:
                file.touch()
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        with pytest.raises(KernelUnavailable, match=r"expected to start - seen .*No such file"):
            Qemu.launch(MicroVm(image, "tcg"))
        assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_only_a_machine_with_a_wire_has_a_network_card() -> None:
    """The card's frames go through the descriptor of the wire, and nowhere else."""
    wired = replace(machine("tcg"), wanted=Wanted(wire=9))
    words = qemu_arguments(wired, FILES, AGENT, MONITOR)
    assert following(words, "-netdev") == ["socket,id=card,fd=9"]
    assert [word for word in following(words, "-device") if "net" in word] == ["virtio-net-pci,netdev=card,romfile="]
    tapped = qemu_arguments(replace(wired, wanted=Wanted(tap=8)), FILES, AGENT, MONITOR)
    assert following(tapped, "-netdev") == ["tap,id=card,fd=8"]
    bare = qemu_arguments(machine("tcg"), FILES, AGENT, MONITOR)
    assert not [word for word in bare if "net" in word.split(",")[0]]


def test_monitor_that_goes_as_soon_as_it_has_greeted_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """QEMU that ends while its monitor is connected to is reported like one whose monitor has gone."""

    async def gone(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(QMPClient, "connect", gone)
    ends = [end for _ in range(3) for end in socket.socketpair()]
    with tempfile.TemporaryFile() as words, contextlib.ExitStack() as stack:
        for end in ends:
            stack.enter_context(end)
        running = Qemu(cast(Any, None), ends[::2], words)
        with pytest.raises(KernelUnavailable, match="QEMU's monitor - quit - it closed the connection"):
            running.command("quit")
