""".ci/setup installs what it must and, above all, no more, with fake programs for apt-get and Python."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BORROWED = (
    *("sh", "sed", "tr", "find", "head", "tail", "cat", "sha256sum"),
    *("flock", "mktemp", "rm", "mkdir", "cp", "dirname", "chmod"),
)
PYTHON = """echo "$*" >> "$LOG"
case "$*" in
    "-m venv --clear .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    "-m topology.kernels.probe") exit "${PROBE:-3}" ;;
    "-m topology.kernels.image where") exit "${IMAGE:-1}" ;;
    *pip*) exit "${PIP:-0}" ;;
    *playwright*) exit 1 ;;
esac
"""
TOOLS = {"iperf3": "iperf3", "ip": "iproute2", "sysctl": "procps", "ping": "iputils-ping"}
"""What commands in nodes need on this machine's own kernel, with the Debian package of each."""
GUEST = ["qemu-system-x86_64", "zstd", "mmdebstrap", "mkfs.ext4", "newuidmap"]


@dataclass(frozen=True)
class Machine:
    """A checkout with nothing but .ci/setup, on a machine with nothing but what a test adds."""

    home: Path

    def add(self, name: str, script: str) -> None:
        """Put a fake program on the PATH."""
        path = self.home / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def remove(self, name: str) -> None:
        """Take a program away."""
        (self.home / "bin" / name).unlink()

    def is_a(self, text: str) -> None:
        """Make it another distribution."""
        (self.home / "os-release").write_text(text)

    def setup(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run .ci/setup there."""
        (self.home / "log").unlink(missing_ok=True)
        fixed = {
            "PATH": str(self.home / "bin"),
            "LOG": str(self.home / "log"),
            "HOPCHECK_OS_RELEASE": str(self.home / "os-release"),
            "HOPCHECK_POLICY": str(self.home / "policy"),
        }
        command = [str(self.home / "checkout/.ci/setup"), *arguments]
        return subprocess.run(command, env={**fixed, **environment}, capture_output=True, text=True, check=False)

    def log(self, word: str = "") -> list[str]:
        """The calls of the last run whose arguments hold a word."""
        path = self.home / "log"
        return [line for line in path.read_text().splitlines() if word in line] if path.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Debian 12, root, Python there, the host's kernel of no use, and none of the guest's programs."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "checkout/.ci").mkdir(parents=True)
    for name in (".ci/setup", ".ci/constraints.txt", ".ci/launcher.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / "checkout" / name)
    setup = tmp_path / "checkout/.ci/setup"
    # The administrator's directories are this machine's; the fake machine must not see its mkfs.ext4.
    setup.write_text(setup.read_text().replace("PATH=$PATH:/usr/sbin:/sbin\n", ""))
    made = Machine(tmp_path)
    for name in BORROWED:
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or name)
    made.add("id", "echo 0")
    made.add("uname", "echo x86_64")
    for name in TOOLS:
        made.add(name, "")
    made.add("python3", PYTHON)
    made.add("apt-get", 'echo "apt-get $*" >> "$LOG"')
    made.is_a('ID=debian\nVERSION_ID="12"\n')
    return made


def test_root_on_debian_gets_packages_python_and_image_once(machine: Machine) -> None:
    """The first run says what it installs and why, and waits for no answer; the second does nothing."""
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    assert "installing system packages for the guest kernel: qemu-system-x86 zstd mmdebstrap e2fsprogs" in done.stdout
    (install,) = machine.log("install -y")
    assert "APT::Install-Recommends=false" in install
    assert machine.log("--group run --group check")
    assert machine.log()[-1] == "-m topology.kernels.image build"
    for name in GUEST:
        machine.add(name, "")
    assert machine.setup(IMAGE="0").returncode == 0
    assert [word for word in ("-m pip", "install", "build") if machine.log(word)] == []


def test_environment_is_made_anew_when_it_is_not_what_is_wanted(machine: Machine) -> None:
    """A failed pip leaves no finished environment, and other constraints need another one."""
    assert machine.setup("python", PIP="1").returncode != 0
    assert not (machine.home / "checkout/.venv/hopcheck-stamp").exists()
    for constraints in ("", "pip==1\n"):
        (machine.home / "checkout/.ci/constraints.txt").write_text(constraints)
        assert machine.setup("python").returncode == 0
        assert machine.log("venv --clear")


@pytest.mark.parametrize("program", TOOLS)
def test_host_kernel_that_suffices_needs_tools_alone(machine: Machine, program: str) -> None:
    """No QEMU is installed; a tool that is missing is installed, or named where it cannot be."""
    machine.remove(program)
    assert machine.setup(PROBE="0").returncode == 0
    (install,) = machine.log("install -y")
    assert install.endswith(f"install -y {TOOLS[program]}")
    assert not machine.log("image build")
    machine.add("id", "echo 1000")
    done = machine.setup(PROBE="0")
    assert (done.returncode, machine.log("install -y")) == (0, [])
    assert f"not installed (not root): {TOOLS[program]};" in done.stdout


def test_image_that_is_there_needs_no_builder(machine: Machine) -> None:
    """A machine that got its image as a file needs QEMU, not mmdebstrap; a file given is imported at once."""
    done = machine.setup(IMAGE="0")
    assert "for the guest kernel: qemu-system-x86 zstd\n" in done.stdout
    assert not machine.log("image build")
    assert machine.setup("image", "x.zst", PROBE="0").returncode == 0
    assert machine.log("install -y")[0].endswith("qemu-system-x86 zstd")
    assert machine.log("image import") == ["-m topology.kernels.image import x.zst"]


def test_setup_no_names_the_packages_and_changes_nothing(machine: Machine) -> None:
    """SETUP=no installs and downloads nothing, and ends with 1 where something is missing."""
    assert machine.setup(SETUP="no").returncode == 1
    assert not (machine.home / "checkout/.venv").exists()
    machine.setup("python")
    done = machine.setup(SETUP="no")
    assert done.returncode == 1
    assert "apt-get install --no-install-recommends qemu-system-x86 zstd mmdebstrap e2fsprogs" in done.stderr
    assert machine.log("install") == machine.log("build") == []
    for name in GUEST:
        machine.add(name, "")
    assert machine.setup(SETUP="no", IMAGE="0").returncode == 0


@pytest.mark.parametrize(
    ("text", "user", "why"),
    [
        ("ID=fedora\nVERSION_ID=43\n", 0, "this is fedora"),
        ("ID=debian\nVERSION_ID=11\n", 0, "debian 11 is too old"),
        ('ID=ubuntu\nVERSION_ID="22.04"\n', 0, "ubuntu 22.04 is too old"),
        ("", 0, "an unknown distribution"),
        ("ID=debian\n", 1000, "not root"),
        ("ID=debian\n", 0, ""),
        ('ID=ubuntu\nVERSION_ID="24.04"\n', 0, ""),
    ],
)
def test_system_packages_are_installed_only_where_that_is_known_to_work(
    machine: Machine, text: str, user: int, why: str
) -> None:
    """Root installs on a new enough Debian (testing has no version) or Ubuntu; others see the names."""
    machine.is_a(text)
    machine.add("id", f"echo {user}")
    done = machine.setup()
    assert (done.returncode == 0, bool(machine.log("apt-get"))) == (not why, not why)
    assert not why or (why in done.stderr and "qemu-system-x86" in done.stderr)


def test_failing_apt_get_is_shown_and_ends_with_1(machine: Machine) -> None:
    """Setup retries with new lists; then it shows the last words."""
    machine.add("apt-get", 'echo "apt-get $*" >> "$LOG"; echo E: no such package; exit 100')
    done = machine.setup()
    assert done.returncode == 1
    assert "E: no such package" in done.stderr
    assert "apt-get failed" in done.stderr
    assert not machine.log("build")


def test_no_python_means_installing_it_first(machine: Machine) -> None:
    """A minimal Debian has no Python at all."""
    machine.remove("python3")
    assert machine.setup().returncode == 1
    (install,) = machine.log("install -y")
    assert install.endswith("install -y python3 python3-venv")


def test_another_processor_is_refused_before_anything_is_installed(machine: Machine) -> None:
    """The guest kernel is for x86_64."""
    machine.add("uname", "echo aarch64")
    done = machine.setup()
    assert done.returncode == 1
    assert "x86_64 only" in done.stderr
    assert not machine.log("install -y")


def test_sshd_of_a_test_is_installed_and_never_started(machine: Machine) -> None:
    """While it is installed no service may start, and it is not enabled; an sshd that is there is left alone."""
    machine.setup("python")
    policy = machine.home / "policy"
    machine.add("apt-get", 'echo "apt-get $*" >> "$LOG"; cat "$HOPCHECK_POLICY" >> "$LOG" || true')
    machine.add("systemctl", 'echo "systemctl $*" >> "$LOG"')
    assert machine.setup("tests").returncode == 0
    assert machine.log("install -y openssh-server sudo")
    assert machine.log("exit 101")
    assert machine.log("systemctl") == ["systemctl disable ssh.service ssh.socket"]
    assert not policy.exists()
    for name in ("sshd", "sudo"):
        machine.add(name, "")
    assert machine.setup("tests").returncode == 0
    assert machine.log("openssh") == machine.log("systemctl") == []


@pytest.mark.parametrize("words", [("pyhton",), ("image",), ("python", "x")])
def test_unknown_words_are_refused(machine: Machine, words: tuple[str, ...]) -> None:
    """A typing error sets nothing up."""
    assert machine.setup(*words).returncode == 1
    assert not machine.log()


def test_every_declared_package_is_pinned() -> None:
    """Packages of pyproject.toml are in the constraints, same version."""
    declared = [line.strip(' ",') for line in (ROOT / "pyproject.toml").read_text().splitlines() if "==" in line]
    pinned = {line.lower() for line in (ROOT / ".ci/constraints.txt").read_text().splitlines()}
    assert declared
    assert [name for name in declared if name.lower() not in pinned] == []
