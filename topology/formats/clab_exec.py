"""Carries a node's exec lines out on paper: which program each is for, and what becomes of it.

What configures the network in a way that is not understood is refused; any other program is left out, and told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from topology.errors import LabError, Position
from topology.formats.clab_findings import refusal
from topology.formats.clab_ip import ip
from topology.formats.clab_machine import Machine, said
from topology.formats.clab_shell import SHELLS, Words, commands
from topology.formats.clab_sysctl import sysctl
from topology.formats.lab_refusals import ALL
from topology.formats.lab_values import shown

NETWORK = frozenset(
    {
        "arp",
        "arptables",
        "bgpd",
        "bird",
        "birdc",
        "brctl",
        "bridge",
        "dhclient",
        "dhcpcd",
        "ebtables",
        "frr",
        "ifconfig",
    }
    | {"ifdown", "ifenslave", "ifup", "ip", "ip6tables", "ipset", "iptables", "ipvsadm", "netplan", "networkctl", "nft"}
    | {"nmcli", "nsenter", "ovs-ofctl", "ovs-vsctl", "ovsdb-server", "rc-service", "route", "service", "sysctl"}
    | {
        "systemctl",
        "tc",
        "teamd",
        "tunctl",
        "udhcpc",
        "unshare",
        "vconfig",
        "vtysh",
        "watchfrr",
        "wg",
        "wg-quick",
        "zebra",
    }
)
"""Programs that can change what a fabric does, and those that start such programs."""
SCRIPT = re.compile(r"\.(?:sh|bash|ash)\b")
FLOOD = "00:00:00:00:00:00"
"""The entry of a VXLAN device's forwarding database for frames to unknown and to all (bridge(8))."""
_WORD = re.compile(r"[A-Za-z0-9_.-]+")
_RIGHT = "ip, 'bridge fdb append' and sysctl commands that say the same"
_FLOOD_RIGHT = f"bridge fdb append {FLOOD} dev NAME dst ADDRESS"


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
    """Whether a line that is not understood may configure the network: it names such a program, or another script."""
    return SCRIPT.search(line) is not None or not NETWORK.isdisjoint(_WORD.findall(line))


def run(machine: Machine, words: Words) -> None:
    """One command; raises LabError where it configures the network otherwise than hopcheck can."""
    program = words.program
    words.take()
    if program in PROGRAMS:
        PROGRAMS[program](machine, words)
    elif program in SHELLS or SCRIPT.search(program):
        machine.findings.spoiled |= ALL
        raise refusal(words.where, f"{shown(str(words))} is a script, whose commands are not seen", _RIGHT)
    elif program in NETWORK:
        raise refusal(words.where, f"{shown(str(words))} may change the network, and is not understood", _RIGHT)
    else:
        _leave_out(machine, str(words), words.where)


def _leave_out(machine: Machine, line: str, where: Position) -> None:
    machine.findings.note(where, f"{shown(line)} is not run", "no command of a network is known in it")


def bridge(machine: Machine, words: Words) -> None:
    """``bridge fdb append 00:00:00:00:00:00 dev VXLAN dst ADDRESS [via DEV]``: where a VXLAN device floods to."""
    object_, verb = (words.take() if words else "" for _ in range(2))
    if verb in ("", "show", "list"):
        return
    mac = words.take() if object_ == "fdb" and verb in ("append", "add") else ""
    options: dict[str, str] = {}
    while words:
        word = words.take()
        if word in ("dev", "dst", "via"):
            options[word] = words.take()
        elif word not in ("self", "permanent", "static"):
            mac = ""
    if mac != FLOOD or set(options) - {"via"} != {"dev", "dst"}:
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
    machine.floods.setdefault(options["dev"], []).append(said(words.where, options["dst"]))


def ethtool(machine: Machine, words: Words) -> None:
    """``ethtool -K``: whether a kernel computes a checksum early or late, no header's field tells."""
    machine.findings.note(words.where, "the offloads that ethtool sets are left out", "the kernel's own are kept")


PROGRAMS: Mapping[str, Callable[[Machine, Words], None]] = {
    "ip": ip,
    "bridge": bridge,
    "sysctl": sysctl,
    "ethtool": ethtool,
}
