"""Makes the student's machine inside a guest that has just booted: once, before the snapshot.

The machine is a process tree in namespaces of all kinds, a user namespace among them: its root may do everything with
its own networks, mounts and processes, and nothing with the guest's clock, modules, devices or settings of the
kernel. Its root file system is the guest's, under a layer in memory. Its process 1 is this program's last child.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys

from topology.kernels.student.calls import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
    PR_SET_NAME,
    attach,
    become_root,
    bind,
    change_root,
    clone_mapped,
    enter,
    leave_for_new,
    libc,
    mount,
    put,
)

HOME = "/run/student"
ROOT, LAYER, LOWER = f"{HOME}/root", f"{HOME}/layer", f"{HOME}/lower"
PID_FILE = f"{HOME}/init"
FIRST_USER, USERS = 1 << 20, 1 << 30
"""The machine's user 0 in the guest, and how many it has."""
GROUP = "/sys/fs/cgroup/student"
BOX = f"{GROUP}/box"
"""The limits are those of GROUP; the machine sees BOX and what is below, which it may divide further."""
CONTROLLERS = "+memory +pids +cpu +io +cpuset"
"""An engine wants all of them."""
DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "net/tun")
MODULES = (
    *("overlay", "br_netfilter", "tun", "dummy", "macvlan", "ipvlan", "vrf", "bonding", "ip6_tunnel", "sit"),
    *("nf_tables", "nft_compat", "nft_nat", "nft_masq", "nft_ct", "iptable_nat", "iptable_filter", "iptable_mangle"),
    *("ip6table_filter", "xt_MASQUERADE", "xt_conntrack", "xt_addrtype", "xt_comment", "xt_nat", "xt_tcpudp"),
    *("xt_mark", "xt_multiport", "nf_conntrack_netlink", "ebtables", "ebtable_filter", "sch_htb", "sch_fq_codel"),
)
"""The machine cannot load any."""
SETTINGS = {
    "fb_tunnels_only_for_init_net": "0",  # `ip tunnel add ... mode gre` asks gre0 of its own namespace
    "devconf_inherit_init_net": "3",  # a new namespace inherits ip_forward from the one it is made in
}
"""Settings of net.core, which all namespaces share (Documentation/admin-guide/sysctl/net.rst)."""
NAME = "machine"


