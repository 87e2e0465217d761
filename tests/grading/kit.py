"""What the tests of grading share: machines, and submissions of our own as text."""

from __future__ import annotations

import contextlib
import io
import tarfile
from collections.abc import Iterator, Mapping

from fixtures.instruments.grading.machine import StudentMachine
from topology.errors import KernelUnavailable, NotApplicable


@contextlib.contextmanager
def restored(has_engine: bool) -> Iterator[StudentMachine]:
    """A fresh machine; NotApplicable where this machine can run no guest."""
    try:
        with StudentMachine.restored(has_engine=has_engine) as machine:
            yield machine
    except KernelUnavailable as error:
        raise NotApplicable(str(error)) from error


def packed(files: Mapping[str, str]) -> bytes:
    """A submission as a tar archive; every file may be executed."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text.encode()), 0o755
            archive.addfile(entry, io.BytesIO(text.encode()))
    return out.getvalue()


NAMESPACES = """#!/bin/sh -e
# Customers c1 and c2 on leaves of their own, a VXLAN between the leaves' bridges, over a spine.
for n in c1 l1 s1 l2 c2; do ip netns add $n; done
cable() {
    ip link add name $2 netns $1 type veth peer name $4 netns $3
    ip -n $1 link set dev $2 up
    ip -n $3 link set dev $4 up
}
for i in 1 2; do
    cable l$i s1 s1 l$i
    cable c$i eth0 l$i cust
    ip -n l$i addr add 10.1.$i.1/24 dev s1
    ip -n s1 addr add 10.1.$i.2/24 dev l$i
    ip -n l$i route add default via 10.1.$i.2
    ip -n l$i link add name br type bridge
    ip -n l$i link add name vx type vxlan id 42 local 10.1.$i.1 remote 10.1.$((3 - i)).1 dstport 4789 dev s1
    for port in cust vx; do ip -n l$i link set dev $port master br; done
    for device in br vx; do ip -n l$i link set dev $device up; done
    ip -n c$i addr add 10.9.0.$i/24 dev eth0
done
ip netns exec s1 sysctl -qw net.ipv4.ip_forward=1
"""
PAIR = "pairs: [{source: c1, target: c2, kind: l2-overlay}]"
LIMITS_MET = {
    "processes": ("f() { f | f & }; f; sleep 600", 60.0),
    "output": ("yes", 60.0),
    "deadline": ("while :; do :; done", 4.0),
    "memory": ("python3 -c 'a = []\nwhile True: a.append(bytes(1 << 24))'", 60.0),
}
"""What a build that goes beyond a limit does, and its deadline, by how it is to end."""
ATTEMPTS = {
    "clock": "date -s 2001-01-01",
    "reboot": "python3 -c 'import ctypes; exit(-ctypes.CDLL(None).reboot(0x1234567))'",
    "sysrq": "echo b > /proc/sysrq-trigger",
    "settings of the kernel": "echo '|/tmp/x' > /proc/sys/kernel/core_pattern",
    "helper of modules": "echo /tmp/x > /proc/sys/kernel/modprobe",
    "module": "modprobe sctp",
    "disk": "mknod /tmp/disk b 254 0",
    "memory": "mknod /tmp/mem c 1 1",
    "the agent's port": "ls /dev/vport*",
    "devices of the guest": "mount -t devtmpfs d /mnt",
    "the agent's process": "grep -l '[v]irtio' /proc/[0-9]*/cmdline",
    "log of the kernel": "dmesg",
    "programs in the kernel": "python3 -c 'import ctypes; exit(ctypes.CDLL(None).syscall(321, 5, 0, 0) == -1)'",
    "limits of its own": "echo max > /sys/fs/cgroup/memory.max",
    "mount of the file system below": "mount /dev/vda /mnt",
    "tracing": "mount -t tracefs t /mnt",
}
"""Attempts to leave the machine, or to change what is all the guest's: each must fail."""
LEAF_SPINE = """#!/bin/sh -e
# Two spines, two leaves; a row of type VXLAN lies between the leaves, one of type Bridge at the first leaf.
cable() {
    ip link add name $2 netns $1 type veth peer name $4 netns $3
    ip -n $1 link set dev $2 up
    ip -n $3 link set dev $4 up
}
for n in l1 l2 s1 s2; do ip netns add $n; ip netns exec $n sysctl -qw net.ipv4.ip_forward=1; done
for l in 1 2; do for s in 1 2; do
    cable l$l s$s s$s l$l
    ip -n l$l addr add 10.$s.$l.1/24 dev s$s
    ip -n s$s addr add 10.$s.$l.2/24 dev l$l
    ip -n l$l route add 10.$s.$((3 - l)).0/24 via 10.$s.$l.2
done; done
row=0
while IFS=, read -r a b type; do
    row=$((row + 1)) i=0
    for name in $a $b; do
        i=$((i + 1)) leaf=l1
        [ $type = VXLAN ] && leaf=l$i
        ip netns add $name
        cable $name eth0 $leaf $name
        ip -n $name addr add 42.0.$row.$i/24 dev eth0
        ip -n $leaf link show dev br$row >/dev/null 2>&1 || ip -n $leaf link add name br$row up type bridge
        ip -n $leaf link set dev $name master br$row
        [ $type = VXLAN ] || continue
        ends="local 10.1.$i.1 remote 10.1.$((3 - i)).1"
        ip -n $leaf link add name vx$row type vxlan id $((100 + row)) $ends dstport 4789
        ip -n $leaf link set dev vx$row master br$row up
    done
done < $1
"""
