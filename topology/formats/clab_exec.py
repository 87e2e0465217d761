"""Carries a node's exec lines out on paper: which program each is for, and what becomes of it.

What configures the network in a way that is not understood is refused; any other program is left out, and told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from topology.errors import LabError, Position
from topology.formats.clab_findings import refusal
from topology.formats.clab_ip import LOOKS, ip
from topology.formats.clab_machine import Machine, said
from topology.formats.clab_shell import SHELLS, Words, commands
from topology.formats.clab_sysctl import sysctl
from topology.formats.lab_refusals import ALL
from topology.formats.lab_values import shown

_NETWORK = (
    "arp arptables babeld batctl bfdd bgpctl bgpd bird bird6 bird6c birdc bpftool brctl bridge charon dhclient "
    "dhcp6c dhcpcd ebtables eigrpd exabgp fabricd firewall-cmd frr gobgpd holod ifconfig ifdown ifenslave "
    "ifquery ifreload ifup ip ip6tables ip6tables-legacy ip6tables-nft ip6tables-restore ipsec ipset iptables "
    "iptables-legacy iptables-legacy-restore iptables-nft iptables-restore ipvsadm isisd keepalived ldpd "
    "macchanger mgmtd mii-tool mrouted mstpd ndppd netplan networkctl networking nft nhrpd nmcli nsenter nv "
    "odhcp6c olsrd openbgpd openrc openvpn ospf6d ospfd ovs-appctl ovs-dpctl ovs-ofctl ovs-vsctl ovs-vswitchd "
    "ovsdb-server parprouted pathd pbrd pimd pppd radvd rc-service rdisc6 ripd ripngd route rtadvd runit "
    "runsvdir s6-svscan service smcroute smcrouted staticd strongswan supervisord swanctl sysctl systemctl tc "
    "tcset teamd tincd tunctl udhcpc ufw unshare vconfig vde_switch vpp vppctl vrrpd vtysh watchfrr wg wg-quick "
    "xdp-loader xl2tpd zebra"
)
NETWORK = frozenset(_NETWORK.split())
"""Programs that can change what a fabric does, and those that start such programs."""
WRAPPERS = frozenset(
    ("env", "timeout", "nice", "time", "xargs", "watch", "script", "su", "chroot", "stdbuf", "flock", "parallel")
)
"""Programs that run another one, which their arguments name."""
INTERPRETERS = frozenset(("python", "python2", "python3", "perl", "ruby", "lua", "node", "tclsh", "expect"))
SETTINGS = re.compile(
    r"/proc/(sys|\d+|self)/net\b|/sys/(class|devices/virtual)/net\b|/sys/devices/\S*/net/|sys/net/ipv[46]/"
)
"""Paths of the kernel's network settings."""
READERS = frozenset(
    ("cat", "head", "tail", "ls", "grep", "egrep", "find", "stat", "test", "[", "wc", "readlink", "more", "less")
)
"""Programs that change nothing that they read."""
SCRIPT = re.compile(r"\.(?:sh|bash|ash|py|pl|rb|lua)\b|/docker-start\b|/entrypoint\b")
UNSEEN = "is a script, whose commands are not seen"
FLOOD = "00:00:00:00:00:00"
"""The entry of a VXLAN device's forwarding database for frames to unknown and to all (bridge(8))."""
NAT = re.compile(r"\bnat\b|\bMASQUERADE\b|\bmasquerade\b|\b[SD]NAT\b")
_WORD = re.compile(r"[A-Za-z0-9_.-]+")
_RIGHT = "ip, 'bridge fdb append' and sysctl commands that say the same"
_FLOOD_RIGHT = f"bridge fdb append {FLOOD} dev NAME dst ADDRESS, or a MAC instead"
_MAC = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")


def carry_out(machine: Machine, line: str, where: Position) -> None:
    """One exec line; its problems and notes go to the machine's findings."""
    try:
        found = list(commands(line, where))
    except LabError as error:
        if is_about_networks(line):
            machine.findings.problems.update(dict.fromkeys(error.problems))
            machine.findings.spoiled |= ALL
        else:
            _leave_out(machine, line, where)
        return
    for words in found:
        with machine.findings.collected():
            run(machine, words)


def is_about_networks(line: str) -> bool:
    """Return whether a line that is not understood may configure the network: it names such a program, such a setting
    of the kernel, or another script."""
    return bool(SCRIPT.search(line) or SETTINGS.search(line)) or not NETWORK.isdisjoint(_WORD.findall(line))