def users_of_a_child() -> int:
    """A descriptor of a new user namespace in which the machine's users are mapped."""
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        leave_for_new(CLONE_NEWUSER)
        os.write(ready[1], b".")
        os.read(go[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    for name in ("uid_map", "gid_map"):
        put(f"/proc/{child}/{name}", f"0 {FIRST_USER} {USERS}")
    users = os.open(f"/proc/{child}/ns/user", os.O_RDONLY)
    os.write(go[1], b".")
    os.waitpid(child, 0)
    return users


def limit(memory_mib: int, processes: int) -> None:
    """Make the control groups."""
    put("/sys/fs/cgroup/cgroup.subtree_control", CONTROLLERS)
    os.makedirs(BOX)
    put(f"{GROUP}/memory.max", f"{memory_mib}M")
    put(f"{GROUP}/pids.max", str(processes))
    put(f"{GROUP}/cpu.weight", "20")
    put(f"{GROUP}/cgroup.subtree_control", CONTROLLERS)
    os.mkdir(f"{BOX}/init")


def hand_over_groups() -> None:
    """Let the machine's root divide BOX, once no process is in it itself."""
    put(f"{BOX}/cgroup.subtree_control", CONTROLLERS)
    for folder in (BOX, f"{BOX}/init"):
        os.chown(folder, FIRST_USER, FIRST_USER)
        for name in ("cgroup.procs", "cgroup.threads", "cgroup.subtree_control"):
            os.chown(f"{folder}/{name}", FIRST_USER, FIRST_USER)


def file_system(users: int, disk_mib: int) -> None:
    """Mount the machine's root at ROOT, in a mount namespace of our own, and change to it."""
    leave_for_new(CLONE_NEWNS)
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    owned = f"uid={FIRST_USER},gid={FIRST_USER}"
    for place in (ROOT, LAYER, LOWER):
        os.makedirs(place)
    attach(clone_mapped("/", users), LOWER)
    mount("student", LAYER, "tmpfs", data=f"size={disk_mib}M,mode=755,{owned}")
    for name, mode in (("upper", 0o755), ("work", 0o755), ("run", 0o755), ("tmp", 0o1777), ("docker", 0o711)):
        os.mkdir(f"{LAYER}/{name}")
        os.chmod(f"{LAYER}/{name}", mode)
        os.chown(f"{LAYER}/{name}", FIRST_USER, FIRST_USER)
    layers = f"lowerdir={LOWER},upperdir={LAYER}/upper,workdir={LAYER}/work"
    mount("overlay", ROOT, "overlay", data=layers)
    for name, place in (("run", "run"), ("tmp", "tmp")):
        bind(f"{LAYER}/{name}", f"{ROOT}/{place}")
    os.makedirs(f"{ROOT}/var/lib/docker", exist_ok=True)
    bind(f"{LAYER}/docker", f"{ROOT}/var/lib/docker")
    mount("proc", f"{ROOT}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    bind("/sys", f"{ROOT}/sys")
    mount("dev", f"{ROOT}/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, f"size=1M,mode=755,{owned}")
    for folder in ("net", "pts", "shm"):
        os.mkdir(f"{ROOT}/dev/{folder}", 0o755)
    for name in DEVICES:
        os.close(os.open(f"{ROOT}/dev/{name}", os.O_CREAT | os.O_WRONLY))
        os.chmod(f"/dev/{name}", 0o666)  # net/tun is the guest's root's alone, who is nobody in there
        bind(f"/dev/{name}", f"{ROOT}/dev/{name}")
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(target, f"{ROOT}/dev/{name}")
    os.symlink("pts/ptmx", f"{ROOT}/dev/ptmx")
    os.chown(f"{ROOT}/root", FIRST_USER, FIRST_USER)
    change_root(ROOT, f"{ROOT}/mnt")


def be_init(notify: int) -> None:
    """Be process 1 of the machine: set it up from inside, then collect what ends."""
    for kind, place, data in (
        ("sysfs", "/sys", ""),
        ("cgroup2", "/sys/fs/cgroup", ""),
        ("devpts", "/dev/pts", "newinstance,ptmxmode=0666,mode=620"),
        ("tmpfs", "/dev/shm", "size=64M,mode=1777"),
    ):
        mount(kind, place, kind, MS_NOSUID | MS_NODEV | MS_NOEXEC if kind != "devpts" else MS_NOSUID, data)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    socket.sethostname(NAME)
    for path, text in (("/etc/hostname", NAME), ("/etc/hosts", f"127.0.0.1 localhost {NAME}")):
        with open(path, "w", encoding="ascii") as file:
            file.write(f"{text}\n")
    for folder in ("/root/submission", "/run/netns", "/run/lock"):
        os.makedirs(folder, exist_ok=True)
    libc.prctl(PR_SET_NAME, b"init", 0, 0, 0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGCHLD,))
    os.write(notify, b".")
    os.close(notify)
    while True:
        signal.sigwait((signal.SIGCHLD,))
        while reap():
            pass


def reap() -> bool:
    """Collect one ended child, if there is any."""
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def become_machine(users: int, disk_mib: int, moved: int, unshared: int) -> None:
    """Enter namespaces of all kinds, wait until the parent has moved us, and be the machine's process 1.

    Its PID namespace stays the guest's own, so that nothing in the machine can end all of it by reboot(2); its proc
    is mounted before the user namespace is entered for the same reason.
    """
    put(f"{BOX}/cgroup.procs", "0")  # ourselves
    file_system(users, disk_mib)
    enter(users, CLONE_NEWUSER)
    become_root()
    leave_for_new(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET)
    os.write(unshared, b".")
    os.read(moved, 1)
    os.setsid()
    be_init(unshared)


def main() -> None:
    """Make the machine as the arguments say: MiB of memory, processes, MiB of disk."""
    memory_mib, processes, disk_mib = map(int, sys.argv[1:])
    subprocess.run(["modprobe", "-aq", *MODULES], check=False)
    for name, text in SETTINGS.items():
        put(f"/proc/sys/net/core/{name}", text)
    limit(memory_mib, processes)
    # A user namespace keeps its maker's limit of processes; that of the control group is the one that counts.
    resource.setrlimit(resource.RLIMIT_NPROC, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    users = users_of_a_child()
    (there, moved), (unshared, up) = os.pipe(), os.pipe()
    leave_for_new(CLONE_NEWPID)
    init = os.fork()
    if init == 0:
        os.close(unshared)
        become_machine(users, disk_mib, there, up)
    os.close(up)
    if os.read(unshared, 1) != b".":
        raise SystemExit("student's machine - process 1 - expected its namespaces - seen its end")
    put(f"{BOX}/init/cgroup.procs", str(init))
    hand_over_groups()
    put(f"/proc/{init}/oom_score_adj", "-1000")
    os.write(moved, b".")
    if os.read(unshared, 1) != b".":
        raise SystemExit("student's machine - process 1 - expected to come up - seen its end")
    with open(PID_FILE, "w", encoding="ascii") as file:
        file.write(str(init))
