"""What .ci/setup installs, and above all what it does not, with fake programs in place of apt-get and Python."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BORROWED = (
    *("sh", "sed", "tr", "find", "head", "tail", "cat", "sha256sum"),
    *("flock", "mktemp", "rm", "mkdir", "cp", "dirname"),
)
PYTHON = """echo "$*" >> "$LOG"
case "$*" in
    "-m venv --clear .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    "-m topology.kernels.probe") exit "${PROBE:-3}" ;;
    "-m topology.kernels.image where") exit "${IMAGE:-1}" ;;
    *pip*) exit "${PIP:-0}" ;;
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


def test_root_on_debian_gets_packages_python_and_image(machine: Machine) -> None:
    """One run sets up everything, says what and why first, and waits for no answer."""
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    assert "installing system packages for the guest kernel: qemu-system-x86 zstd mmdebstrap e2fsprogs" in done.stdout
    (install,) = machine.log("install -y")
    assert "APT::Install-Recommends=false" in install
    assert machine.log("--group run --group check")
    assert machine.log()[-1] == "-m topology.kernels.image build"


def test_the_second_run_installs_nothing(machine: Machine) -> None:
    """The stamp in .venv says that its packages are these."""
    machine.setup()
    for name in GUEST:
        machine.add(name, "")
    done = machine.setup(IMAGE="0")
    assert done.returncode == 0
    assert not machine.log("-m pip")
    assert not machine.log("install")
    assert not machine.log("build")


def test_a_changed_constraint_makes_the_environment_anew(machine: Machine) -> None:
    """Two checkouts of different age never share a set of packages."""
    machine.setup()
    (machine.home / "checkout/.ci/constraints.txt").write_text("pip==1\n")
    machine.setup()
    assert machine.log("venv --clear")


def test_a_failed_pip_leaves_no_finished_environment(machine: Machine) -> None:
    """The next run starts again."""
    assert machine.setup("python", PIP="1").returncode != 0
    assert not (machine.home / "checkout/.venv/hopcheck-stamp").exists()
    assert machine.setup("python").returncode == 0
    assert machine.log("venv --clear")


def test_a_host_kernel_that_suffices_needs_no_guest(machine: Machine) -> None:
    """No QEMU is installed where the lab can run without."""
    done = machine.setup(PROBE="0")
    assert done.returncode == 0
    assert not machine.log("install -y")
    assert not machine.log("image build")


@pytest.mark.parametrize("program", TOOLS)
def test_each_tool_is_installed_and_its_lack_stops_nobody(machine: Machine, program: str) -> None:
    """Commands in nodes of the machine's own kernel need tools; where they cannot be installed the rest is set up."""
    machine.remove(program)
    assert machine.setup(PROBE="0").returncode == 0
    (install,) = machine.log("install -y")
    assert install.endswith(f"install -y {TOOLS[program]}")
    machine.add("id", "echo 1000")
    done = machine.setup(PROBE="0")
    assert (done.returncode, machine.log("install -y")) == (0, [])
    assert f"not installed (not root): {TOOLS[program]};" in done.stdout


def test_an_imported_image_needs_no_builder(machine: Machine) -> None:
    """A machine that got its image as a file needs QEMU, not mmdebstrap."""
    done = machine.setup(IMAGE="0")
    assert "for the guest kernel: qemu-system-x86 zstd\n" in done.stdout
    assert not machine.log("image build")


def test_setup_no_names_the_packages_and_installs_nothing(machine: Machine) -> None:
    """SETUP=no changes nothing on the machine and ends with 1."""
    machine.setup("python")
    done = machine.setup(SETUP="no")
    assert done.returncode == 1
    assert "qemu-system-x86 zstd mmdebstrap e2fsprogs" in done.stderr
    assert "apt-get install" in done.stderr
    assert not machine.log("install")
    assert not machine.log("build")


def test_setup_no_without_python_packages_ends_with_1(machine: Machine) -> None:
    """SETUP=no downloads nothing from a package index either."""
    done = machine.setup(SETUP="no")
    assert done.returncode == 1
    assert not machine.log("venv --clear")
    assert not (machine.home / "checkout/.venv").exists()


