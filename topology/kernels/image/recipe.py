"""Parts of the guest image, and the key that names every image made of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

KERNEL_ARGUMENTS = (
    "console=ttyS0",
    "panic=-1",  # with QEMU's -no-reboot, a panic ends QEMU
    "quiet",
    "mitigations=off",
    "nokaslr",
    "no5lvl",
    "cryptomgr.notests",
    "lsm=",
    "rcupdate.rcu_expedited=1",  # links and namespaces go without waiting for grace periods
)
"""The guest kernel's command line: halves the work of a start-up, see docs/dependencies.md."""

TCG_ARGUMENTS = ("tsc=reliable",)
"""Added under software emulation: QEMU's TSC is in step on all CPUs, though the kernel's test says otherwise."""


def _beside(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _installs(*names: str) -> str:
    """Shell commands of a hook that puts ``installs.sh`` under these names; $1 is the new root."""
    write = f"cat > \"$1/usr/local/bin/{names[0]}\" <<'INSTALLS'\n{_beside('installs.sh')}INSTALLS"
    links = (f'ln -s {names[0]} "$1/usr/local/bin/{name}"' for name in names[1:])
    return "\n".join((write, f'chmod 755 "$1/usr/local/bin/{names[0]}"', *links, ""))


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what is in an image; two equal recipes make interchangeable images."""

    version: int
    machine: str
    suite: str
    packages: tuple[str, ...]
    left_out: tuple[str, ...]
    early_modules: tuple[str, ...]
    init: str
    bootstrap: str
    collect: str
    pack: str

    @property
    def key(self) -> str:
        """16 hexadecimal digits of the SHA-256 of the whole recipe."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


COMMON = (
    "linux-image-cloud-amd64",
    "busybox-static",
    "python3-minimal",
    "libpython3-stdlib",
    "iproute2",
    "iputils-ping",
    "iperf3",
    "kmod",
    "procps",
    "nftables",
    "docker.io",
    "tcpdump",
)
"""The packages of every image."""

RECIPE = Recipe(
    version=2,
    machine="x86_64",
    suite="bookworm",
    packages=(*COMMON, "frr"),
    left_out=("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*"),
    early_modules=("virtio_pci", "virtio_blk"),
    init=_beside("guest_init"),
    bootstrap=_beside("bootstrap.py"),
    collect=_beside("collect.sh"),
    pack=_beside("pack.sh"),
)
"""The recipe of this checkout. FRR makes the image 24 MB larger (651 MB), which is no reason for a second one."""

STUDENT_RECIPE = replace(
    RECIPE,
    packages=(
        *COMMON,
        *("crun", "bridge-utils", "net-tools", "sudo", "dnsmasq-base", "isc-dhcp-client", "iptables"),
        *("python3", "python-is-python3", "python3-docker", "python3-pyroute2", "python3-yaml", "python3-scapy"),
        *("git", "zstd", "xz-utils", "unzip", "jq", "strace", "psmisc", "ethtool"),
        *("traceroute", "iputils-arping", "netcat-openbsd"),
    ),
    collect="\n".join((_beside("collect.sh"), _installs("apt-get", "apt", "pip", "pip3"))),
)
"""The recipe of the machine in which a submission is graded: that of the guest, and what solutions use."""

ANSIBLE_RECIPE = replace(
    STUDENT_RECIPE,
    packages=(*STUDENT_RECIPE.packages, "ansible-core"),
    collect="\n".join((STUDENT_RECIPE.collect, _beside("collections.sh"))),
)
"""The same for submissions that need Ansible: built when the first of them is graded."""


def image_key() -> str:
    """The key of the image that this checkout needs."""
    return RECIPE.key