def run(machine: Machine, words: Words) -> None:
    """One command; raises LabError where it configures the network otherwise than hopcheck can."""
    program, line = words.program, str(words)
    words.take()
    if program in PROGRAMS:
        PROGRAMS[program](machine, words)
    elif program in ("echo", "printf"):
        outcome = (
            "containerlab runs no shell; sh -c '...' would write it" if SETTINGS.search(line) else "it sets nothing"
        )
        machine.findings.note(words.where, f"{shown(line)} only prints", outcome)
    elif why := _reason(program, line):
        machine.findings.spoiled |= ALL if why == UNSEEN else frozenset()
        raise refusal(words.where, f"{shown(line)} {why}", _RIGHT)
    else:
        _leave_out(machine, line, words.where)


def _reason(program: str, line: str) -> str:
    """Why a command that is not understood may change the network; empty where nothing says so."""
    if SETTINGS.search(line) and program not in READERS:
        return "may write a setting of the network's, and is not understood"
    if program in SHELLS or SCRIPT.search(line if program in INTERPRETERS else line.split()[0]):
        return UNSEEN
    if NAT.search(line) and program in NETWORK:
        return "translates addresses (NAT), which hopcheck's fabrics do not"
    runs_another = program in WRAPPERS | INTERPRETERS or "=" in program
    if program in NETWORK or (runs_another and is_about_networks(line)):
        return "may change the network, and is not understood"
    return ""


def _leave_out(machine: Machine, line: str, where: Position) -> None:
    machine.findings.note(where, f"{shown(line)} is not run", "no command of a network is known in it")


def bridge(machine: Machine, words: Words) -> None:
    """``bridge fdb append MAC dev VXLAN dst ADDRESS [via DEV]``: where a VXLAN device sends frames to a MAC, or those
    to unknown MACs and to all (``00:00:00:00:00:00``)."""
    words.skip(LOOKS)
    object_, verb = (words.take() if words else "" for _ in range(2))
    if verb in ("", "show", "list"):
        return
    mac = words.take() if object_ == "fdb" and verb in ("append", "add", "replace") and words else ""
    options: dict[str, str] = {}
    while words:
        word = words.take()
        if word in ("dev", "dst", "via"):
            options[word] = words.take()
        elif word not in ("self", "permanent", "static"):
            mac = ""
    if not _MAC.fullmatch(mac) or set(options) - {"via"} != {"dev", "dst"}:
        what = f"{shown(str(words))} sets what hopcheck's bridges learn or have not"
        raise refusal(words.where, what, _FLOOD_RIGHT)
    made = machine.made.get(options["dev"])
    if options["dev"] in machine.lost:
        return
    if made is None or made.kind != "vxlan":
        raise refusal(words.where, f"{shown(options['dev'])} is no VXLAN device that is made before", _FLOOD_RIGHT)
    way = made.settings.get("dev")
    if "via" in options and (way is None or options["via"] != way.text):
        what = f"{shown(options['dev'])} floods by {shown(options['via'])}, which is not its dev"
        raise refusal(words.where, what, _FLOOD_RIGHT)
    _check_entry(machine, words, verb, mac, options["dev"])
    if mac == FLOOD:
        machine.floods.setdefault(options["dev"], []).append(said(words.where, options["dst"]))
    else:
        machine.entries.setdefault(options["dev"], {})[mac] = said(words.where, options["dst"])


def _check_entry(machine: Machine, words: Words, verb: str, mac: str, device: str) -> None:
    """Refuse an entry that the kernel does not take beside what is there (vxlan_fdb_update, drivers/net/vxlan)."""
    floods = device in machine.floods or "remote" in machine.made[device].settings
    is_there = floods if mac == FLOOD else mac in machine.entries.get(device, {})
    if verb == "replace" and mac == FLOOD:
        raise refusal(words.where, f"{shown(str(words))} fails: where frames to all go is never replaced", _FLOOD_RIGHT)
    if verb == "add" and is_there:
        right = f"bridge fdb {'append' if mac == FLOOD else 'replace'} {mac} ..."
        raise refusal(words.where, f"{shown(str(words))} fails: File exists", right)
    if verb == "append" and is_there and mac != FLOOD:
        right = f"bridge fdb replace {mac} ..."
        raise refusal(words.where, f"{shown(str(words))} changes nothing: {mac} is there", right)


def ethtool(machine: Machine, words: Words) -> None:
    """``ethtool -K``: whether a kernel computes a checksum early or late, no header's field tells."""
    machine.findings.note(words.where, "the offloads that ethtool sets are left out", "the kernel's own are kept")


PROGRAMS: Mapping[str, Callable[[Machine, Words], None]] = {
    "ip": ip,
    "bridge": bridge,
    "sysctl": sysctl,
    "ethtool": ethtool,
}