def test_setup_no_goes_on_where_nothing_is_missing(machine: Machine) -> None:
    """SETUP=no is no reason to stop."""
    machine.setup("python")
    for name in GUEST:
        machine.add(name, "")
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg").exists()
    assert machine.setup(SETUP="no", IMAGE="0").returncode == 0
    assert machine.setup(SETUP="no").returncode == (0 if keyring else 1)
    assert not machine.log("build")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ID=fedora\nVERSION_ID=43\n", "this is fedora"),
        ("ID=debian\nVERSION_ID=11\n", "debian 11 is too old"),
        ('ID=ubuntu\nVERSION_ID="22.04"\n', "ubuntu 22.04 is too old"),
        ("", "an unknown distribution"),
    ],
)
def test_another_distribution_is_told_what_to_install(machine: Machine, text: str, why: str) -> None:
    """Nobody's machine is changed by guesswork."""
    machine.is_a(text)
    done = machine.setup()
    assert done.returncode == 1
    assert why in done.stderr
    assert "qemu-system-x86" in done.stderr
    assert not machine.log("apt-get")


@pytest.mark.parametrize("text", ["ID=debian\n", 'ID=debian\nVERSION_ID="13"\n', 'ID=ubuntu\nVERSION_ID="24.04"\n'])
def test_newer_distributions_are_set_up_too(machine: Machine, text: str) -> None:
    """Debian testing has no version, and is new enough."""
    machine.is_a(text)
    assert machine.setup().returncode == 0
    assert machine.log("install -y")


def test_an_ordinary_user_is_told_what_root_must_install(machine: Machine) -> None:
    """Without root only .venv is made."""
    machine.add("id", "echo 1000")
    done = machine.setup()
    assert done.returncode == 1
    assert "uidmap" in done.stderr
    assert "not root" in done.stderr
    assert machine.log("--group run")
    assert not machine.log("apt-get")


def test_a_failing_apt_get_is_shown_and_ends_with_1(machine: Machine) -> None:
    """It is tried once more with new lists; then its last words are shown."""
    machine.add("apt-get", 'echo "apt-get $*" >> "$LOG"; echo E: no such package; exit 100')
    done = machine.setup()
    assert done.returncode == 1
    assert "E: no such package" in done.stderr
    assert "apt-get failed" in done.stderr
    assert not machine.log("build")


def test_no_python_means_installing_it_first(machine: Machine) -> None:
    """A minimal Debian has no Python at all."""
    machine.remove("python3")
    done = machine.setup()
    assert done.returncode == 1
    (install,) = machine.log("install -y")
    assert install.endswith("install -y python3 python3-venv")


def test_another_processor_is_refused_before_anything_is_installed(machine: Machine) -> None:
    """The guest kernel is for x86_64."""
    machine.add("uname", "echo aarch64")
    done = machine.setup()
    assert done.returncode == 1
    assert "x86_64 only" in done.stderr
    assert not machine.log("install -y")


def test_benchmarks_get_what_they_compare_with(machine: Machine) -> None:
    """Only for them is Mininet installed, without what it merely recommends, and only once."""
    assert machine.setup("bench", PROBE="0").returncode == 0
    (install,) = machine.log("install -y")
    assert install.endswith("install -y mininet")
    assert "APT::Install-Recommends=false" in install
    machine.add("mn", "")
    assert machine.setup("bench", PROBE="0").returncode == 0
    assert not machine.log("install")


@pytest.mark.parametrize("why", ["SETUP=no", "not root", "fedora", "E: no such package"])
def test_benchmarks_do_without_what_cannot_be_installed(machine: Machine, why: str) -> None:
    """Where Mininet cannot be had, that is said, and nothing else fails for it."""
    machine.setup("python")
    if why == "not root":
        machine.add("id", "echo 1000")
    if why == "fedora":
        machine.is_a("ID=fedora\n")
    if why.startswith("E:"):
        machine.add("apt-get", f'echo "apt-get $*" >> "$LOG"; echo {why}; exit 100')
    done = machine.setup("bench", PROBE="0", **({"SETUP": "no"} if why == "SETUP=no" else {}))
    assert done.returncode == 0
    assert "no Mininet" in done.stdout
    assert why in done.stdout + done.stderr
    assert bool(machine.log("install -y")) == why.startswith("E:")


def test_an_unknown_word_is_refused(machine: Machine) -> None:
    """A typing error sets nothing up."""
    assert machine.setup("pyhton").returncode == 1
    assert not machine.log()


def test_the_scripts_can_be_run() -> None:
    """Git keeps the executable bit."""
    assert os.access(ROOT / ".ci/setup", os.X_OK)
    assert os.access(ROOT / ".ci/run", os.X_OK)


def test_every_declared_package_is_pinned() -> None:
    """What pyproject.toml names is in the constraints, in the same version."""
    declared = [line.strip(' ",') for line in (ROOT / "pyproject.toml").read_text().splitlines() if "==" in line]
    pinned = {line.lower() for line in (ROOT / ".ci/constraints.txt").read_text().splitlines()}
    assert declared
    assert [name for name in declared if name.lower() not in pinned] == []
